#include "sim/rehearsal/rehearsal.h"

#include "app/config/config.h"
#include "app/parts/parts.h"
#include "app/site/layout.h"
#include "app/site/prepare.h"
#include "app/story/report.h"
#include "app/story/story.h"
#include "sense/port/host/provisioning.h"
#include "shared/wire/messages.h"
#include "sim/rehearsal/world.h"
#include "store/identity/site.h"
#include "store/stream/log_stream.h"
#include "world/disk/posix.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <optional>
#include <vector>

namespace stator::rehearsal {

namespace {

constexpr const char* site_dir = "/site";
constexpr std::int64_t turn_us = 5'000;  // virtual time between two turns of everything
constexpr int steps_a_turn_max = 50;     // of one part: a part that is never done is a fault
constexpr double virtual_s_max = 900.0;

config::Config site_config(std::uint64_t seed) {
    config::Config config;
    config.state_dir = site_dir;
    config.ingest_max_rows = 240;
    config.node_interval_ms = 25;
    config.ports.level2_line = 0;  // a socket of the real world
    config.demo_acceleration = 40.0;
    config.demo_seed = seed;
    config.log_telemetry_bytes = 64ULL << 20U;
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "pump-1";
    asset.title = "Pump 1";
    asset.device = "14333616";
    asset.mode = asset::Mode::act;
    config.assets.push_back(asset);
    config.node_device = asset.device.view();
    return config;
}

class Rehearsal {
  public:
    explicit Rehearsal(const Options& options)
        : options_{options}, world_{options.seed}, config_{site_config(options.seed)} {}

    Outcome play();

  private:
    [[nodiscard]] stator::Outcome<void> prepare();
    [[nodiscard]] stator::Outcome<void> start_parts();
    [[nodiscard]] stator::Outcome<void> start_node();
    [[nodiscard]] stator::Outcome<void> turn();
    [[nodiscard]] stator::Outcome<void> turn_part(part::Part& part);
    void follow_story();
    [[nodiscard]] stator::Outcome<void> break_sensor();
    [[nodiscard]] stator::Outcome<void> read_log(Outcome& outcome);

