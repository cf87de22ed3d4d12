#include "app/config/topics.h"
#include "app/parts/machine.h"
#include "app/parts/parts.h"
#include "app/parts/try_node.h"
#include "app/site/layout.h"
#include "sense/port/host/bench_pipes.h"
#include "sense/port/host/device.h"
#include "sense/port/host/sample_files.h"
#include "world/metrics/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::parts {

namespace {

// The machine, with the sensors of one's own, and what stands on it.
class MachinePart : public part::Part {
  public:
    MachinePart(
        doors::Doors& doors,
        std::unique_ptr<Machine> machine,
        std::unique_ptr<host::SampleFiles> sources
    )
        : doors_{doors}, machine_{std::move(machine)}, sources_{std::move(sources)} {}

    [[nodiscard]] std::string_view name() const final { return "node"; }

    http::Response handle(const http::Request& request) final { return machine_->handle(request); }

  protected:
    doors::Doors& doors_;
    metrics::Metrics metrics_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<host::SampleFiles> sources_;
};

class NodePart final : public MachinePart {
  public:
    NodePart(
        doors::Doors& doors,
        std::unique_ptr<Machine> machine,
        std::unique_ptr<host::SampleFiles> sources,
        std::unique_ptr<host::Device> device
    )
        : MachinePart{doors, std::move(machine), std::move(sources)}, device_{std::move(device)} {}

    Outcome<bool> step() override {
        machine_->advance(doors_.clock.monotonic_us(), device_->status());
        const bool worked = device_->step();
        const std::string trouble = device_->trouble();
        if (trouble != trouble_ && !trouble.empty()) doors_.journal.warn("node", trouble);
        trouble_ = trouble;
        return worked;
    }

    void wait(std::int64_t timeout_us) override {
        const std::int64_t due_us = device_->next_reading_us() - doors_.clock.monotonic_us();
        doors_.clock.wait_us(
            std::clamp<std::int64_t>(due_us, 200, std::min<std::int64_t>(timeout_us, 2000))
        );
    }

    std::string metrics() override {
        const node::Status status = device_->status();
        metrics_.set("stator_node_active", status.active ? 1 : 0);
        metrics_.set("stator_node_connected", status.connected ? 1 : 0);
        metrics_.set("stator_node_boot", status.boot);
        metrics_.set("stator_node_seq", static_cast<double>(status.seq));
        metrics_.set("stator_node_readings", static_cast<double>(status.readings));
        metrics_.set("stator_node_readings_skipped", static_cast<double>(status.readings_skipped));
        metrics_.set("stator_node_waiting", static_cast<double>(status.waiting));
        metrics_.set("stator_node_shed", static_cast<double>(status.shed));
        metrics_.set("stator_node_model_release", status.release);
        metrics_.set("stator_node_value", static_cast<double>(status.value));
        metrics_.set("stator_node_alarm", status.alarm ? 1 : 0);
        if (status.vibration.zone != signal::Zone::none) {
            const auto velocity = static_cast<double>(status.vibration.velocity_mm_per_s);
            metrics_.set("stator_node_vibration_velocity_mm_per_s", velocity);
            metrics_.set(  // 1 zone A .. 4 zone D of ISO 20816
                "stator_node_vibration_zone",
                static_cast<double>(status.vibration.zone)
            );
        }
        return metrics_.render();
    }

  private:
    std::unique_ptr<host::Device> device_;
    std::string trouble_;
};

// The machine alone: the device is a board that asks it over the bench's pipes.
class BenchPart final : public MachinePart {
  public:
    BenchPart(
        doors::Doors& doors,
        std::unique_ptr<Machine> machine,
        std::unique_ptr<host::SampleFiles> sources,
        std::unique_ptr<host::BenchPipes> pipes
    )
        : MachinePart{doors, std::move(machine), std::move(sources)}, pipes_{std::move(pipes)} {}

    Outcome<bool> step() override {
        machine_->advance(doors_.clock.monotonic_us(), {});
        return pipes_->step();
    }

