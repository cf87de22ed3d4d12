#include "transport/gate/plugin/reminder.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <cerrno>

namespace {

using namespace std::chrono_literals;
using stator::gate::Reminder;

// Where no reminder comes the test hangs, and its runner's limit ends it.
void sleep_until_reminded() {
    while (poll(nullptr, 0, -1) != -1 || errno != EINTR) {
    }
}

TEST(reminder, ends_each_sleep_of_its_owner_while_it_is_wanted) {
    Reminder reminder{1ms};
    for (int round = 0; round < 3; ++round) {
        reminder.remind(true);
        for (int i = 0; i < 30; ++i)
            sleep_until_reminded();
        reminder.remind(false);
        EXPECT_EQ(poll(nullptr, 0, 50), 0) << "nobody asked to be woken";
    }
}

TEST(reminder, is_still_until_it_is_wanted_and_after_its_end) {
    {
        Reminder reminder{1ms};
        EXPECT_EQ(poll(nullptr, 0, 50), 0);
        reminder.remind(true);
        reminder.remind(true);
        sleep_until_reminded();
    }
    EXPECT_EQ(poll(nullptr, 0, 50), 0);
}

}  // namespace