    Options options_;
    World world_;
    config::Config config_;
    std::string token_;
    std::string plant_token_;
    std::vector<std::unique_ptr<part::Part>> parts_;
    std::unique_ptr<http::Server> node_server_;
    std::optional<story::Story> story_;
    bool sensor_broken_ = false;
    std::string log_text_;
};

stator::Outcome<void> Rehearsal::prepare() {
    doors::Doors& doors = world_.doors;
    auto site = identity::init(doors, site_dir, {.site_name = "rehearsal"});
    if (!site) return std::unexpected(site.error());
    if (auto done = site::write_config(world_.disk, config_, true); !done) return done;
    if (auto done = site::provision(doors, config_, *site, config_.assets.front()); !done)
        return done;
    auto token = site::operator_token(doors, config_);
    if (!token) return std::unexpected(token.error());
    token_ = *token;
    auto plant_token = site::plant_token(doors, config_);
    if (!plant_token) return std::unexpected(plant_token.error());
    plant_token_ = *plant_token;
    return world_.start_broker(site_dir, config_.log_telemetry_bytes);
}

stator::Outcome<void> Rehearsal::start_node() {
    const site::Layout layout{config_};
    parts::NodeOptions options;
    options.device = config_.node_device;
    options.directory = layout.path("nodes/" + options.device);
    options.backup_blocked = options_.block_backup;
    options.plant_token = plant_token_;
    auto node = parts::make_node(world_.device_doors, config_, options);
    if (!node) return std::unexpected(node.error());
    if (auto done = world_.know(host::credential_in(options.directory).certificate_file); !done)
        return done;
    part::Part& part = **node;
    auto server =
        world_.http.listen({.port = config_.ports.ops_node}, [&part](const http::Request& request) {
            return part.handle(request);
        });
    if (!server) return std::unexpected(server.error());
    node_server_ = std::move(*server);
    parts_.push_back(std::move(*node));
    return {};
}

stator::Outcome<void> Rehearsal::start_parts() {
    const site::Layout layout{config_};
    for (const char* id : {"ingest", "learn", "level2-1", "console"})
        if (auto done = world_.know(layout.pki(std::string{id} + ".pem")); !done) return done;
    const parts::ConsoleOptions console{
        .badge = fmt::format("SIMULATED, {:.0f} x time", config_.demo_acceleration),
        .story_unix_ms = world_.clock.unix_ms(),
        .has_plant = true
    };
    doors::Doors& doors = world_.doors;
    for (const auto make :
         {parts::make_registry, parts::make_ingest, parts::make_learn, parts::make_level2}) {
        auto made = make(doors, config_);
        if (!made) return std::unexpected(made.error());
        parts_.push_back(std::move(*made));
    }
    auto made = parts::make_console(doors, config_, console);
    if (!made) return std::unexpected(made.error());
    parts_.push_back(std::move(*made));
    return start_node();
}

stator::Outcome<void> Rehearsal::turn_part(part::Part& part) {
    for (int i = 0; i < steps_a_turn_max; ++i) {
        auto stepped = part.step();
        if (!stepped) {
            const std::string what = std::string{part.name()} + ": " + stepped.error().what;
            if (stepped.error().fault == base::Fault::closed)
                return fail(base::Fault::closed, what);
            world_.journal.warn(part.name(), stepped.error().what);
            return {};
        }
        if (!*stepped) return {};
    }
    return {};
}

void Rehearsal::follow_story() {
    if (!story_->step()) return;
    const bool late = story_->chapter() >= story::Chapter::new_load;
    world_.device_http.tamper(options_.flip_model_byte && late);
}

stator::Outcome<void> Rehearsal::break_sensor() {
    if (sensor_broken_ || options_.sensor_fault.empty()) return {};
    if (story_->chapter() < story::Chapter::calm) return {};
    sensor_broken_ = true;
    const std::size_t equals = options_.sensor_fault.find('=');
    http::ClientRequest order;
    order.method = "POST";
    order.url = fmt::format("http://127.0.0.1:{}/plant", config_.ports.ops_node);
    order.headers["authorization"] = "Bearer " + plant_token_;
    order.body = fmt::format(
        R"({{"action":"sensor","channel":"{}","fault":"{}"}})",
        options_.sensor_fault.substr(0, equals),
        equals == std::string::npos ? "" : options_.sensor_fault.substr(equals + 1)
    );
    const auto reply = world_.http.request(order);
    if (!reply) return std::unexpected(reply.error());
    if (reply->status != 200) return fail(base::Fault::bad_input, reply->body);
    return {};
}

stator::Outcome<void> Rehearsal::turn() {
    static_cast<void>(world_.mqtt.step());
    for (const auto& part : parts_)
        if (auto done = turn_part(*part); !done) return done;
    follow_story();
    if (auto done = break_sensor(); !done) return done;
    world_.clock.wait_us(turn_us);
    return {};
}

// What was stored is part of the trace, and what a test asks about is counted.
stator::Outcome<void> Rehearsal::read_log(Outcome& outcome) {
    stream::LogStream stream{world_.disk, std::string{site_dir} + "/log"};
    for (const log::Class log_class :
         {log::Class::waveform, log::Class::telemetry, log::Class::alarm, log::Class::control}) {
        auto source = stream.open(log_class, {.name = "trace", .required = false});
        if (!source) return std::unexpected(source.error());
        while (true) {
            auto records = (*source)->take(1000);
            if (!records) return std::unexpected(records.error());
            if (records->empty()) break;
            for (const log::Record& record : *records) {
                log_text_ += fmt::format(
                    "record {} {} {} {}\n",
                    record.receive_unix_ms,
                    record.sender,
                    record.topic,
                    record.payload
                );
                if (log_class == log::Class::telemetry) ++outcome.readings;
                if (record.payload.find("\"train-model\"") != std::string::npos)
                    ++outcome.trainings;
                if (record.sender != config_.node_device) continue;
                const auto event = wire::decode_event(record.payload);
                if (!event) continue;
                if (const auto* action = std::get_if<wire::ActionEvent>(&event->what))
                    outcome.actions += action->state == wire::ActionState::sent ? 1U : 0U;
                if (const auto* model = std::get_if<wire::ModelEvent>(&event->what);
                    model != nullptr && model->state == wire::ModelState::confirmed) {
                    outcome.device_model = model->model.view();
                    outcome.device_release = model->release;
                }
            }
        }
    }
    return {};
}

Outcome Rehearsal::play() {
    Outcome outcome;
    const auto broken = [&](const Error& error) {
        outcome.failure = error.what;
        outcome.trace = world_.journal.text();
        return outcome;
    };
    if (auto done = prepare(); !done) return broken(done.error());
    if (auto done = start_parts(); !done) return broken(done.error());
    story::Options story_options;
    story_options.console_url = fmt::format("http://127.0.0.1:{}", config_.ports.console);
    story_options.token = token_;
    story_options.device = config_.node_device;
    story_options.break_motor = options_.break_motor;
    story_options.change_load = options_.change_load;
    story_options.fault_kind = options_.fault_kind;
    story_options.acceleration = config_.demo_acceleration;
    story_.emplace(world_.http, world_.clock, world_.journal, story_options);
    const std::int64_t start_us = world_.clock.monotonic_us();
    const double limit_s = options_.seconds > 0 ? options_.seconds : virtual_s_max;
    const auto now_s = [&] {
        return static_cast<double>(world_.clock.monotonic_us() - start_us) * 1e-6;
    };
    while (now_s() < limit_s && (options_.seconds > 0 || !story_->finished()))
        if (auto done = turn(); !done) return broken(done.error());
    outcome.virtual_s = now_s();
    outcome.closed = story_->closed();
    outcome.failure = story_->failure();
    if (auto done = read_log(outcome); !done) return broken(done.error());
    outcome.report = story::report(
        story_->overview(),
        story_->revealed(),
        outcome.failure,
        {.wall_s = outcome.virtual_s, .acceleration = config_.demo_acceleration}
    );
    outcome.trace = world_.journal.text() + log_text_;
    outcome.trace_sha256 = tls::sha256_hex(outcome.trace);
    return outcome;
}

}  // namespace

Outcome rehearse(const Options& options) {
    return Rehearsal{options}.play();
}

int run(const Options& options) {
    const Outcome outcome = rehearse(options);
    if (!options.trace_file.empty()) {
        disk::PosixDisk disk;
        auto file = disk.open(options.trace_file, disk::Mode::create);
        auto written = file ? (*file)->truncate(0) : std::unexpected(file.error());
        if (written)
            written = (*file)->write_at(
                0, std::as_bytes(std::span{outcome.trace.data(), outcome.trace.size()})
            );
        if (!written) {
            fmt::print(stderr, "stator: {}\n", written.error().what);
            return 1;
        }
    }
    fmt::print("{}", outcome.report);
    if (!outcome.failure.empty()) fmt::print("{}\n", outcome.failure);
    fmt::print(
        "virtual time {:.1f} s, readings {}, actions {}, trainings {}, level 1 runs {} (release "
        "{})\n",
        outcome.virtual_s,
        outcome.readings,
        outcome.actions,
        outcome.trainings,
        outcome.device_model,
        outcome.device_release
    );
    fmt::print("trace hash {}\n", outcome.trace_sha256);
    const bool only_time = options.seconds > 0 && outcome.failure.empty();
    return outcome.closed || only_time ? 0 : 1;
}

}  // namespace stator::rehearsal
