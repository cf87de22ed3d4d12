// Level 2 on the board: sense/edge on the board's network and flash, as its factory page says.
//
// It starts as node_main.cpp does and has the same flash; where a node keeps what waits for the
// site, it keeps which devices are in alarm. It has no converters and no outputs.
#include "sense/edge/edge.h"
#include "sense/edge/no_machine.h"
#include "sense/factory/page.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/connections.h"
#include "sense/port/cortex_m/display.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/cortex_m/program.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "shared/wire/messages.h"

#include <array>
#include <optional>

namespace {

using namespace stator;
using cortex_m::print;

constexpr std::uintptr_t page_at = cortex_m::psram_begin + cortex_m::factory_page_at;
constexpr std::size_t alerts_max = 64;  // that wait for the site
constexpr std::size_t events_max = 8;
constexpr std::size_t envelope_bytes = 16U << 10U;  // the largest manifest
constexpr std::uint32_t kept_s = 24 * 3600;  // readings wait so long for a board that is away

struct Board {
    Board() = default;
    cortex_m::PsramFlash flash{cortex_m::psram_begin, cortex_m::flash_bytes};
    cortex_m::PsramFlash alarms{
        cortex_m::psram_begin + cortex_m::backlog_at, cortex_m::backlog_bytes
    };
    cortex_m::Program program{cortex_m::level2_board_name};
    factory::Page page;
    factory::AssignedDevices devices;
    edge::NoMachine machine;
    cortex_m::Watchdog watchdog;
    cortex_m::Log log;
    std::array<std::uint8_t, wire::message_bytes_max + 256> packet{};  // a device's largest
    cortex_m::Connections site;
    std::array<edge::Watched, factory::assigned_max> watched{};
    std::array<node::WaitingReading, alerts_max> alerts{};
    std::array<node::WaitingDeviceEvent, events_max> events{};
    std::array<std::array<std::byte, cortex_m::arena_bytes>, 2> arenas{};
    std::array<char, envelope_bytes> envelope{};
    std::optional<edge::Edge> edge;
};

Board board;

void start_edge(std::string_view cause) {
    const hal::Hal hal{
        board.machine,
        board.machine,
        board.flash,
        *board.site.link,
        *board.site.fetch,
        *board.site.clock,
        board.site.entropy,
        board.watchdog,
        board.log,
        board.site.signature,
        &board.program,
        &board.alarms,
    };
    node::Config config = edge::level2_config();
    if (const auto version = board.program.version(); !version.empty()) config.firmware = version;
    config.topics = factory::read_topics(board.page);
    config.started_by = cause;
    config.chunk_bytes = session::HttpSession::chunk_bytes_max;
    board.edge.emplace(
        hal,
        board.page.facts.asset,
        board.devices.span(),
        config,
        edge::Memory{
            .watched = board.watched,
            .alerts = board.alerts,
            .events = board.events,
            .arenas = {board.arenas[0], board.arenas[1]},
            .envelope = board.envelope,
        }
    );
}

void show_alarms(std::uint32_t& before, std::uint32_t now) {
    for (std::size_t i = 0; i < board.devices.size(); ++i) {
        if (((before ^ now) >> i & 1U) == 0) continue;
        print((now >> i & 1U) != 0 ? "alarm " : "alarm over ");
        cortex_m::say(board.devices[i].device.view());
    }
    before = now;
}

void say_costs(const edge::Status& status) {
    cortex_m::say_cost("judged", status.judged);
    cortex_m::say_cost("known", status.known);
    cortex_m::say_cost("incomplete", status.incomplete);
    cortex_m::say_cost("unjudged", status.unjudged);
    cortex_m::say_cost("strange", status.strange);
    cortex_m::say_cost("alerts", status.alerts);
    cortex_m::say_cost("waiting", status.waiting);
    cortex_m::say_cost("shed", status.shed);
}

// Why it cannot start; empty when it can.
std::string_view read_page() {
    const auto page =
        factory::read_page({reinterpret_cast<const std::byte*>(page_at), factory::page_bytes_max});
    if (!page) return "no factory page: `stator device flash` writes one";
    board.page = *page;
    const auto devices = factory::read_assigned(board.page);
    if (!devices) return "the factory page assigns no devices: `stator device flash --level2`";
    board.devices = *devices;
    return {};
}

}  // namespace

extern "C" void stator_dead() {
    cortex_m::restart();
}

int main() {
    cortex_m::board_start();
    const std::string_view cause = cortex_m::take_note();
    print("level 2, firmware ");
    cortex_m::say(board.program.version());
    print("started by ");
    cortex_m::say(cause);
    if (const auto why = read_page(); !why.empty()) {
        cortex_m::say(why);
        return 1;
    }
    if (const auto why = board.site.start(board.page, board.packet, kept_s); !why.empty()) {
        cortex_m::say(why);
        if (board.program.on_trial()) board.program.restart();  // the one before could
        return 1;
    }
    start_edge(cause);
    cortex_m::Display display{board.site};
    std::uint32_t alarmed = 0;
    for (;;) {
        board.site.network->step();
        const bool busy = board.edge->step();
        board.site.fetch->tend();
        const edge::Status status = board.edge->status();
        show_alarms(alarmed, status.alarmed);
        if (display.show(status.release, status.model, status.firmware)) say_costs(status);
        if (!busy) cortex_m::rest();
    }
}
