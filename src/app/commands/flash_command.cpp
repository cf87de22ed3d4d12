#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/config/topics.h"
#include "app/site/prepare.h"
#include "sense/port/host/factory_image.h"
#include "sense/port/host/factory_model.h"
#include "store/identity/site.h"
#include "store/models/firmware.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace stator::commands {

namespace {

struct Flashing {
    std::string device;
    std::string file;
    std::string judged_class;  // not empty: a level-2 board, which judges this class's devices
    std::uint16_t time_port = 123;
    std::string site_name = "localhost";
    std::string firmware;  // a packed image's file
    std::string model;     // a .tflite, its manifest beside it
};

// The machine it watches; of a level-2 board what all it judges are, under the board's own name.
Outcome<asset::Asset> asset_of(
    const config::Config& config, const Flashing& order, factory::AssignedDevices& assigned
) {
    if (order.judged_class.empty()) {
        const auto asset = config::asset_of_device(config, order.device);
        if (!asset) return std::unexpected(asset.error());
        return **asset;
    }
    const asset::Asset* first = nullptr;
    for (const asset::Asset& asset : config.assets) {
        if (asset.device == order.device)
            return fail(base::Fault::exists, order.device + " is a device of stator.toml");
        if (asset.device.empty() || !(asset.device_class == order.judged_class)) continue;
        if (first == nullptr) first = &asset;
        if (asset::feature_set_hash(asset) != asset::feature_set_hash(*first))
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "{} has other features than {}: one model cannot judge both",
                    asset.device.view(),
                    first->device.view()
                )
            );
        const factory::Assigned one{
            .device = asset.device.view(),
            .severity_potential = asset.severity_potential,
            .severity_imminent = asset.severity_imminent
        };
        if (!assigned.push_back(one))
            return fail(
                base::Fault::full,
                fmt::format(
                    "a level-2 board judges at most {} devices; class '{}' has more",
                    factory::assigned_max,
                    order.judged_class
                )
            );
    }
    if (first == nullptr)
        return fail(
            base::Fault::not_found,
            fmt::format("stator.toml has no asset with class = \"{}\"", order.judged_class)
        );
    asset::Asset made = *first;
    if (!wire::valid_id(order.device) || !made.device.assign(order.device))
        return fail(
            base::Fault::bad_input,
            fmt::format(
                "\"{}\" is no id of a board: 1 to {} of A-Z a-z 0-9 . _ -",
                order.device,
                asset::name_bytes_max
            )
        );
    return made;
}

Outcome<void> register_level2(
    real::Real& real,
    const config::Config& config,
    const std::string& id,
    const factory::AssignedDevices& assigned
) {
    const auto site = identity::open(real.doors, config.state_dir);
    if (!site) return std::unexpected(site.error());
    std::vector<std::string> devices;
    for (const factory::Assigned& one : assigned)
        devices.emplace_back(one.device.view());
    return site::provision_level2(real.doors, config, *site, id, devices);
}

Outcome<std::string> firmware_of(
    real::Real& real, const Flashing& order, const std::string& public_pem
) {
    auto content = real.doors.disk.read_all(order.firmware, host::firmware_bytes_max);
    if (!content) return content;
    const auto header = models::open_firmware(real.doors, order.firmware, *content, public_pem);
    if (!header) return std::unexpected(header.error());
    const std::string_view board =
        order.judged_class.empty() ? cortex_m::board_name : cortex_m::level2_board_name;
    if (header->board.view() != board)
        return fail(
            base::Fault::bad_input,
            fmt::format(
                "{} is for the board {}; {} needs one for {} (stator firmware pack --board)",
                order.firmware,
                header->board.view(),
                order.device,
                board
            )
        );
    return content;
}

// As a factory does: the device's key is made and enrolled with the running registry, once, and the
// page that holds it is written into the flash of the board.
Outcome<void> flash(
    real::Real& real, const config::Config& config, const Flashing& order, host::FactoryFacts& facts
) {
    const auto asset = asset_of(config, order, facts.assigned);
    if (!asset) return std::unexpected(asset.error());
    facts.asset = *asset;
    if (!facts.assigned.empty())
        if (auto done = register_level2(real, config, order.device, facts.assigned); !done)
            return done;
    const std::string directory = config.state_dir + "/nodes/" + order.device;
    auto provisioning = host::read_provisioning(real.doors, directory);
    if (!provisioning) return std::unexpected(provisioning.error());
    if (!order.firmware.empty()) {
        auto content = firmware_of(real, order, provisioning->model_public_pem);
        if (!content) return std::unexpected(content.error());
        facts.firmware = *std::move(content);
    }
    if (!order.model.empty()) {
        if (!facts.assigned.empty())
            return fail(
                base::Fault::bad_input, "--model: a level-2 board has no model to fall back to"
            );
        auto model = host::make_factory_model(
            real.doors, order.model, provisioning->model_public_pem, *asset
        );
        if (!model) return std::unexpected(model.error());
        facts.model = *std::move(model);
    }
    auto credential = host::enrol(real.doors, *provisioning, directory);
    if (!credential) return std::unexpected(credential.error());
    return host::write_factory_image(real.doors, *provisioning, *credential, facts, order.file);
}

int run(const std::string& state_dir, const Flashing& order) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    host::FactoryFacts facts;
    facts.site_name = order.site_name;
    facts.devices_port = config->ports.devices;
    facts.models_port = config->ports.models;
    facts.time_port = order.time_port;
    facts.interval_ms = config->node_interval_ms;
    facts.waveform_interval_s = config->node_waveform_interval_s;
    auto topics = config::wire_topics(config->topics);
    if (!topics) return tell(topics.error());
    facts.topics = *topics;
    if (auto done = flash(real, *config, order, facts); !done) return tell(done.error());
    fmt::print("{} is in {}\n", order.device, order.file);
    for (const factory::Assigned& one : facts.assigned)
        fmt::print("it judges {}\n", one.device.view());
    return 0;
}

}  // namespace

void add_flash(CLI::App& device, Chosen& chosen) {
    auto* flash = device.add_subcommand(
        "flash", "Enrols a device and writes its factory page into a board's flash image"
    );
    auto order = std::make_shared<Flashing>();
    add_state(*flash, chosen);
    flash->add_option("NAME", order->device, "The device's id")->required();
    flash->add_option("FILE", order->file, "The image; made when it is missing")->required();
    flash->add_option(
        "--level2",
        order->judged_class,
        "A level-2 board, which judges the devices of this class; it is registered, too"
    );
    flash->add_option("--time-port", order->time_port, "Of the site's SNTP server")
        ->capture_default_str();
    flash->add_option("--site-name", order->site_name, "In the services' certificates")
        ->capture_default_str();
    flash->add_option(
        "--firmware", order->firmware, "A packed image: the first one that the board runs"
    );
    flash->add_option(
        "--model", order->model, "A .tflite, MODEL.manifest beside it: what the board falls back to"
    );
    flash->callback([order, &chosen] {
        chosen.run = [order, &chosen] { return run(chosen.state_dir, *order); };
    });
}

}  // namespace stator::commands
