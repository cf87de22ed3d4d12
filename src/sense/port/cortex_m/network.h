// The Network is lwIP over the Ethernet chip: an address from DHCP, and the time from SNTP.
//
// The time is refused below a lower bound (of the provisioning, or of what was known before): who
// can forge the unauthenticated answer must not revive a certificate that has expired.
#pragma once

#include "sense/port/cortex_m/lan9118.h"

#include <lwip/ip_addr.h>
#include <lwip/netif.h>

#include <array>
#include <cstdint>

struct udp_pcb;
struct pbuf;

namespace stator::cortex_m {

[[nodiscard]] std::int64_t monotonic_us();  // to be asked at least every 171 s
[[nodiscard]] bool random_bytes(
    std::uint8_t* bytes, std::size_t count
);  // the host's, by semihosting

class Clock {
  public:
    // Below `unix_s_min` nothing is believed.
    explicit Clock(std::int64_t unix_s_min) : unix_s_min_{unix_s_min} {}

    [[nodiscard]] bool synced() const { return synced_; }

    [[nodiscard]] std::int64_t unix_ms() const {
        return synced_ ? offset_ms_ + monotonic_us() / 1000 : 0;
    }

    [[nodiscard]] bool set(std::int64_t unix_ms);  // false: refused

  private:
    std::int64_t unix_s_min_;
    std::int64_t offset_ms_ = 0;
    bool synced_ = false;
};

class Network {
  public:
    explicit Network(Clock& clock) : clock_{clock} {}

    [[nodiscard]] bool start();  // false: no Ethernet
    void ask_time(const ip_addr_t& server, std::uint16_t port);
    void step();
    [[nodiscard]] bool has_address() const;

    [[nodiscard]] unsigned times_refused() const { return times_refused_; }

  private:
    static err_t begin_interface(netif* interface);
    static err_t send(netif* interface, pbuf* frame);
    static void take_time(
        void* self, udp_pcb* pcb, pbuf* packet, const ip_addr_t* from, std::uint16_t port
    );
    void request_time();

    Clock& clock_;
    Lan9118 chip_;
    netif interface_{};
    std::array<std::uint32_t, 400> frame_{};
    udp_pcb* time_pcb_ = nullptr;
    ip_addr_t time_server_{};
    std::uint16_t time_port_ = 0;
    std::int64_t time_next_us_ = 0;
    std::array<std::uint8_t, 8> cookie_{};  // what an answer must repeat
    unsigned times_refused_ = 0;
};

}  // namespace stator::cortex_m
