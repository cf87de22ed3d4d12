// What every Clock promises, run over the real and the virtual one.
#include "world/clock/real.h"
#include "world/clock/virtual.h"

#include <gtest/gtest.h>

#include <memory>

namespace stator::clock {
namespace {

template <typename T>
std::unique_ptr<Clock> make();

template <>
std::unique_ptr<Clock> make<RealClock>() {
    return std::make_unique<RealClock>();
}

template <>
std::unique_ptr<Clock> make<VirtualClock>() {
    return std::make_unique<VirtualClock>(1'700'000'000'000);
}

template <typename T>
class EveryClock : public testing::Test {
  public:
    std::unique_ptr<Clock> clock = make<T>();
};

using Clocks = testing::Types<RealClock, VirtualClock>;
TYPED_TEST_SUITE(EveryClock, Clocks);

TYPED_TEST(EveryClock, WaitsAtLeastAsLongAsAsked) {
    const std::int64_t before = this->clock->monotonic_us();
    const std::int64_t wall_before = this->clock->unix_ms();
    this->clock->wait_us(3000);
    EXPECT_GE(this->clock->monotonic_us() - before, 3000);
    EXPECT_GE(this->clock->unix_ms() - wall_before, 2);  // one lost to rounding
}

TYPED_TEST(EveryClock, DoesNotGoBackForAWaitOfNothing) {
    const std::int64_t before = this->clock->monotonic_us();
    this->clock->wait_us(0);
    this->clock->wait_us(-5'000'000);
    EXPECT_GE(this->clock->monotonic_us(), before);
    EXPECT_LT(this->clock->monotonic_us() - before, 2'000'000);
}

TYPED_TEST(EveryClock, TellsWallTimeOfOurAge) {
    EXPECT_GT(this->clock->unix_ms(), 1'600'000'000'000);
}

TEST(VirtualClockTest, MovesOnlyWhenAskedAndExactly) {
    VirtualClock clock{1000};
    EXPECT_EQ(clock.monotonic_us(), 0);
    clock.wait_us(2500);
    EXPECT_EQ(clock.monotonic_us(), 2500);
    EXPECT_EQ(clock.unix_ms(), 1002);
}

TEST(VirtualClockTest, AJumpOfTheWallClockDoesNotMoveMonotonicTime) {
    VirtualClock clock{1000};
    clock.wait_us(1'000'000);
    clock.set_unix_ms(50);
    EXPECT_EQ(clock.unix_ms(), 50);
    EXPECT_EQ(clock.monotonic_us(), 1'000'000);
    clock.wait_us(1000);
    EXPECT_EQ(clock.unix_ms(), 51);
}

}  // namespace
}  // namespace stator::clock
