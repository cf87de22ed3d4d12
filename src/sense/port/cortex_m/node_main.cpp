// The device: the node on the board's network, flash and converters, as its factory page says.
//
// PSRAM is its flash, laid out as memory.h says. The boot stage has copied it here and started the
// watchdog; what ends it wrongly leads back there.
//
// The site's services are all at one address, under one name. UART0 tells people what happens.
#include "sense/factory/model.h"
#include "sense/factory/page.h"
#include "sense/node/node.h"
#include "sense/port/cortex_m/bench.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/cortex_m/network.h"
#include "sense/port/cortex_m/program.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "sense/port/cortex_m/signature.h"
#include "sense/port/cortex_m/tls_socket.h"
#include "sense/port/cortex_m/watchdog.h"
#include "sense/session/http_session.h"
#include "sense/session/mqtt_session.h"

#include <algorithm>
#include <array>
#include <optional>

namespace {

using namespace stator;
using cortex_m::print;

constexpr std::uintptr_t page_at = cortex_m::psram_begin + cortex_m::factory_page_at;
constexpr std::uintptr_t model_at = cortex_m::psram_begin + cortex_m::factory_model_at;
static_assert(cortex_m::factory_page_at + factory::page_bytes_max <= cortex_m::factory_model_at);
constexpr std::size_t readings_max = 96;  // that wait for the site
constexpr std::size_t events_max = 12;
constexpr std::size_t envelope_bytes = 16U << 10U;  // the largest manifest

class Watchdog final : public hal::Watchdog {
  public:
    void feed() override { cortex_m::feed_watchdog(); }
};

class Log final : public hal::Log {
  public:
    void info(std::string_view text) override { say(text); }

    void warn(std::string_view text) override { say(text); }

    static void say(std::string_view text) {
        print(text);
        print("\n");
    }
};

std::span<const std::uint8_t> with_zero(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size() + 1};
}

struct Board {
    Board() = default;
    cortex_m::PsramFlash flash{cortex_m::psram_begin, cortex_m::flash_bytes};
    cortex_m::PsramFlash backlog{
        cortex_m::psram_begin + cortex_m::backlog_at, cortex_m::backlog_bytes
    };
    cortex_m::Program program;
    factory::Page page;
    std::array<char, factory::host_bytes_max + 1> host{};
    cortex_m::Bench bench;
    cortex_m::Entropy entropy;
    Watchdog watchdog;
    Log log;
    std::optional<cortex_m::Clock> clock;
    std::optional<cortex_m::Network> network;
    std::optional<cortex_m::Tls> tls;
    std::optional<cortex_m::TlsSocket> link_socket;
    std::optional<cortex_m::TlsSocket> fetch_socket;
    std::optional<session::MqttSession> link;
    std::optional<session::HttpSession> fetch;
    cortex_m::Signature signature;
    std::array<node::WaitingReading, readings_max> readings{};
    std::array<node::WaitingDeviceEvent, events_max> events{};
    std::array<std::array<std::byte, cortex_m::arena_bytes>, 2> arenas{};
    std::array<char, envelope_bytes> envelope{};
    std::array<std::uint16_t, signal::waveform_samples> counts{};
    std::optional<node::Node> node;
};

Board board;

// Why the device cannot start; empty when it can.
std::string_view start_network() {
    const factory::Facts& facts = board.page.facts;
    board.clock.emplace(facts.unix_s_min);
    board.network.emplace(*board.clock, board.entropy);
    board.tls.emplace(*board.clock);
    if (!board.network->start()) return "no Ethernet";
    const auto& at = facts.address;
    ip_addr_t address;
    IP4_ADDR(&address, at[0], at[1], at[2], at[3]);
    std::ranges::copy(facts.host.view(), board.host.begin());
    board.network->ask_time(address, facts.time_port);
    const cortex_m::Identity identity{
        .ca_pem = with_zero(board.page.ca_pem),
        .certificate_pem = with_zero(board.page.certificate_pem),
        .key_pem = with_zero(board.page.key_pem),
    };
    if (const auto why = board.tls->start(identity); !why.empty()) return why;
    if (!board.signature.start(board.page.model_public_pem))
        return "the key that signs models cannot be read";
    const auto server = [&](std::uint16_t port) {
        return session::Server{.address = at, .port = port, .host = board.host.data()};
    };
    board.fetch_socket.emplace(*board.tls);
    board.fetch.emplace(
        *board.fetch_socket, *board.clock, server(facts.devices_port), server(facts.models_port)
    );
    board.link_socket.emplace(*board.tls);
    board.link.emplace(
        *board.link_socket,
        *board.clock,
        board.entropy,
        server(facts.mqtt_port),
        facts.asset.device.view()
    );
    return {};
}

