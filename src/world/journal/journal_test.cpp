// What every Journal promises, run over the real and the recorded one.
#include "world/clock/virtual.h"
#include "world/journal/real.h"
#include "world/journal/recorded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace stator::journal {
namespace {

struct Real {
    RealJournal journal;

    Real() { testing::internal::CaptureStderr(); }

    std::string said() { return testing::internal::GetCapturedStderr(); }
};

struct Recorded {
    RecordedJournal journal;

    std::string said() { return journal.text(); }
};

template <typename T>
class EveryJournal : public testing::Test {
  public:
    T kind;
};

using Journals = testing::Types<Real, Recorded>;
TYPED_TEST_SUITE(EveryJournal, Journals);

TYPED_TEST(EveryJournal, SaysLevelTagAndText) {
    this->kind.journal.warn("registry", "device 7 is unknown");
    const std::string said = this->kind.said();
    EXPECT_NE(said.find(" warning registry: device 7 is unknown\n"), std::string::npos) << said;
}

TYPED_TEST(EveryJournal, MakesOneLineOfATextThatWouldForgeAnother) {
    this->kind.journal.info("registry", "name \"a\nerror: all is lost\x1b[2J\"");
    const std::string said = this->kind.said();
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
    EXPECT_NE(said.find("\\n"), std::string::npos);
    EXPECT_NE(said.find("\\x1b"), std::string::npos);
}

TEST(RealJournalTest, LeavesOutWhatIsBelowItsLevel) {
    testing::internal::CaptureStderr();
    RealJournal journal{Level::warning};
    journal.info("log", "quiet");
    journal.error("log", "loud");
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("quiet"), std::string::npos);
    EXPECT_NE(said.find("error log: loud"), std::string::npos) << said;
}

TEST(RecordedJournalTest, StampsLinesWithVirtualTime) {
    clock::VirtualClock clock{0};
    RecordedJournal journal{clock};
    clock.wait_us(1'500'000);
    journal.info("drift", "stated");
    EXPECT_EQ(journal.text(), "1.500000 info drift: stated\n");
    EXPECT_TRUE(journal.told("stated"));
    EXPECT_FALSE(journal.told("unstated"));
}

}  // namespace
}  // namespace stator::journal
