// The Network is lwIP over the Ethernet chip: an address from DHCP, and the time from SNTP.
#pragma once

#include "sense/port/cortex_m/chance.h"
#include "sense/port/cortex_m/lan9118.h"
#include "sense/session/clock.h"

#include <lwip/ip_addr.h>
#include <lwip/netif.h>

#include <array>
#include <cstdint>

struct udp_pcb;
struct pbuf;

namespace stator::cortex_m {

[[nodiscard]] std::int64_t monotonic_us();  // to be asked at least every 171 s

class Clock final : public session::Clock {
  public:
    using session::Clock::Clock;

    [[nodiscard]] std::int64_t monotonic_us() override { return cortex_m::monotonic_us(); }
};

class Network {
  public:
    Network(Clock& clock, Entropy& entropy) : time_{clock, entropy} {}

    [[nodiscard]] bool start();  // false: no Ethernet
    void ask_time(const ip_addr_t& server, std::uint16_t port);
    void step();
    [[nodiscard]] bool has_address() const;

    [[nodiscard]] unsigned times_refused() const { return time_.refused(); }

  private:
    static err_t begin_interface(netif* interface);
    static err_t send(netif* interface, pbuf* frame);
    static void take_time(
        void* self, udp_pcb* pcb, pbuf* packet, const ip_addr_t* from, std::uint16_t port
    );
    void request_time();

    session::TimeQuestion time_;
    Lan9118 chip_;
    netif interface_{};
    std::array<std::uint32_t, 400> frame_{};
    udp_pcb* time_pcb_ = nullptr;
    ip_addr_t time_server_{};
    std::uint16_t time_port_ = 0;
};

}  // namespace stator::cortex_m
