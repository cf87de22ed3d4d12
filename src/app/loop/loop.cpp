#include "app/loop/loop.h"

#include "world/process/ready.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>

namespace stator::loop {

namespace {

constexpr std::int64_t idle_wait_us = 10'000;
constexpr std::int64_t pause_first_us = 100'000;
constexpr std::int64_t pause_max_us = 5'000'000;

struct Health {
    std::string trouble;  // empty: well
};

http::Response ops(
    const std::unique_ptr<part::Part>& part, const Health& health, const http::Request& request
) {
    if (request.path == "/healthz") {
        if (!health.trouble.empty()) return http::problem(503, "Not well", health.trouble);
        http::Response response;
        response.body = "ok\n";
        response.headers["Content-Type"] = "text/plain";
        return response;
    }
    if (!part) return http::problem(503, "Not now", health.trouble);
    if (request.path == "/metrics") {
        http::Response response;
        response.body = part->metrics();
        response.headers["Content-Type"] = "text/plain; version=0.0.4";
        return response;
    }
    return part->handle(request);
}

}  // namespace

std::atomic<bool>& stop_wanted() {
    static std::atomic<bool> wanted{false};
    return wanted;
}

void catch_signals() {
    const auto handler = [](int) { stop_wanted().store(true); };
    stop_wanted().store(false);  // made before a signal can come
    (void)std::signal(SIGTERM, handler);
    (void)std::signal(SIGINT, handler);
    (void)std::signal(SIGPIPE, SIG_IGN);
}

int run(doors::Doors& doors, const std::string& name, const Make& make, std::uint16_t ops_port) {
    Health health;
    auto first = make();
    if (!first) {
        doors.journal.error(name, first.error().what);
        return 1;
    }
    std::unique_ptr<part::Part> part = std::move(*first);
    auto server = doors.http.listen(
        {.address = "127.0.0.1", .port = ops_port},
        [&](const http::Request& request) { return ops(part, health, request); }
    );
    if (!server) {
        doors.journal.error(name, "its /healthz port: " + server.error().what);
        return 1;
    }
    bool told_ready = false;
    std::int64_t pause_us = 0;
    std::int64_t not_before_us = 0;
    const auto failed = [&](const Error& error) {
        if (error.what != health.trouble) doors.journal.warn(name, error.what);
        health.trouble = error.what;
        pause_us = std::clamp(pause_us * 2, pause_first_us, pause_max_us);
        not_before_us = doors.clock.monotonic_us() + pause_us;
    };
    while (!stop_wanted().load()) {
        bool worked = (*server)->poll(0);
        if (doors.clock.monotonic_us() < not_before_us) {
            doors.clock.wait_us(std::min(idle_wait_us, pause_us));
            continue;
        }
        if (!part) {
            auto again = make();
            if (!again) {
                failed(again.error());
                continue;
            }
            part = std::move(*again);
        }
        auto stepped = part->step();
        if (stepped) {
            health.trouble.clear();
            pause_us = 0;
            worked = worked || *stepped;
        } else {
            failed(stepped.error());
            if (stepped.error().fault == base::Fault::closed) part.reset();
        }
        if (!told_ready) {
            process::say_ready();
            told_ready = true;
        }
        if (!worked && stepped) part->wait(idle_wait_us);
    }
    return 0;
}

}  // namespace stator::loop
