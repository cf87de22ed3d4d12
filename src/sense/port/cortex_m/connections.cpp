#include "sense/port/cortex_m/connections.h"

#include <algorithm>

namespace stator::cortex_m {
namespace {

std::span<const std::uint8_t> with_zero(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size() + 1};
}

}  // namespace

std::string_view Connections::start(
    const factory::Page& page, std::span<std::uint8_t> packet, std::uint32_t kept_s
) {
    const factory::Facts& facts = page.facts;
    clock.emplace(facts.unix_s_min);
    network.emplace(*clock, entropy);
    tls.emplace(*clock);
    if (!network->start()) return "no Ethernet";
    const auto& at = facts.address;
    ip_addr_t address;
    IP4_ADDR(&address, at[0], at[1], at[2], at[3]);
    std::ranges::copy(facts.host.view(), host.begin());
    network->ask_time(address, facts.time_port);
    const Identity identity{
        .ca_pem = with_zero(page.ca_pem),
        .certificate_pem = with_zero(page.certificate_pem),
        .key_pem = with_zero(page.key_pem),
    };
    if (const auto why = tls->start(identity); !why.empty()) return why;
    if (!signature.start(page.model_public_pem)) return "the key that signs models cannot be read";
    const auto server = [&](std::uint16_t port) {
        return session::Server{.address = at, .port = port, .host = host.data()};
    };
    fetch_socket.emplace(*tls);
    fetch.emplace(*fetch_socket, *clock, server(facts.devices_port), server(facts.models_port));
    link_socket.emplace(*tls);
    link.emplace(
        *link_socket,
        *clock,
        entropy,
        server(facts.mqtt_port),
        facts.asset.device.view(),
        packet,
        kept_s
    );
    return {};
}

}  // namespace stator::cortex_m
