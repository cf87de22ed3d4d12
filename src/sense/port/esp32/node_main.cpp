// The device: the node on an ESP32's radio, flash, converters and pins, as its factory page says.
//
// One task turns the super-loop. What cannot start says why on the console, every ten seconds; on
// trial it starts again instead, so that the firmware before runs.
#include "sense/factory/model.h"
#include "sense/factory/page.h"
#include "sense/node/node.h"
#include "sense/port/esp32/chip.h"
#include "sense/port/esp32/conformance.h"
#include "sense/port/esp32/converters.h"
#include "sense/port/esp32/memory.h"
#include "sense/port/esp32/outputs.h"
#include "sense/port/esp32/partition_flash.h"
#include "sense/port/esp32/program.h"
#include "sense/port/esp32/settings.h"
#include "sense/port/esp32/signature.h"
#include "sense/port/esp32/time_source.h"
#include "sense/port/esp32/tls_socket.h"
#include "sense/port/esp32/wifi.h"
#include "sense/session/http_session.h"
#include "sense/session/mqtt_session.h"

#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include <esp_system.h>
#include <sdkconfig.h>

#include <algorithm>
#include <array>
#include <optional>

namespace {

using namespace stator;

constexpr std::size_t readings_max = 96;  // that wait for the site
constexpr std::size_t events_max = 12;
constexpr std::size_t envelope_bytes = 16U << 10U;  // the largest manifest
constexpr std::uint32_t stack_bytes = 48U << 10U;   // checking a model takes 29 KB on a Cortex-M4
constexpr unsigned priority = 5;
constexpr int core = 1;  // the radio's tasks have the other
constexpr std::uint32_t complain_ms = 10'000;

struct Board {
    esp32::Log log;
    esp32::Entropy entropy;
    esp32::Watchdog watchdog;
    esp32::Settings settings;
    esp32::PartitionFlash page_flash;
    esp32::PartitionFlash model_flash;
    esp32::PartitionFlash flash;
    esp32::Program program;
    esp32::Outputs outputs;
    esp32::Converters converters;
    esp32::Signature signature;
    factory::Page page;
    std::array<char, factory::host_bytes_max + 1> host{};
    std::optional<esp32::Clock> clock;
    std::optional<esp32::Wifi> wifi;
    std::optional<esp32::TimeSource> time_source;
    std::optional<esp32::TlsSocket> link_socket;
    std::optional<esp32::TlsSocket> fetch_socket;
    std::array<std::uint8_t, 2048> packet{};  // of the broker's, the largest
    std::optional<session::MqttSession> link;
    std::optional<session::HttpSession> fetch;
    std::array<node::WaitingReading, readings_max> readings{};
    std::array<node::WaitingDeviceEvent, events_max> events{};
    std::array<std::array<std::byte, esp32::arena_bytes>, 2> arenas{};
    std::array<char, envelope_bytes> envelope{};
    std::array<std::uint16_t, signal::waveform_samples> counts{};
    std::array<std::uint16_t, signal::waveform_samples> frame{};
    std::optional<node::Node> node;
};

Board board;

std::span<const std::uint8_t> with_zero(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size() + 1};
}

// Why the device cannot start; empty when it can.
std::string_view read_page() {
    if (!board.page_flash.open_data("page") || !board.model_flash.open_data("model") ||
        !board.flash.open_data("node"))
        return "the partition table is not partitions.csv";
    const std::size_t bytes = std::min(board.page_flash.size_bytes(), factory::page_bytes_max);
    const auto page = factory::read_page(board.page_flash.mapped(0, bytes));
    if (!page) return "no factory page: see the port's README";
    board.page = *page;
    if (board.page.facts.asset.device != esp32::chip_id().view())
        return "the factory page is another chip's";
    return {};
}

std::string_view start_network() {
    const factory::Facts& facts = board.page.facts;
    board.clock.emplace(std::max(facts.unix_s_min, board.settings.unix_s_min()));
    board.wifi.emplace(*board.clock, board.entropy);
    base::FixedString<32> ssid;
    base::FixedString<63> password;
    if (!board.settings.wifi(ssid, password)) return "no Wi-Fi in NVS: see the port's README";
    if (const auto why = board.wifi->start(ssid.view(), password.view()); !why.empty()) return why;
    std::ranges::copy(facts.host.view(), board.host.begin());
    const auto server = [&](std::uint16_t port) {
        return session::Server{.address = facts.address, .port = port, .host = board.host.data()};
    };
    board.time_source.emplace(*board.clock, board.entropy, board.settings, server(facts.time_port));
    if (!board.time_source->start()) return "no socket for the time";
    const esp32::Identity identity{
        .ca_pem = with_zero(board.page.ca_pem),
        .certificate_pem = with_zero(board.page.certificate_pem),
        .key_pem = with_zero(board.page.key_pem),
    };
    board.fetch_socket.emplace(*board.clock, identity);
    board.fetch.emplace(
        *board.fetch_socket, *board.clock, server(facts.devices_port), server(facts.models_port)
    );
    board.link_socket.emplace(*board.clock, identity);
    board.link.emplace(
        *board.link_socket,
        *board.clock,
        board.entropy,
        server(facts.mqtt_port),
        facts.asset.device.view(),
        board.packet
    );
    return {};
}

std::string_view start() {
    if (const auto why = board.outputs.start(); !why.empty()) return why;
    if (!board.settings.open()) return "NVS cannot be used";
    if (const auto why = board.program.start(); !why.empty()) return why;
    if (const auto why = read_page(); !why.empty()) return why;
    if (!board.signature.start(board.page.model_public_pem))
        return "the key that signs models cannot be read";
    if (const auto why = start_network(); !why.empty()) return why;
    return board.converters.start(board.page.facts.asset);
}

void make_node() {
    const hal::Hal hal{
        board.converters,
        board.outputs,
        board.flash,
        *board.link,
        *board.fetch,
        *board.clock,
        board.entropy,
        board.watchdog,
        board.log,
        board.signature,
        &board.program,
        nullptr,
        factory::read_model(board.model_flash.mapped(0, board.model_flash.size_bytes())),
    };
    node::Config config;
    if (const auto version = board.program.version(); !version.empty()) config.firmware = version;
    config.started_by = esp32::start_cause();
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

[[noreturn]] void complain(std::string_view why) {
    for (;;) {
        board.log.warn(why);
        vTaskDelay(pdMS_TO_TICKS(complain_ms));
        if (board.program.ready() && board.program.on_trial()) esp_restart();
    }
}

[[noreturn]] void run() {
    bool trial = board.program.on_trial();
    for (;;) {
        board.wifi->step();
        if (board.wifi->has_address()) board.time_source->step();
        board.converters.tend();
        const bool busy = board.node->step();
        board.fetch->tend();
        if (trial && !board.program.on_trial()) {  // the node has confirmed it
            board.program.confirmed();
            trial = false;
        }
        if (!busy) vTaskDelay(1);
    }
}

[[noreturn]] void node_task(void*) {
#if defined(CONFIG_STATOR_CONFORMANCE)
    const auto broken = esp32::check_chip();
    complain(broken.empty() ? "the chip conforms" : broken);
#endif
    if (const auto why = start(); !why.empty()) complain(why);
    make_node();
    if (!board.watchdog.start()) complain("the task watchdog does not start");
    run();
}

}  // namespace

extern "C" void app_main() {
    const BaseType_t made =
        xTaskCreatePinnedToCore(node_task, "node", stack_bytes, nullptr, priority, nullptr, core);
    if (made != pdPASS) board.log.warn("no memory for the node's task");
}
