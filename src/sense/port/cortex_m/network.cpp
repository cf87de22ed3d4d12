#include "sense/port/cortex_m/network.h"

#include "sense/port/cortex_m/board.h"

#include <algorithm>
#include <cstring>
#include <string_view>

extern "C" {
#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/pbuf.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
}

namespace stator::cortex_m {
namespace {

constexpr std::size_t sntp_bytes = 48;
constexpr std::int64_t unix_after_1900_s = 2'208'988'800;
constexpr std::int64_t retry_us = 1'000'000;
constexpr std::int64_t again_us = 3'600'000'000;

std::uint32_t last_ticks = 0;
std::int64_t passed_ticks = 0;

}  // namespace

std::int64_t monotonic_us() {
    const std::uint32_t now = timer_ticks();
    passed_ticks += now - last_ticks;
    last_ticks = now;
    return passed_ticks / (timer_hz / 1'000'000);
}

bool Clock::set(std::int64_t unix_ms) {
    const std::int64_t before = synced_ ? this->unix_ms() : 0;
    constexpr std::int64_t back_ms_max = 60'000;  // a correction; more would be another time
    if (unix_ms < unix_s_min_ * 1000 || unix_ms < before - back_ms_max) return false;
    offset_ms_ = unix_ms - monotonic_us() / 1000;
    synced_ = true;
    return true;
}

bool Network::start() {
    if (!chip_.start()) return false;
    lwip_init();
    if (netif_add_noaddr(&interface_, this, begin_interface, ethernet_input) == nullptr)
        return false;
    netif_set_default(&interface_);
    netif_set_up(&interface_);
    return dhcp_start(&interface_) == ERR_OK;
}

bool Network::has_address() const {
    return dhcp_supplied_address(&interface_) != 0;
}

err_t Network::begin_interface(netif* interface) {
    const auto& self = *static_cast<Network*>(interface->state);
    std::ranges::copy(self.chip_.address(), interface->hwaddr);
    interface->hwaddr_len = 6;
    interface->mtu = 1500;
    interface->name[0] = 'e';
    interface->name[1] = 'n';
    interface->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP | NETIF_FLAG_ETHERNET;
    interface->output = etharp_output;
    interface->linkoutput = send;
    return ERR_OK;
}

err_t Network::send(netif* interface, pbuf* frame) {
    auto& self = *static_cast<Network*>(interface->state);
    if (frame->tot_len > frame_bytes_max) return ERR_BUF;
    pbuf_copy_partial(frame, self.frame_.data(), frame->tot_len, 0);
    return self.chip_.send(self.frame_, frame->tot_len) ? ERR_OK : ERR_MEM;
}

void Network::step() {
    constexpr int frames_max = 16;  // a step is bounded
    for (int i = 0; i < frames_max; ++i) {
        const auto bytes = static_cast<std::uint16_t>(chip_.receive(frame_));
        if (bytes == 0) break;
        pbuf* packet = pbuf_alloc(PBUF_RAW, bytes, PBUF_POOL);
        if (packet == nullptr) break;  // the sender will send it again
        pbuf_take(packet, frame_.data(), bytes);
        if (interface_.input(packet, &interface_) != ERR_OK) pbuf_free(packet);
    }
    sys_check_timeouts();
    if (time_pcb_ != nullptr && has_address() && monotonic_us() >= time_next_us_) request_time();
}

void Network::ask_time(const ip_addr_t& server, std::uint16_t port) {
    time_server_ = server;
    time_port_ = port;
    time_pcb_ = udp_new();
    if (time_pcb_ != nullptr) udp_recv(time_pcb_, take_time, this);
}

void Network::request_time() {
    time_next_us_ = monotonic_us() + retry_us;
    pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, sntp_bytes, PBUF_RAM);
    if (packet == nullptr || !random_bytes(cookie_.data(), cookie_.size())) return;
    std::array<std::uint8_t, sntp_bytes> request{};
    request[0] = 0x23;  // version 4, client
    std::ranges::copy(cookie_, request.begin() + 40);
    pbuf_take(packet, request.data(), sntp_bytes);
    static_cast<void>(udp_sendto(time_pcb_, packet, &time_server_, time_port_));
    pbuf_free(packet);
}

void Network::take_time(
    void* self, udp_pcb*, pbuf* packet, const ip_addr_t* from, std::uint16_t port
) {
    auto& network = *static_cast<Network*>(self);
    std::array<std::uint8_t, sntp_bytes> reply{};
    const bool whole = pbuf_copy_partial(packet, reply.data(), sntp_bytes, 0) == sntp_bytes;
    pbuf_free(packet);
    const bool ours = whole && ip_addr_cmp(from, &network.time_server_) &&
                      port == network.time_port_ &&
                      std::equal(network.cookie_.begin(), network.cookie_.end(), &reply[24]);
    const bool server = (reply[0] & 7U) == 4 && reply[1] >= 1 && reply[1] <= 15;
    if (!ours || !server) return;
    const auto word = [&](std::size_t at) {
        return std::uint32_t{reply[at]} << 24U | std::uint32_t{reply[at + 1]} << 16U |
               std::uint32_t{reply[at + 2]} << 8U | reply[at + 3];
    };
    const std::int64_t unix_s = std::int64_t{word(40)} - unix_after_1900_s;
    const std::int64_t ms = std::int64_t{word(44)} * 1000 >> 32U;
    if (network.clock_.set(unix_s * 1000 + ms))
        network.time_next_us_ = monotonic_us() + again_us;
    else
        ++network.times_refused_;
    network.cookie_.fill(0);
    static_cast<void>(random_bytes(network.cookie_.data(), network.cookie_.size()));
}

// The board has no source of chance: the host's stands in for the chip's generator.
bool random_bytes(std::uint8_t* bytes, std::size_t count) {
    constexpr std::string_view device = "/dev/urandom";
    const std::array<std::uint32_t, 3> open = {
        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(device.data())),
        1,  // binary, to read
        static_cast<std::uint32_t>(device.size())
    };
    const std::int32_t file = semihost(sys_open, open.data());
    if (file < 0) return false;
    const std::array<std::uint32_t, 3> read = {
        static_cast<std::uint32_t>(file),
        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(bytes)),
        static_cast<std::uint32_t>(count)
    };
    const std::int32_t left = semihost(sys_read, read.data());
    const std::array<std::uint32_t, 1> close = {static_cast<std::uint32_t>(file)};
    static_cast<void>(semihost(sys_close, close.data()));
    return left == 0;
}

}  // namespace stator::cortex_m

extern "C" {

u32_t sys_now() {
    return static_cast<u32_t>(stator::cortex_m::monotonic_us() / 1000);
}

unsigned stator_random() {
    unsigned number = 0;
    static_cast<void>(
        stator::cortex_m::random_bytes(reinterpret_cast<std::uint8_t*>(&number), sizeof number)
    );
    return number;
}

void stator_lwip_failed(const char* what) {
    stator::cortex_m::print("\n!! lwIP: ");
    stator::cortex_m::print(what);
    stator::cortex_m::end_emulation(false);
}
}
