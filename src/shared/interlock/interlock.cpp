#include "shared/interlock/interlock.h"

#include <algorithm>

namespace stator::interlock {

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

Why forbidden(const Conditions& conditions) {
    if (!conditions.act) return Why::observe;
    if (conditions.locked_out) return Why::lock_out;
    if (conditions.excluded) return Why::excluded;
    return Why::allowed;
}

}  // namespace

std::string_view name_of(Why why) {
    switch (why) {
        case Why::allowed:
            return "allowed";
        case Why::observe:
            return "observe";
        case Why::lock_out:
            return "locked out";
        case Why::excluded:
            return "excluded";
        case Why::expired:
            return "expired";
        case Why::minimum_on:
            return "minimum on time";
        case Why::minimum_off:
            return "minimum off time";
        case Why::starts_per_hour:
            return "starts per hour";
        case Why::dead_man:
            return "dead man";
    }
    return "unknown";
}

Interlock::Interlock(Rules rules, std::int64_t now_ms) : rules_{rules}, changed_ms_{now_ms} {
    rules_.starts_per_hour =
        std::min(rules_.starts_per_hour, static_cast<std::uint32_t>(starts_per_hour_max));
}

void Interlock::restore_starts(std::size_t count, std::int64_t now_ms) {
    start_count_ = std::min(count, starts_ms_.size());
    starts_ms_.fill(now_ms);
}

std::size_t Interlock::starts_in_the_last_hour(std::int64_t now_ms) const {
    const std::size_t known = std::min(start_count_, starts_ms_.size());
    const auto end = starts_ms_.begin() + static_cast<std::ptrdiff_t>(known);
    return static_cast<std::size_t>(std::count_if(starts_ms_.begin(), end, [&](std::int64_t start) {
        return now_ms - start < hour_ms;
    }));
}

Why Interlock::start(const Conditions& conditions, std::int64_t asked_ms, std::int64_t now_ms) {
    const Why why = forbidden(conditions);
    if (why != Why::allowed) return why;
    if (now_ms - asked_ms > rules_.expiry_ms) return Why::expired;
    if (!on_) {
        if (now_ms - changed_ms_ < rules_.min_off_ms) return Why::minimum_off;
        if (starts_in_the_last_hour(now_ms) >= rules_.starts_per_hour) return Why::starts_per_hour;
        starts_ms_[start_count_++ % starts_ms_.size()] = now_ms;
        on_ = true;
        changed_ms_ = now_ms;
    }
    stop_wanted_ = false;
    renewed_ms_ = now_ms;
    return Why::allowed;
}

Why Interlock::stop(bool force, std::int64_t now_ms) {
    if (!on_) return Why::allowed;
    if (!force && now_ms - changed_ms_ < rules_.min_on_ms) {
        stop_wanted_ = true;
        return Why::minimum_on;
    }
    switch_off(now_ms);
    return Why::allowed;
}

bool Interlock::step(const Conditions& conditions, std::int64_t now_ms, Why& why) {
    if (!on_) return false;
    why = forbidden(conditions);
    const bool enough = now_ms - changed_ms_ >= rules_.min_on_ms;
    if (why == Why::allowed && rules_.dead_man_ms != 0 && now_ms - renewed_ms_ > rules_.dead_man_ms)
        why = Why::dead_man;
    if (why == Why::allowed && !(stop_wanted_ && enough)) return false;
    switch_off(now_ms);
    return true;
}

void Interlock::switch_off(std::int64_t now_ms) {
    on_ = false;
    stop_wanted_ = false;
    changed_ms_ = now_ms;
}

}  // namespace stator::interlock
