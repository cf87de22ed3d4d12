#include "sense/port/host/factory_image.h"

#include "sense/port/cortex_m/memory.h"
#include "sense/port/host/factory_model.h"

#include <algorithm>
#include <span>
#include <vector>

namespace stator::host {
namespace {

constexpr std::size_t pem_bytes_max = 8U << 10U;
static_assert(factory_model_bytes_max <= cortex_m::factory_model_bytes);
constexpr std::int64_t clocks_differ_s_max = 60;

// The log erased, the file in slot 0.
std::vector<std::byte> firmware_area(const std::string& firmware) {
    std::vector<std::byte> area(cortex_m::firmware_bytes, std::byte{0xFF});
    std::ranges::copy(std::as_bytes(std::span{firmware}), &area[2 * cortex_m::sector_bytes]);
    return area;
}

// What of the asset a board's firmware does not do; empty when it does all.
std::string beyond_a_board(const asset::Asset& asset) {
    if (asset.arithmetic != asset::Arithmetic::floating) return "arithmetic = \"q15\"";
    for (const asset::Feature& feature : asset.features)
        if (asset::needs_long_window(feature.statistic))
            return std::string{asset::name_of(feature.statistic)};
    return {};
}

}  // namespace

Outcome<void> write_factory_image(
    doors::Doors& doors,
    const Provisioning& provisioning,
    const Credential& credential,
    const FactoryFacts& facts,
    const std::string& file
) {
    if (const std::string what = beyond_a_board(facts.asset); !what.empty())
        return fail(
            base::Fault::bad_input,
            "asset " + std::string{facts.asset.id.view()} + ": " + what +
                " is made on the host port alone, not on this board"
        );
    const auto ca = doors.disk.read_all(credential.ca_file, pem_bytes_max);
    if (!ca) return std::unexpected{ca.error()};
    const auto certificate = doors.disk.read_all(credential.certificate_file, pem_bytes_max);
    if (!certificate) return std::unexpected{certificate.error()};
    const auto key = doors.disk.read_all(credential.key_file, pem_bytes_max);
    if (!key) return std::unexpected{key.error()};

    factory::Page page;
    page.facts.asset = facts.asset;
    if (!page.facts.host.assign(facts.site_name))
        return fail(base::Fault::bad_input, facts.site_name + " is too long for a factory page");
    page.facts.address = facts.address;
    page.facts.mqtt_port = provisioning.mqtt_port;
    page.facts.devices_port = facts.devices_port;
    page.facts.models_port = facts.models_port;
    page.facts.time_port = facts.time_port;
    page.facts.unix_s_min = doors.clock.unix_ms() / 1000 - clocks_differ_s_max;
    page.facts.interval_ms = facts.interval_ms;
    page.facts.waveform_interval_s = facts.waveform_interval_s;
    page.ca_pem = *ca;
    page.certificate_pem = *certificate;
    page.key_pem = *key;
    page.model_public_pem = provisioning.model_public_pem;
    std::vector<std::byte> bytes(factory::page_bytes_max, std::byte{0xFF});
    if (!factory::write_page(page, bytes, facts.assigned, facts.topics))
        return fail(base::Fault::full, "device " + provisioning.device + " fills no factory page");

    auto image = doors.disk.open(file, disk::Mode::create);
    if (!image) return std::unexpected{image.error()};
    const auto size = (*image)->size();
    if (!size) return std::unexpected{size.error()};
    if (*size < cortex_m::psram_bytes) {
        const std::vector<std::byte> blank(cortex_m::psram_bytes - *size, std::byte{0xFF});
        if (auto done = (*image)->write_at(*size, blank); !done) return done;
    }
    if (!facts.firmware.empty()) {
        if (facts.firmware.size() > firmware_bytes_max)
            return fail(base::Fault::full, "the firmware is larger than the board's slot");
        const auto area = firmware_area(facts.firmware);
        if (auto done = (*image)->write_at(cortex_m::firmware_at, area); !done) return done;
    }
    if (!facts.model.empty()) {
        std::string area = facts.model;
        area.resize(cortex_m::factory_model_bytes, '\xFF');
        auto done = (*image)->write_at(
            cortex_m::factory_model_at, std::as_bytes(std::span<const char>{area})
        );
        if (!done) return done;
    }
    if (auto done = (*image)->write_at(cortex_m::factory_page_at, bytes); !done) return done;
    return (*image)->sync();
}

}  // namespace stator::host
