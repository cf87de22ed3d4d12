#include "app/parts/machine.h"
#include "app/parts/parts.h"
#include "app/site/layout.h"
#include "sense/port/host/bench_pipes.h"
#include "sense/port/host/device.h"
#include "world/metrics/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::parts {

namespace {

constexpr std::size_t provisioning_bytes_max = 16U << 10U;

class NodePart final : public part::Part {
  public:
    NodePart(
        doors::Doors& doors, std::unique_ptr<Machine> machine, std::unique_ptr<host::Device> device
    )
        : doors_{doors}, machine_{std::move(machine)}, device_{std::move(device)} {}

    [[nodiscard]] std::string_view name() const override { return "node"; }

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
        return metrics_.render();
    }

    http::Response handle(const http::Request& request) override {
        return machine_->handle(request);
    }

  private:
    doors::Doors& doors_;
    metrics::Metrics metrics_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<host::Device> device_;
    std::string trouble_;
};

// The machine alone: the device is a board that asks it over the bench's pipes.
class BenchPart final : public part::Part {
  public:
    BenchPart(
        doors::Doors& doors,
        std::unique_ptr<Machine> machine,
        std::unique_ptr<host::BenchPipes> pipes
    )
        : doors_{doors}, machine_{std::move(machine)}, pipes_{std::move(pipes)} {}

    [[nodiscard]] std::string_view name() const override { return "node"; }

    Outcome<bool> step() override {
        machine_->advance(doors_.clock.monotonic_us(), {});
        return pipes_->step();
    }

    void wait(std::int64_t timeout_us) override { pipes_->wait(timeout_us); }

    std::string metrics() override {
        metrics_.set("stator_node_bench_questions", static_cast<double>(pipes_->questions()));
        return metrics_.render();
    }

    http::Response handle(const http::Request& request) override {
        return machine_->handle(request);
    }

  private:
    doors::Doors& doors_;
    metrics::Metrics metrics_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<host::BenchPipes> pipes_;
};

}  // namespace

Made make_node(doors::Doors& doors, const config::Config& config, NodeOptions options) {
    const asset::Asset* asset = config::asset_of_device(config, options.device);
    if (asset == nullptr)
        return fail(
            base::Fault::not_found,
            fmt::format("stator.toml has no asset with device = \"{}\"", options.device)
        );
    const std::string file = options.directory + "/provisioning.json";
    auto text = doors.disk.read_all(file, provisioning_bytes_max);
    if (!text) return std::unexpected(text.error());
    auto provisioning = host::parse_provisioning(*text, file);
    if (!provisioning) return std::unexpected(provisioning.error());
    std::unique_ptr<Machine> machine;
    if (options.recording.empty()) {
        machine = make_plant_machine(
            doors.clock,
            *asset,
            {.seed = config.demo_seed,
             .acceleration = config.demo_acceleration,
             .backup_blocked = options.backup_blocked,
             .token = options.plant_token}
        );
    } else {
        auto recorded = make_recorded_machine(
            doors.disk, options.recording, options.map, config.ingest_max_rows
        );
        if (!recorded) return std::unexpected(recorded.error());
        machine = std::move(*recorded);
    }
    if (!options.bench.empty()) {
        auto pipes = host::BenchPipes::make(options.bench, machine->adc(), machine->actuators());
        if (!pipes) return std::unexpected(pipes.error());
        return std::make_unique<BenchPart>(doors, std::move(machine), std::move(*pipes));
    }
    host::DeviceOptions device_options;
    device_options.directory = options.directory;
    device_options.provisioning = std::move(*provisioning);
    device_options.asset = *asset;
    device_options.config.interval_ms = config.node_interval_ms;
    auto device =
        host::Device::make(doors, std::move(device_options), machine->adc(), machine->actuators());
    if (!device) return std::unexpected(device.error());
    return std::make_unique<NodePart>(doors, std::move(machine), std::move(*device));
}

}  // namespace stator::parts
