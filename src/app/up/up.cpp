#include "app/up/up.h"

#include "app/site/layout.h"
#include "app/site/prepare.h"
#include "world/metrics/metrics.h"
#include "world/process/self.h"

#include <fmt/format.h>

namespace stator::up {

namespace {

std::string beside(const std::string& program, const std::string& name) {
    return program.substr(0, program.rfind('/')) + "/" + name;
}

// Where setup unpacked the broker: build/mosquitto, two folders above build/release/stator.
std::string unpacked_broker(const std::string& program) {
    return beside(program, "../mosquitto/usr/sbin/mosquitto");
}

Outcome<void> find_parts(doors::Doors& doors, config::Config& config, const std::string& program) {
    if (config.gate.empty()) config.gate = beside(program, "stator_gate.so");
    if (!doors.disk.exists(config.gate))
        return fail(
            base::Fault::not_found,
            config.gate + " is not there: build the target stator_gate_plugin, or set paths.gate"
        );
    if (config.broker.empty()) {
        config.broker = unpacked_broker(program);
        if (!doors.disk.exists(config.broker)) config.broker = process::find_program("mosquitto");
    }
    if (config.broker.empty())
        return fail(
            base::Fault::not_found, "there is no mosquitto: run ./setup, or set paths.broker"
        );
    return {};
}

}  // namespace

Outcome<std::vector<process::Command>> prepare(
    doors::Doors& doors, config::Config& config, const Options& options
) {
    const std::string program = process::program_path();
    if (auto done = find_parts(doors, config, program); !done) return std::unexpected(done.error());
    const std::string user = process::user_name();
    auto conf = site::write_broker_conf(doors, config, user);
    if (!conf) return std::unexpected(conf.error());
    const site::Layout layout{config};
    std::vector<process::Command> commands;
    commands.push_back(
        {.name = "mosquitto",
         .arguments = {config.broker, "-c", *conf},
         .log_file = layout.path("journal/mosquitto.log"),
         .notify = true}
    );
    const auto add = [&](const std::string& name, std::vector<std::string> more) {
        std::vector<std::string> arguments{program, name, "--state", config.state_dir};
        arguments.insert(arguments.end(), more.begin(), more.end());
        commands.push_back(
            {.name = name,
             .arguments = std::move(arguments),
             .log_file = layout.path("journal/" + name + ".log"),
             .notify = true}
        );
    };
    add("registry", {});
    add("ingest", {});
    add("learn", {});
    // A foreign inference server takes level 2's place.
    add(config.sidecar_server.empty() ? "level2" : "sidecar", {});
    if (!config.kafka.bootstrap.empty()) add("bridge", {});
    std::vector<std::string> console{
        "--badge", options.badge, "--story-unix-ms", fmt::format("{}", options.story_unix_ms)
    };
    if (options.with_node && options.recording.empty()) console.emplace_back("--plant");
    add("console", console);
    if (!config.adopt_map.empty()) add("adopt", {});
    if (options.with_node) {
        std::vector<std::string> node{
            "--device", config.node_device, "--seed", fmt::format("{}", options.seed)
        };
        if (options.block_backup) node.emplace_back("--block-backup");
        if (!options.recording.empty())
            node.insert(node.end(), {"--recording", options.recording, "--map", options.map});
        if (!options.bench.empty()) node.insert(node.end(), {"--bench", options.bench});
        add("node", node);
    }
    return commands;
}

Up::Up(
    doors::Doors& doors,
    process::Processes& processes,
    const config::Config& config,
    std::vector<process::Command> commands
)
    : doors_{doors}, config_{config}, supervisor_{processes, doors.clock, doors.journal} {
    for (process::Command& command : commands)
        supervisor_.add(std::move(command));
    auto server = doors.http.listen(
        {.address = "127.0.0.1", .port = config.ports.ops_up},
        [this](const http::Request& request) { return answer(request); }
    );
    if (server) {
        server_ = std::move(*server);
    } else {
        doors.journal.warn("up", "no /healthz: " + server.error().what);
    }
}

bool Up::step() {
    const bool served = server_ && server_->poll(0);
    return supervisor_.step() || served;
}

void Up::stop() {
    supervisor_.stop();
}

std::vector<supervise::Status> Up::status() {
    return supervisor_.status();
}

std::string Up::metrics() {
    metrics::Metrics made;
    bool gated = false;
    for (const supervise::Status& status : supervisor_.status()) {
        gated = gated || (status.name == "mosquitto" && status.pid != 0);
        const std::string label = fmt::format("process=\"{}\"", status.name);
        made.set("stator_up_running", status.pid == 0 ? 0 : 1, label);
        made.set("stator_up_restarts", static_cast<double>(status.restarts), label);
        made.set("stator_up_resident_bytes", static_cast<double>(status.resident_bytes), label);
    }
    if (!gated) return made.render();  // what it wrote before it died is no figure of now
    constexpr std::size_t gate_bytes_max = 1U << 20U;
    auto gate = doors_.disk.read_all(config_.state_dir + "/run/gate.metrics", gate_bytes_max);
    return made.render() + (gate ? *gate : std::string{});
}

http::Response Up::answer(const http::Request& request) {
    http::Response response;
    response.headers["Content-Type"] = "text/plain; version=0.0.4";
    if (request.path == "/healthz") {
        for (const supervise::Status& status : supervisor_.status())
            if (status.pid == 0) return http::problem(503, "Not well", status.name + " is down");
        response.body = "ok\n";
    } else if (request.path == "/metrics") {
        response.body = metrics();
    } else {
        return http::problem(404, "Not found", request.path);
    }
    return response;
}

}  // namespace stator::up
