// The device: the node on the board's network, flash and converters, as its factory page says.
//
// PSRAM is its flash, laid out as memory.h says. The boot stage has copied it here and started the
// watchdog; what ends it wrongly leads back there.
//
// UART0 tells people what happens.
#include "sense/factory/model.h"
#include "sense/factory/page.h"
#include "sense/node/node.h"
#include "sense/port/cortex_m/bench.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/connections.h"
#include "sense/port/cortex_m/display.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/cortex_m/program.h"
#include "sense/port/cortex_m/psram_flash.h"

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

struct Board {
    Board() = default;
    cortex_m::PsramFlash flash{cortex_m::psram_begin, cortex_m::flash_bytes};
    cortex_m::PsramFlash backlog{
        cortex_m::psram_begin + cortex_m::backlog_at, cortex_m::backlog_bytes
    };
    cortex_m::Program program;
    factory::Page page;
    cortex_m::Bench bench;
    cortex_m::Watchdog watchdog;
    cortex_m::Log log;
    std::array<std::uint8_t, 2048> packet{};  // of the broker's, the largest
    cortex_m::Connections site;
    std::array<node::WaitingReading, readings_max> readings{};
    std::array<node::WaitingDeviceEvent, events_max> events{};
    std::array<std::array<std::byte, cortex_m::arena_bytes>, 2> arenas{};
    std::array<char, envelope_bytes> envelope{};
    std::array<std::uint16_t, signal::waveform_samples> counts{};
    std::array<std::uint16_t, signal::waveform_samples> frame{};
    std::optional<node::Node> node;
};

Board board;

void start_node(std::string_view cause) {
    const hal::Hal hal{
        board.bench,
        board.bench,
        board.flash,
        *board.site.link,
        *board.site.fetch,
        *board.site.clock,
        board.site.entropy,
        board.watchdog,
        board.log,
        board.site.signature,
        &board.program,
        &board.backlog,
        factory::read_model(
            {reinterpret_cast<const std::byte*>(model_at), cortex_m::factory_model_bytes}
        ),
    };
    node::Config config;
    if (const auto version = board.program.version(); !version.empty()) config.firmware = version;
    config.started_by = cause;
    config.topics = factory::read_topics(board.page);
    config.interval_ms = board.page.facts.interval_ms;
    config.waveform_interval_s = board.page.facts.waveform_interval_s;
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
            .frame = board.frame,
        }
    );
}

class NodeDisplay {
  public:
    void show() {
        const node::Status status = board.node->status();
        const bool costs = display_.show(status.release, status.model, status.firmware);
        if (status.alarm != alarm_) {
            alarm_ = status.alarm;
            cortex_m::say(alarm_ ? "alarm" : "alarm over");
        }
        if (status.actor != actor_) {
            actor_ = status.actor;
            print("valve ");
            cortex_m::print_number(static_cast<std::uint64_t>(actor_));
            print("\n");
        }
        if (!costs) return;
        cortex_m::say_cost("readings", status.readings);
        cortex_m::say_cost("skipped", status.readings_skipped);
        cortex_m::say_cost("waiting", status.waiting);
        cortex_m::say_cost("in_flash", status.in_flash);
        cortex_m::say_cost("shed", status.shed);
        cortex_m::say_cost("waveforms_shed", status.waveforms_shed);
    }

  private:
    cortex_m::Display display_{board.site};
    bool alarm_ = false;
    node::ActorState actor_ = node::ActorState::idle;
};

}  // namespace

extern "C" void stator_dead() {
    cortex_m::restart();
}

int main() {
    cortex_m::board_start();
    const std::string_view cause = cortex_m::take_note();
    print("firmware ");
    cortex_m::say(board.program.version());
    print("started by ");
    cortex_m::say(cause);
    const auto page =
        factory::read_page({reinterpret_cast<const std::byte*>(page_at), factory::page_bytes_max});
    if (!page) {
        cortex_m::say("no factory page: `stator device flash` writes one");
        return 1;
    }
    board.page = *page;
    if (const auto why = board.site.start(board.page, board.packet); !why.empty()) {
        cortex_m::say(why);
        if (board.program.on_trial()) board.program.restart();  // the one before could
        return 1;
    }
    board.bench.start();
    start_node(cause);
    NodeDisplay display;
    for (;;) {
        board.site.network->step();
        const bool busy = board.node->step();
        board.site.fetch->tend();
        display.show();
        if (!busy) cortex_m::rest();
    }
}