    void wait(std::int64_t timeout_us) override { pipes_->wait(timeout_us); }

    std::string metrics() override {
        metrics_.set("stator_node_bench_questions", static_cast<double>(pipes_->questions()));
        return metrics_.render();
    }

  private:
    std::unique_ptr<host::BenchPipes> pipes_;
};

Outcome<std::unique_ptr<Machine>> make_machine(
    doors::Doors& doors,
    const config::Config& config,
    const NodeOptions& options,
    const asset::Asset& asset
) {
    if (!options.recording.empty())
        return make_recorded_machine(
            doors.disk, options.recording, options.map, config.ingest_max_rows
        );
    return make_plant_machine(
        doors.clock,
        asset,
        {.seed = config.demo_seed,
         .acceleration = config.demo_acceleration,
         .backup_blocked = options.backup_blocked,
         .token = options.plant_token}
    );
}

Outcome<std::unique_ptr<host::SampleFiles>> open_sources(
    const NodeOptions& options, const asset::Asset& asset, hal::Adc& others
) {
    auto files = std::make_unique<host::SampleFiles>(others);
    for (const std::string& source : options.sources) {
        const std::size_t equals = source.find('=');
        const std::string name = source.substr(0, equals);
        std::size_t channel = 0;
        while (channel < asset.channels.size() && asset.channels[channel].name.view() != name)
            ++channel;
        if (equals == std::string::npos || channel == asset.channels.size())
            return fail(
                base::Fault::bad_input,
                fmt::format("--source {}: write CHANNEL=FILE, of a channel of the asset", source)
            );
        if (auto done = files->open(channel, source.substr(equals + 1)); !done)
            return std::unexpected(done.error());
    }
    return files;
}

}  // namespace

Outcome<std::string> try_node(
    doors::Doors& doors, const config::Config& config, const NodeOptions& options
) {
    const auto asset = config::asset_of_device(config, options.device);
    if (!asset) return std::unexpected(asset.error());
    auto machine = make_machine(doors, config, options, **asset);
    if (!machine) return std::unexpected(machine.error());
    auto sources = open_sources(options, **asset, (*machine)->adc());
    if (!sources) return std::unexpected(sources.error());
    return try_channels(doors.clock, **sources, **asset);
}

Made make_node(doors::Doors& doors, const config::Config& config, NodeOptions options) {
    const auto found = config::asset_of_device(config, options.device);
    if (!found) return std::unexpected(found.error());
    const asset::Asset* asset = *found;
    auto provisioning = host::read_provisioning(doors, options.directory);
    if (!provisioning) return std::unexpected(provisioning.error());
    auto machine = make_machine(doors, config, options, *asset);
    if (!machine) return std::unexpected(machine.error());
    auto sources = open_sources(options, *asset, (*machine)->adc());
    if (!sources) return std::unexpected(sources.error());
    if (!options.bench.empty()) {
        auto pipes = host::BenchPipes::make(options.bench, **sources, (*machine)->actuators());
        if (!pipes) return std::unexpected(pipes.error());
        return std::make_unique<BenchPart>(
            doors, std::move(*machine), std::move(*sources), std::move(*pipes)
        );
    }
    host::DeviceOptions device_options;
    device_options.directory = options.directory;
    device_options.provisioning = std::move(*provisioning);
    device_options.asset = *asset;
    device_options.config.interval_ms = config.node_interval_ms;
    device_options.config.waveform_interval_s = config.node_waveform_interval_s;
    auto topics = config::wire_topics(config.topics);
    if (!topics) return std::unexpected(topics.error());
    device_options.config.topics = *topics;
    auto device =
        host::Device::make(doors, std::move(device_options), **sources, (*machine)->actuators());
    if (!device) return std::unexpected(device.error());
    return std::make_unique<NodePart>(
        doors, std::move(*machine), std::move(*sources), std::move(*device)
    );
}

}  // namespace stator::parts
