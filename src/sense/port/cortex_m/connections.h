// Connections is the board's way to its site: network, time, and both sessions, as its factory page
// says. The site's services are all at one address, under one name.
#pragma once

#include "sense/factory/page.h"
#include "sense/port/cortex_m/network.h"
#include "sense/port/cortex_m/signature.h"
#include "sense/port/cortex_m/tls_socket.h"
#include "sense/session/http_session.h"
#include "sense/session/mqtt_session.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::cortex_m {

struct Connections {
    // Why it cannot; empty when it can. `page`, and `packet` for the broker's largest, outlive it;
    // `kept_s`: how long the broker keeps what comes while we are away.
    [[nodiscard]] std::string_view start(
        const factory::Page& page, std::span<std::uint8_t> packet, std::uint32_t kept_s = 0
    );

    std::array<char, factory::host_bytes_max + 1> host{};
    Entropy entropy;
    std::optional<Clock> clock;
    std::optional<Network> network;
    std::optional<Tls> tls;
    std::optional<TlsSocket> link_socket;
    std::optional<TlsSocket> fetch_socket;
    std::optional<session::MqttSession> link;
    std::optional<session::HttpSession> fetch;
    Signature signature;
};

}  // namespace stator::cortex_m
