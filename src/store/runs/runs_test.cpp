#include "store/runs/runs.h"

#include "world/doors/simulated.h"

#include <gmock/gmock.h>

namespace stator::runs {
namespace {

using testing::SizeIs;

class RunsTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    RunsTest() { open(); }

    void open() {
        auto made = Runs::open(doors, "/learn.db");
        ASSERT_TRUE(made) << made.error().what;
        runs = std::move(*made);
    }

    std::vector<Row> of(Use use) {
        auto rows = runs->rows("pump-1", use);
        EXPECT_TRUE(rows);
        return *rows;
    }

    std::unique_ptr<Runs> runs;
};

TEST_F(RunsTest, RowsKeepEveryBitAndComeInOrderAndOnce) {
    const std::vector<Row> rows{
        {.time_unix_ms = 2, .features = {0.1F, -3.4028235e38F}},
        {.time_unix_ms = 1, .features = {1e-45F, 1.0F / 3.0F}}
    };
    ASSERT_TRUE(runs->add_rows("pump-1", "a.csv", rows));
    ASSERT_TRUE(runs->set_use("pump-1", {rows[0]}, Use::kept));
    ASSERT_TRUE(runs->add_rows("pump-1", "b.csv", rows));  // again: nothing changes
    open();
    ASSERT_THAT(of(Use::fresh), SizeIs(1));
    EXPECT_EQ(of(Use::fresh)[0].features, rows[1].features);
    EXPECT_EQ(of(Use::kept)[0].features, rows[0].features);
    EXPECT_THAT(*runs->raw_names("pump-1"), testing::ElementsAre("a.csv", "b.csv"));
}

TEST_F(RunsTest, TheOldestRowsOfAUseAreForgottenFirst) {
    std::vector<Row> rows;
    for (std::int64_t i = 0; i < 10; ++i)
        rows.push_back({.time_unix_ms = i, .features = {1.0F}});
    ASSERT_TRUE(runs->add_rows("pump-1", "a.csv", rows));
    ASSERT_TRUE(runs->trim("pump-1", Use::fresh, 4));
    ASSERT_THAT(of(Use::fresh), SizeIs(4));
    EXPECT_EQ(of(Use::fresh)[0].time_unix_ms, 6);
    ASSERT_TRUE(runs->trim("pump-1", Use::fresh, 4));
    EXPECT_THAT(of(Use::fresh), SizeIs(4));
}

TEST_F(RunsTest, AModelsBytesComeBackWhateverTheyAre) {
    Model model{.name = "m", .level = 2, .manifest = "{}", .tflite = std::string("\0\xff\x7f", 3)};
    ASSERT_TRUE(runs->set_champion("pump-1", model));
    EXPECT_EQ((*runs->champion("pump-1", 2))->tflite, model.tflite);
    EXPECT_FALSE(*runs->champion("pump-1", 1));
    ASSERT_TRUE(runs->set_pending("set", {model}));
    EXPECT_THAT(*runs->pending("set"), SizeIs(1));
}

TEST_F(RunsTest, RecommissioningForgetsWhatWasAndRefusesWhatIsOlder) {
    ASSERT_TRUE(runs->add_rows("pump-1", "a.csv", {{.time_unix_ms = 5, .features = {1.0F}}}));
    ASSERT_TRUE(runs->add_rows("pump-2", "a.csv", {{.time_unix_ms = 5, .features = {1.0F}}}));
    ASSERT_TRUE(
        runs->set_champion("pump-1", {.name = "m", .level = 1, .manifest = {}, .tflite = {}})
    );
    ASSERT_TRUE(runs->set_awaited("pump-1", "set"));
    ASSERT_TRUE(runs->recommission("pump-1", 10));
    EXPECT_THAT(of(Use::fresh), SizeIs(0));
    EXPECT_FALSE(*runs->champion("pump-1", 1));
    EXPECT_EQ(*runs->awaited("pump-1"), "");
    ASSERT_TRUE(runs->add_rows(
        "pump-1",
        "a.csv",
        {{.time_unix_ms = 9, .features = {1.0F}}, {.time_unix_ms = 10, .features = {1.0F}}}
    ));
    EXPECT_THAT(of(Use::fresh), SizeIs(1));
    EXPECT_THAT(*runs->rows("pump-2", Use::fresh), SizeIs(1));
}

}  // namespace
}  // namespace stator::runs
