#include "sense/port/cortex_m/network.h"

#include "sense/port/cortex_m/board.h"

#include <algorithm>
#include <bit>
#include <span>
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

std::uint32_t last_ticks = 0;
std::int64_t passed_ticks = 0;

}  // namespace

std::int64_t monotonic_us() {
    const std::uint32_t now = timer_ticks();
    passed_ticks += now - last_ticks;
    last_ticks = now;
    return passed_ticks / (timer_hz / 1'000'000);
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
    if (time_pcb_ != nullptr && has_address() && time_.due()) request_time();
}

void Network::ask_time(const ip_addr_t& server, std::uint16_t port) {
    time_server_ = server;
    time_port_ = port;
    time_pcb_ = udp_new();
    if (time_pcb_ != nullptr) udp_recv(time_pcb_, take_time, this);
}

void Network::request_time() {
    const session::TimeQuestion::Packet question = time_.ask();
    pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, question.size(), PBUF_RAM);
    if (packet == nullptr) return;
    pbuf_take(packet, question.data(), question.size());
    static_cast<void>(udp_sendto(time_pcb_, packet, &time_server_, time_port_));
    pbuf_free(packet);
}

void Network::take_time(
    void* self, udp_pcb*, pbuf* packet, const ip_addr_t* from, std::uint16_t port
) {
    auto& network = *static_cast<Network*>(self);
    session::TimeQuestion::Packet answer{};
    const std::size_t bytes = pbuf_copy_partial(packet, answer.data(), answer.size(), 0);
    pbuf_free(packet);
    if (ip_addr_cmp(from, &network.time_server_) && port == network.time_port_)
        static_cast<void>(network.time_.take(std::span{answer}.first(bytes)));
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

void stator_lwip_failed(int line) {
    stator::cortex_m::print("\n!! lwIP, line ");
    stator::cortex_m::print_number(static_cast<std::uint64_t>(line));
    stator::cortex_m::end_emulation(false);
}
}
