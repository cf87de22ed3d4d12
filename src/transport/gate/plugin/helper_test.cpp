#include "transport/gate/plugin/helper.h"

#include "transport/gate/plugin/waker.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <atomic>
#include <cerrno>

namespace {

using namespace std::chrono_literals;
using stator::gate::Helper;
using stator::gate::Waker;

// Where a wake fails to come the test hangs, and its runner's limit ends it.
void sleep_until_woken() {
    while (poll(nullptr, 0, -1) != -1 || errno != EINTR) {
    }
}

TEST(helper, wakes_a_sleeping_owner_when_its_job_is_done) {
    std::atomic<int> jobs = 0;
    Helper helper{0ms, Waker{}};
    for (int round = 1; round <= 100; ++round) {
        helper.start([&jobs] { ++jobs; });
        do
            sleep_until_woken();
        while (!helper.done());
        EXPECT_EQ(jobs, round);
    }
}

TEST(helper, wakes_again_until_its_owner_has_asked) {
    std::atomic<int> wakes = 0;
    Helper helper{0ms, [&wakes] { ++wakes; }};
    helper.start([] {});
    while (wakes < 3)  // the owner sleeps through the first ones
        std::this_thread::yield();
    EXPECT_TRUE(helper.done());
}

TEST(helper, runs_a_job_that_is_begun_and_asked_for_while_it_wakes) {
    std::atomic<bool> waking = false;
    std::atomic<bool> go_on = false;
    Helper helper{0ms, [&] {
                      waking = true;
                      while (!go_on)
                          std::this_thread::yield();
                  }};
    helper.start([] {});
    while (!waking)
        std::this_thread::yield();
    EXPECT_TRUE(helper.done());
    helper.start([] {});
    EXPECT_FALSE(helper.done());
    go_on = true;
    while (!helper.done())
        std::this_thread::yield();
}

TEST(helper, runs_no_job_before_the_last_one_began_so_long_ago) {
    using Clock = std::chrono::steady_clock;
    std::atomic<Clock::time_point> began;
    Helper helper{20ms};
    Clock::time_point last{};
    for (int round = 0; round < 5; ++round) {
        helper.start([&began] { began = Clock::now(); });
        while (!helper.done())
            std::this_thread::yield();
        EXPECT_GE(began.load() - last, 20ms);
        last = began;
    }
}

TEST(helper, ends_while_its_owner_never_asked) {
    Helper helper{0ms, [] {}};
    std::atomic<bool> ran = false;
    helper.start([&ran] { ran = true; });
    while (!ran)
        std::this_thread::yield();
}

}  // namespace
