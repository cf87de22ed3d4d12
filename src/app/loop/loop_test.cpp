#include "app/loop/loop.h"

#include "world/doors/simulated.h"

#include <gtest/gtest.h>

namespace stator::loop {
namespace {

class LoopTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    LoopTest() { stop_wanted().store(false); }

    ~LoopTest() override { stop_wanted().store(false); }

    // A Part whose steps do what the test says.
    struct Told final : part::Part {
        explicit Told(std::function<Outcome<bool>()> what) : does{std::move(what)} {}

        [[nodiscard]] std::string_view name() const override { return "told"; }

        Outcome<bool> step() override { return does(); }

        void wait(std::int64_t /*timeout_us*/) override {}

        std::string metrics() override { return {}; }

        std::function<Outcome<bool>()> does;
    };

    int run(const Make& make) { return loop::run(doors, "told", make, 0); }

    Outcome<std::unique_ptr<part::Part>> part() {
        ++made;
        return std::make_unique<Told>([this] { return does(); });
    }

    std::function<Outcome<bool>()> does = [] { return Outcome<bool>{false}; };
    int made = 0;
    int steps = 0;
};

TEST_F(LoopTest, a_part_that_cannot_be_made_at_the_start_ends_the_process_and_says_why) {
    EXPECT_EQ(
        run([]() -> Outcome<std::unique_ptr<part::Part>> {
            return fail(base::Fault::bad_input, "stator.toml: no such key");
        }),
        1
    );
    EXPECT_TRUE(journal.told("stator.toml: no such key"));
}

TEST_F(LoopTest, a_step_that_fails_is_tried_again_ever_more_seldom_and_told_once) {
    does = [this]() -> Outcome<bool> {
        if (++steps == 10) {
            stop_wanted().store(true);
            return true;
        }
        return fail(base::Fault::io, "the registry is away");
    };
    const std::int64_t began_us = clock.monotonic_us();
    EXPECT_EQ(run([this] { return part(); }), 0);
    EXPECT_EQ(made, 1);
    EXPECT_GT(clock.monotonic_us() - began_us, 20'000'000) << "0.1, 0.2, ... 5, 5 s";
    int told = 0;
    for (const journal::Line& line : journal.lines())
        told += line.text.find("the registry is away") != std::string::npos ? 1 : 0;
    EXPECT_EQ(told, 1);
}

TEST_F(LoopTest, a_part_whose_memory_no_longer_counts_is_made_anew_in_the_same_process) {
    does = [this]() -> Outcome<bool> {
        if (++steps == 1) return fail(base::Fault::closed, "alarms.db: the disk is full");
        stop_wanted().store(true);
        return true;
    };
    int refusals = 3;
    EXPECT_EQ(
        run([&]() -> Outcome<std::unique_ptr<part::Part>> {
            if (made == 1 && refusals-- > 0) return fail(base::Fault::full, "still full");
            return part();
        }),
        0
    );
    EXPECT_EQ(made, 2);
    EXPECT_EQ(steps, 2);
    EXPECT_TRUE(journal.told("alarms.db: the disk is full"));
    EXPECT_TRUE(journal.told("still full"));
}

}  // namespace
}  // namespace stator::loop
