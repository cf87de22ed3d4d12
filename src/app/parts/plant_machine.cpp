#include "app/parts/machine.h"
#include "sense/node/sampling.h"
#include "sim/plant/plant.h"
#include "world/json/json.h"
#include "world/tls/tls.h"

#include <fmt/format.h>

namespace stator::parts {

using nlohmann::json;

namespace {

class PlantMachine final : public Machine {
  public:
    PlantMachine(clock::Clock& clock, const asset::Asset& asset, const PlantMachineOptions& options)
        : clock_{clock}, asset_{asset}, options_{options}, plant_{options.seed, asset} {
        start_us_ = clock.monotonic_us();
        plant_.set_backup_blocked(options.backup_blocked);
    }

    hal::Adc& adc() override { return plant_; }

    hal::Actuators& actuators() override { return plant_; }

    void advance(std::int64_t monotonic_us, const node::Status& /*status*/) override {
        plant_.advance_to(
            static_cast<double>(monotonic_us - start_us_) * 1e-6 * options_.acceleration
        );
    }

    http::Response handle(const http::Request& request) override;

  private:
    [[nodiscard]] Outcome<void> act(const json& order);
    [[nodiscard]] Outcome<void> break_sensor(const std::string& channel, const std::string& fault);
    [[nodiscard]] std::string account() const;
    [[nodiscard]] std::int64_t unix_ms_of(double plant_s) const;

    clock::Clock& clock_;
    const asset::Asset& asset_;
    PlantMachineOptions options_;
    plant::Plant plant_;
    std::int64_t start_us_ = 0;
};

std::int64_t PlantMachine::unix_ms_of(double plant_s) const {
    if (plant_s == 0.0) return 0;
    const double ago_ms = (plant_.now_s() - plant_s) / options_.acceleration * 1000.0;
    return clock_.unix_ms() - static_cast<std::int64_t>(ago_ms);
}

std::string PlantMachine::account() const {
    json faults = json::array();
    for (const plant::Fault& fault : plant_.account())
        faults.push_back(
            {{"kind", std::string{plant::name_of(fault.kind)}},
             {"onset_unix_ms", unix_ms_of(fault.onset_s)},
             {"failure_unix_ms", unix_ms_of(fault.failure_s)},
             {"end_unix_ms", unix_ms_of(fault.end_s)}}
        );
    return json{{"faults", faults}}.dump();
}

Outcome<void> PlantMachine::break_sensor(const std::string& channel, const std::string& fault) {
    std::size_t index = 0;
    while (index < asset_.channels.size() && asset_.channels[index].name.view() != channel)
        ++index;
    if (index == asset_.channels.size())
        return fail(base::Fault::bad_input, "the motor has no sensor called " + channel);
    using enum signal::SensorFault;
    for (const auto known : {none, stuck, saturated, disconnected, noisy}) {
        if (wire::name_of(node::on_the_wire(known)) != fault) continue;
        plant_.set_sensor_fault(index, known);
        return {};
    }
    return fail(
        base::Fault::bad_input, "a sensor is stuck, saturated, disconnected, noisy or none of these"
    );
}

Outcome<void> PlantMachine::act(const json& order) {
    const std::string action = stator::json::text_of(order, "action");
    if (action == "break") {
        const std::string kind = stator::json::text_of(order, "kind");
        if (kind.empty()) {
            plant_.break_hidden();
        } else if (kind == "again") {
            plant_.break_again();
        } else if (const auto known = plant::kind_named(kind)) {
            plant_.break_with(*known);
        } else {
            return fail(base::Fault::bad_input, "the motor has no fault called " + kind);
        }
    } else if (action == "repair") {
        plant_.repair();
    } else if (action == "load") {
        plant_.set_load(stator::json::number_of(order, "level"));
    } else if (action == "block-backup") {
        plant_.set_backup_blocked(stator::json::flag_of(order, "blocked", true));
    } else if (action == "exclude-backup") {
        plant_.set_excluded(stator::json::flag_of(order, "excluded", true));
    } else if (action == "sensor") {
        return break_sensor(
            stator::json::text_of(order, "channel"), stator::json::text_of(order, "fault")
        );
    } else if (action != "reveal") {
        return fail(
            base::Fault::bad_input,
            "an action is break, repair, load, block-backup, exclude-backup, sensor or reveal"
        );
    }
    return {};
}

http::Response PlantMachine::handle(const http::Request& request) {
    if (request.path != "/plant") return http::problem(404, "Not found", request.path);
    if (request.method != "POST") return http::problem(405, "Not allowed", "POST /plant");
    const auto given = request.headers.find("authorization");
    if (given == request.headers.end() ||
        !tls::equal_in_constant_time(given->second, "Bearer " + options_.token))
        return http::problem(401, "Who are you?", "the bench's token stands in run/plant.token");
    const json order = json::parse(request.body, nullptr, false);
    if (!order.is_object()) return http::problem(400, "Not understood", "send a JSON object");
    if (auto done = act(order); !done)
        return http::problem(400, "Not understood", done.error().what);
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = stator::json::text_of(order, "action") == "reveal" ? account() : "{}";
    return response;
}

}  // namespace

std::unique_ptr<Machine> make_plant_machine(
    clock::Clock& clock, const asset::Asset& asset, const PlantMachineOptions& options
) {
    return std::make_unique<PlantMachine>(clock, asset, options);
}

}  // namespace stator::parts