void start_node(std::string_view cause) {
    const hal::Hal hal{
        board.bench,
        board.bench,
        board.flash,
        *board.link,
        *board.fetch,
        *board.clock,
        board.entropy,
        board.watchdog,
        board.log,
        board.signature,
        &board.program,
        &board.backlog,
        factory::read_model(
            {reinterpret_cast<const std::byte*>(model_at), cortex_m::factory_model_bytes}
        ),
    };
    node::Config config;
    if (const auto version = board.program.version(); !version.empty()) config.firmware = version;
    config.started_by = cause;
    config.interval_ms = board.page.facts.interval_ms;
    config.chunk_bytes = session::HttpSession::chunk_bytes_max;
    board.node.emplace(
        hal,
        board.page.facts.asset,
        config,
        node::Memory{
            .readings = board.readings,
            .events = board.events,
            .arenas = {board.arenas[0], board.arenas[1]},
            .envelope = board.envelope,
            .counts = board.counts,
        }
    );
}

void say_cost(std::string_view what, std::uint64_t value) {
    print("cost ");
    print(what);
    print(" = ");
    cortex_m::print_number(value);
    print("\n");
}

// For people and tests: what became of an update of the firmware.
void show_firmware(node::FirmwareUpdate& before, node::FirmwareUpdate now) {
    if (now == before) return;
    if (before == node::FirmwareUpdate::trial) Log::say("firmware confirmed");
    if (now == node::FirmwareUpdate::trial) Log::say("firmware on trial");
    before = now;
}

class Display {  // what changed, for people and tests
  public:
    void show() {
        const node::Status status = board.node->status();
        say(link_, board.link->reason(), "link: ");
        say(fetch_, board.fetch->reason(), "fetch: ");
        if (status.release != release_) {
            release_ = status.release;
            print("runs ");
            Log::say(status.model);
        }
        show_firmware(firmware_, status.firmware);
        if (status.alarm != alarm_) {
            alarm_ = status.alarm;
            Log::say(alarm_ ? "alarm" : "alarm over");
        }
        if (status.actor != actor_) {
            actor_ = status.actor;
            print("valve ");
            cortex_m::print_number(static_cast<std::uint64_t>(actor_));
            print("\n");
        }
        constexpr std::int64_t costs_us = 5'000'000;
        if (cortex_m::monotonic_us() < next_us_) return;
        next_us_ = cortex_m::monotonic_us() + costs_us;
        say_cost("tls_pool", cortex_m::Tls::pool_bytes_most());
        say_cost("tls_pool_now", cortex_m::Tls::pool_bytes_now());
        say_cost("stack", cortex_m::stack_bytes_used());
        say_cost("readings", status.readings);
        say_cost("skipped", status.readings_skipped);
        say_cost("waiting", status.waiting);
        say_cost("in_flash", status.in_flash);
        say_cost("shed", status.shed);
    }

  private:
    static void say(std::string_view& before, std::string_view now, std::string_view what) {
        if (now == before) return;
        before = now;
        if (now.empty()) return;
        print(what);
        Log::say(now);
    }

    std::string_view link_;
    std::string_view fetch_;
    std::uint32_t release_ = 0;
    bool alarm_ = false;
    node::FirmwareUpdate firmware_ = node::FirmwareUpdate::idle;
    node::ActorState actor_ = node::ActorState::idle;
    std::int64_t next_us_ = 0;
};

}  // namespace

extern "C" void stator_dead() {
    cortex_m::restart();
}

int main() {
    cortex_m::board_start();
    const std::string_view cause = cortex_m::take_note();
    print("firmware ");
    Log::say(board.program.version());
    print("started by ");
    Log::say(cause);
    const auto page =
        factory::read_page({reinterpret_cast<const std::byte*>(page_at), factory::page_bytes_max});
    if (!page) {
        Log::say("no factory page: `stator device flash` writes one");
        return 1;
    }
    board.page = *page;
    if (const auto why = start_network(); !why.empty()) {
        Log::say(why);
        if (board.program.on_trial()) board.program.restart();  // the one before could
        return 1;
    }
    board.bench.start();
    start_node(cause);
    Display display;
    for (;;) {
        board.network->step();
        static_cast<void>(board.node->step());
        board.fetch->tend();
        display.show();
    }
}
