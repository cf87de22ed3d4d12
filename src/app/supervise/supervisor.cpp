#include "app/supervise/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace stator::supervise {

namespace {
constexpr std::int64_t backoff_first_us = 200'000;
constexpr std::int64_t backoff_max_us = 10'000'000;
constexpr std::int64_t calm_us = 10'000'000;
constexpr std::int64_t term_again_us = 500'000;
}  // namespace

Supervisor::Supervisor(
    process::Processes& processes, clock::Clock& clock, journal::Journal& journal
)
    : processes_{processes}, clock_{clock}, journal_{journal} {}

Supervisor::~Supervisor() {
    stop();
}

void Supervisor::add(process::Command command) {
    members_.push_back({.command = std::move(command)});
}

bool Supervisor::start(Member& member) {
    auto child = processes_.start(member.command);
    member.started_us = clock_.monotonic_us();
    if (!child) {
        if (member.backoff_us == 0) member.backoff_us = backoff_first_us;
        fall_back(member, "cannot be started: " + child.error().what);
        return false;
    }
    member.child = std::move(*child);
    member.was_ready = false;
    return true;
}

void Supervisor::bury(Member& member, int code) {
    if (clock_.monotonic_us() - member.started_us > calm_us) {
        member.backoff_us = 0;
        member.deaths_in_a_row = 0;
    }
    member.child.reset();
    ++member.restarts;
    fall_back(member, fmt::format("ended with code {}", code));
}

// When it is tried again, and what is told of it.
void Supervisor::fall_back(Member& member, const std::string& what) {
    member.next_start_us = clock_.monotonic_us() + member.backoff_us;
    ++member.deaths_in_a_row;
    if (member.deaths_in_a_row < deaths_told)
        journal_.warn(
            "up",
            fmt::format(
                "{} {}; starting it again in {:.1f} s (its last words are in {})",
                member.command.name,
                what,
                static_cast<double>(member.backoff_us) / 1e6,
                member.command.log_file
            )
        );
    if (member.deaths_in_a_row == deaths_told)
        journal_.error(
            "up",
            fmt::format(
                "{} {}, {} times in a row: see {}; it is tried every {:.0f} s, and not told again",
                member.command.name,
                what,
                member.deaths_in_a_row,
                member.command.log_file,
                static_cast<double>(backoff_max_us) / 1e6
            )
        );
    member.backoff_us = std::clamp(member.backoff_us * 2, backoff_first_us, backoff_max_us);
}

bool Supervisor::step() {
    bool worked = false;
    for (Member& member : members_) {
        if (member.child) {
            if (const auto code = member.child->exited()) {
                bury(member, *code);
                worked = true;
            }
        }
        if (!member.child && clock_.monotonic_us() >= member.next_start_us)
            worked = start(member) || worked;
        if (member.child && !member.was_ready && member.child->ready()) {
            member.was_ready = true;
            worked = true;
        }
        // Those behind wait for the first start only: a restart must not hold up the others.
        if (!member.was_ready && member.restarts == 0) break;
    }
    return worked;
}

bool Supervisor::all_ready() {
    return std::ranges::all_of(members_, [](const Member& m) { return m.child && m.was_ready; });
}

void Supervisor::stop() {
    for (Member& member : members_ | std::views::reverse) {
        if (!member.child) continue;
        const std::int64_t begun_us = clock_.monotonic_us();
        std::int64_t next_term_us = begun_us;
        while (!member.child->exited()) {
            const std::int64_t now_us = clock_.monotonic_us();
            if (now_us - begun_us > stop_timeout_us) {
                journal_.warn("up", member.command.name + " does not stop: killed");
                member.child->kill();
            } else if (now_us >= next_term_us) {
                member.child->terminate();
                next_term_us = now_us + term_again_us;
            }
            clock_.wait_us(5'000);
        }
        member.child.reset();
    }
}

std::vector<Status> Supervisor::status() {
    std::vector<Status> made;
    for (Member& member : members_) {
        Status status{
            .name = member.command.name, .ready = member.was_ready, .restarts = member.restarts
        };
        if (member.child) {
            status.pid = member.child->pid();
            status.resident_bytes = member.child->resident_bytes();
        }
        made.push_back(status);
    }
    return made;
}

}  // namespace stator::supervise
