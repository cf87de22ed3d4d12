#include "app/supervise/supervisor.h"

#include "world/clock/virtual.h"
#include "world/journal/recorded.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace stator::supervise {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Children whose life the test decides, and a list of what was done to them.
struct Children final : process::Processes {
    struct Life {
        bool ready = true;
        std::optional<int> code;
        bool ignores_terminate = false;
    };

    struct One final : process::Child {
        One(Children& its_all, std::string its_name) : all{its_all}, name{std::move(its_name)} {}

        [[nodiscard]] int pid() const override { return 7; }

        bool ready() override { return all.lives[name].ready; }

        std::optional<int> exited() override { return all.lives[name].code; }

        void terminate() override {
            all.done.push_back("terminate " + name);
            if (!all.lives[name].ignores_terminate) all.lives[name].code = 143;
        }

        void kill() override {
            all.done.push_back("kill " + name);
            all.lives[name].code = 137;
        }

        std::uint64_t resident_bytes() override { return 1000; }

        Children& all;
        std::string name;
    };

    Outcome<std::unique_ptr<process::Child>> start(const process::Command& command) override {
        if (missing.contains(command.name))
            return fail(base::Fault::not_found, command.name + " is no program");
        done.push_back("start " + command.name);
        lives[command.name].code.reset();
        return std::make_unique<One>(*this, command.name);
    }

    std::map<std::string, Life> lives;
    std::set<std::string> missing;
    std::vector<std::string> done;
};

class SupervisorTest : public testing::Test {
  protected:
    SupervisorTest() {
        for (const char* name : {"broker", "registry", "console"})
            supervisor.add({.name = name, .arguments = {}, .environment = {}, .log_file = name});
    }

    void start_all() {
        while (supervisor.step()) {
        }
        ASSERT_TRUE(supervisor.all_ready());
        children.done.clear();
    }

    // Steps through so much time; how often something was started in it.
    std::size_t starts_in(std::int64_t duration_us) {
        children.done.clear();
        for (std::int64_t passed_us = 0; passed_us < duration_us; passed_us += 10'000) {
            while (supervisor.step()) {
                if (dying) children.lives["console"].code = 1;
            }
            clock.wait_us(10'000);
        }
        return children.done.size();
    }

    Children children;
    clock::VirtualClock clock{0};
    journal::RecordedJournal journal;
    Supervisor supervisor{children, clock, journal};
    bool dying = false;
};

TEST_F(SupervisorTest, starts_in_order_each_when_those_before_it_are_ready) {
    children.lives["registry"].ready = false;
    while (supervisor.step()) {
    }
    EXPECT_THAT(children.done, ElementsAre("start broker", "start registry"));
    EXPECT_FALSE(supervisor.all_ready());
    children.lives["registry"].ready = true;
    while (supervisor.step()) {
    }
    EXPECT_THAT(children.done, ElementsAre("start broker", "start registry", "start console"));
    EXPECT_TRUE(supervisor.all_ready());
}

TEST_F(SupervisorTest, stops_in_reverse_order_each_when_the_one_before_is_gone) {
    start_all();
    supervisor.stop();
    EXPECT_THAT(
        children.done, ElementsAre("terminate console", "terminate registry", "terminate broker")
    );
    children.done.clear();
    supervisor.stop();
    EXPECT_THAT(children.done, ElementsAre()) << "nothing is left to stop";
}

TEST_F(SupervisorTest, asks_again_each_half_second_and_kills_after_the_timeout) {
    start_all();
    children.lives["registry"].ignores_terminate = true;
    supervisor.stop();
    const auto asked = std::ranges::count(children.done, "terminate registry");
    EXPECT_EQ(asked, stop_timeout_us / 500'000 + 1);
    EXPECT_EQ(std::ranges::count(children.done, "kill registry"), 1);
    EXPECT_EQ(children.done.back(), "terminate broker");
    EXPECT_TRUE(journal.told("registry does not stop: killed"));
}

TEST_F(SupervisorTest, what_dies_is_started_again_at_once_and_the_others_go_on) {
    start_all();
    children.lives["registry"].code = 139;
    EXPECT_EQ(starts_in(10'000), 1U);
    EXPECT_THAT(children.done, ElementsAre("start registry"));
    EXPECT_EQ(supervisor.status()[1].restarts, 1U);
    EXPECT_EQ(supervisor.status()[0].restarts, 0U);
    EXPECT_TRUE(journal.told("registry ended with code 139; starting it again in 0.0 s"));
}

TEST_F(SupervisorTest, what_keeps_dying_is_tried_ever_more_seldom_and_told_a_few_times) {
    start_all();
    dying = true;
    children.lives["console"].code = 1;
    // At once, after 0.2, 0.4, 0.8, 1.6, 3.2, 6.4 s: seven by 12.6 s, the next 10 s later.
    EXPECT_EQ(starts_in(12'700'000), 7U);
    EXPECT_EQ(starts_in(9'800'000), 0U);
    EXPECT_EQ(starts_in(100'000'000), 10U);
    const std::string text = journal.text();
    std::size_t told = 0;
    for (std::size_t at = 0; (at = text.find("console ended", at)) != std::string::npos; ++at)
        ++told;
    EXPECT_EQ(told, deaths_told);
    EXPECT_THAT(text, HasSubstr("console ended with code 1, 6 times in a row: see console"));
}

TEST_F(SupervisorTest, ten_calm_seconds_forget_what_was) {
    start_all();
    dying = true;
    children.lives["console"].code = 1;
    static_cast<void>(starts_in(12'700'000));
    dying = false;
    EXPECT_EQ(starts_in(21'000'000), 1U);  // the last of the bad row stays up for ten seconds
    children.lives["console"].code = 1;
    EXPECT_EQ(starts_in(10'000), 1U) << "at once again";
}

TEST_F(SupervisorTest, a_program_that_is_not_there_is_told_and_tried_again) {
    children.missing = {"registry"};
    EXPECT_EQ(starts_in(1'000'000), 1U);  // the broker
    EXPECT_TRUE(journal.told("registry cannot be started: registry is no program"));
    children.missing.clear();
    EXPECT_EQ(starts_in(1'000'000), 2U);
    EXPECT_TRUE(supervisor.all_ready());
}

}  // namespace
}  // namespace stator::supervise
