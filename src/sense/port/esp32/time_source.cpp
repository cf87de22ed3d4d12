#include "sense/port/esp32/time_source.h"

#include <lwip/sockets.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <span>

namespace stator::esp32 {
namespace {

sockaddr_in address_of(const session::Server& server) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    std::memcpy(&address.sin_addr.s_addr, server.address.data(), server.address.size());
    return address;
}

}  // namespace

bool TimeSource::start() {
    socket_ = ::socket(AF_INET, SOCK_DGRAM, 0);
    return socket_ >= 0;
}

void TimeSource::step() {
    hear();
    if (question_.due()) ask();
}

void TimeSource::ask() {
    const session::TimeQuestion::Packet question = question_.ask();
    const sockaddr_in to = address_of(server_);
    static_cast<void>(::sendto(
        socket_,
        question.data(),
        question.size(),
        0,
        reinterpret_cast<const sockaddr*>(&to),
        sizeof to
    ));
}

void TimeSource::hear() {
    std::array<std::uint8_t, 64> answer{};
    sockaddr_in from{};
    socklen_t from_bytes = sizeof from;
    const auto got = ::recvfrom(
        socket_,
        answer.data(),
        answer.size(),
        MSG_DONTWAIT,
        reinterpret_cast<sockaddr*>(&from),
        &from_bytes
    );
    if (got <= 0) return;
    const sockaddr_in wanted = address_of(server_);
    if (from.sin_addr.s_addr != wanted.sin_addr.s_addr || from.sin_port != wanted.sin_port) return;
    if (!question_.take(std::span{answer}.first(static_cast<std::size_t>(got)))) return;
    const std::int64_t unix_ms = clock_.unix_ms();
    timeval now{};
    now.tv_sec = static_cast<decltype(now.tv_sec)>(unix_ms / 1000);
    now.tv_usec = static_cast<decltype(now.tv_usec)>(unix_ms % 1000 * 1000);
    static_cast<void>(::settimeofday(&now, nullptr));
    settings_.remember_time(unix_ms / 1000);
}

}  // namespace stator::esp32
