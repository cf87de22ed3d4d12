#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/loop/loop.h"
#include "app/parts/parts.h"
#include "world/process/self.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>
#include <memory>

namespace stator::commands {

namespace {

using Make = std::function<parts::Made(real::Real&, config::Config&)>;

int run_part(
    const std::string& name,
    const std::string& state_dir,
    std::uint16_t config::Ports::* ops_port,
    const Make& make,
    const std::string& only = {}
) {
    real::Real real;
    loop::catch_signals();
    auto config = open_config(real, state_dir, only.empty() ? name : name + " " + only);
    if (!config) return tell(config.error());
    return loop::run(
        real.doors, name, [&] { return make(real, *config); }, config->ports.*ops_port
    );
}

void add_plain(
    CLI::App& program,
    Chosen& chosen,
    const std::string& name,
    const std::string& what,
    std::uint16_t config::Ports::* ops_port,
    parts::Made (*make)(doors::Doors&, const config::Config&)
) {
    auto* command = program.add_subcommand(name, what);
    add_state(*command, chosen);
    command->callback([&chosen, name, ops_port, make] {
        chosen.run = [&chosen, name, ops_port, make] {
            return run_part(
                name,
                chosen.state_dir,
                ops_port,
                [make](real::Real& real, config::Config& config) {
                    return make(real.doors, config);
                }
            );
        };
    });
}

void add_registry(CLI::App& program, Chosen& chosen) {
    auto* command = program.add_subcommand("registry", "Devices, models, datasets over HTTPS");
    auto only = std::make_shared<std::string>();
    add_state(*command, chosen);
    command
        ->add_option(
            "--only", *only, "One of the three, as a container has it: PORT is then its port"
        )
        ->check(CLI::IsMember({"devices", "models", "datasets"}));
    command->callback([&chosen, only] {
        chosen.run = [&chosen, only] {
            return run_part(
                "registry",
                chosen.state_dir,
                &config::Ports::ops_registry,
                [only](real::Real& real, config::Config& config) {
                    if (only->empty() && process::environment().contains("PORT"))
                        real.doors.journal.warn(
                            "registry",
                            "PORT is passed over: three ports are served; --only serves one"
                        );
                    return parts::make_one_registry(real.doors, config, *only);
                },
                *only
            );
        };
    });
}

// web/dist of the checkout: two folders above build/release/stator.
std::string default_web_dir() {
    const std::string program = process::program_path();
    return program.substr(0, program.rfind('/')) + "/../../web/dist";
}

void add_console(CLI::App& program, Chosen& chosen) {
    auto* command = program.add_subcommand("console", "Alarms, roll-out, commands, and the page");
    auto options = std::make_shared<parts::ConsoleOptions>();
    add_state(*command, chosen);
    command->add_option("--badge", options->badge, "Stands on the page all the time");
    command->add_option("--story-unix-ms", options->story_unix_ms, "Steps are told from then on");
    command->add_flag("--plant", options->has_plant, "The motor is a simulated one");
    command->callback([&chosen, options, command] {
        if (!command->get_subcommands().empty()) return;  // this comes after the link's own
        chosen.run = [&chosen, options] {
            return run_part(
                "console",
                chosen.state_dir,
                &config::Ports::ops_console,
                [options](real::Real& real, config::Config& config) {
                    options->web_dir = config.web_dir.empty() ? default_web_dir() : config.web_dir;
                    return parts::make_console(real.doors, config, *options);
                }
            );
        };
    });
    auto* link = command->add_subcommand("link", "Print a one-time link to the running page");
    add_state(*link, chosen);
    link->callback([&chosen] {
        chosen.run = [&chosen] {
            real::Real real;
            auto config = open_config(real, chosen.state_dir);
            if (!config) return tell(config.error());
            auto token = real.disk.read_all(chosen.state_dir + "/run/operator.token", 256);
            if (!token) return tell(token.error());
            http::ClientRequest request;
            request.method = "POST";
            const std::string base = fmt::format("http://127.0.0.1:{}", config->ports.console);
            request.url = base + "/api/v1/link";
            request.headers = {
                {"Authorization", "Bearer " + *token}, {"Content-Type", "application/json"}
            };
            request.body = "{}";
            auto response = real.http.request(request);
            if (!response) return tell(response.error());
            const std::string& body = response->body;
            const std::size_t at = body.find("\"code\":\"");
            if (response->status != 200 || at == std::string::npos)
                return tell({base::Fault::io, body});
            const std::size_t from = at + 8;
            fmt::print("{}/enter?code={}\n", base, body.substr(from, body.find('"', from) - from));
            return 0;
        };
    });
}

int run_try(const std::string& state_dir, parts::NodeOptions options) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    if (options.device.empty()) options.device = config->node_device;
    auto text = parts::try_node(real.doors, *config, options);
    if (!text) return tell(text.error());
    fmt::print("{}", *text);
    return 0;
}

void add_node(CLI::App& program, Chosen& chosen) {
    auto* command = program.add_subcommand("node", "One device core on its host port");
    auto options = std::make_shared<parts::NodeOptions>();
    auto seed = std::make_shared<std::uint64_t>(0);
    add_state(*command, chosen);
    command->add_option("--device", options->device, "deviceID; default: node.device");
    command->add_option("--seed", *seed, "Of the simulated motor");
    command->add_option("--recording", options->recording, "A CSV: a recorded machine instead");
    command->add_option("--map", options->map, "Its columns");
    command->add_flag("--block-backup", options->backup_blocked, "No backup flow");
    command->add_option("--source", options->sources, "CHANNEL=FILE: 16-bit counts, or a device");
    command->add_flag("--try", options->only_try, "Show raw and physical values, and end");
    command->add_option("--bench", options->bench, "Only the machine, for an emulated board there");
    command->callback([&chosen, options, seed] {
        chosen.run = [&chosen, options, seed] {
            if (options->only_try) return run_try(chosen.state_dir, *options);
            return run_part(
                "node",
                chosen.state_dir,
                &config::Ports::ops_node,
                [&chosen, options, seed](real::Real& real, config::Config& config) {
                    if (*seed != 0) config.demo_seed = *seed;
                    if (options->device.empty()) options->device = config.node_device;
                    options->directory = chosen.state_dir + "/nodes/" + options->device;
                    if (auto token = real.disk.read_all(chosen.state_dir + "/run/plant.token", 256))
                        options->plant_token = *token;
                    return parts::make_node(real.doors, config, *options);
                }
            );
        };
    });
}

}  // namespace

void add_services(CLI::App& program, Chosen& chosen) {
    using config::Ports;
    add_registry(program, chosen);
    add_plain(
        program,
        chosen,
        "ingest",
        "The stream becomes raw CSVs",
        &Ports::ops_ingest,
        parts::make_ingest
    );
    add_plain(
        program,
        chosen,
        "learn",
        "Runs the learning tasks as their messages come",
        &Ports::ops_learn,
        parts::make_learn
    );
    add_plain(
        program,
        chosen,
        "level2",
        "The larger model over the stream",
        &Ports::ops_level2,
        parts::make_level2
    );
    add_plain(
        program,
        chosen,
        "bridge",
        "The log to Kafka; control and alerts back",
        &Ports::ops_bridge,
        parts::make_bridge
    );
    add_plain(
        program,
        chosen,
        "sidecar",
        "Feeds a foreign inference server from the stream, in level 2's place",
        &Ports::ops_sidecar,
        parts::make_sidecar
    );
    add_console(program, chosen);
    add_node(program, chosen);
}

}  // namespace stator::commands
