#include "sense/port/cortex_m/display.h"

namespace stator::cortex_m {

void Display::say_reason(std::string_view& before, std::string_view now, std::string_view what) {
    if (now == before) return;
    before = now;
    if (now.empty()) return;
    print(what);
    say(now);
}

bool Display::show(std::uint32_t release, std::string_view model, node::FirmwareUpdate firmware) {
    say_reason(link_, site_.link->reason(), "link: ");
    say_reason(fetch_, site_.fetch->reason(), "fetch: ");
    if (release != release_) {
        release_ = release;
        print("runs ");
        say(model);
    }
    if (firmware != firmware_) {
        if (firmware_ == node::FirmwareUpdate::trial) say("firmware confirmed");
        if (firmware == node::FirmwareUpdate::trial) say("firmware on trial");
        firmware_ = firmware;
    }
    constexpr std::int64_t costs_us = 5'000'000;
    if (monotonic_us() < next_us_) return false;
    next_us_ = monotonic_us() + costs_us;
    say_cost("tls_pool", Tls::pool_bytes_most());
    say_cost("tls_pool_blocks", Tls::pool_blocks_now());
    say_cost("stack", stack_bytes_used());
    return true;
}

}  // namespace stator::cortex_m
