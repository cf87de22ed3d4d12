#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/demo/demo.h"
#include "app/loop/loop.h"
#include "app/parts/parts.h"
#include "app/real/real.h"
#include "app/site/prepare.h"
#include "app/up/up.h"
#include "sim/rehearsal/rehearsal.h"
#include "store/identity/site.h"
#include "store/identity/tokens.h"
#include "world/process/real.h"
#include "world/process/self.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace stator::commands {

namespace {

int run_init(const std::string& state_dir, const std::string& name) {
    real::Real real;
    auto site = identity::init(real.doors, state_dir, {.site_name = name});
    if (!site) return tell(site.error());
    config::Config config;
    config.state_dir = state_dir;
    config.site_name = name;
    if (auto done = site::write_config(real.disk, config, false); !done) return tell(done.error());
    for (const std::string& file : site->made)
        fmt::print("made {}\n", file);
    if (site->made.empty()) fmt::print("everything was there already\n");
    if (!site->admin_token.empty())
        fmt::print("the admin's token, shown this once: {}\n", site->admin_token);
    fmt::print("the CA's SHA-256, for devices to pin: {}\n", site->ca_sha256);
    return 0;
}

int run_up(const std::string& state_dir) {
    real::Real real;
    process::RealProcesses processes;
    loop::catch_signals();
    auto site = identity::open(real.doors, state_dir);
    if (!site) return tell(site.error());
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    auto ports = site::choose_ports(real.doors, *config);
    if (!ports) return tell(ports.error());
    for (const std::string& line : *ports)
        fmt::print("ports: {}\n", line);
    if (auto token = site::operator_token(real.doors, *config); !token) return tell(token.error());
    auto adopted = parts::adopted_devices(real.doors, *config);
    if (!adopted) return tell(adopted.error());
    for (const asset::Asset& asset : config->assets) {
        if (std::ranges::find(*adopted, asset.device.view()) != adopted->end()) continue;
        if (auto done = site::provision(real.doors, *config, *site, asset); !done)
            return tell(done.error());
    }
    auto commands = up::prepare(real.doors, *config, {});
    if (!commands) return tell(commands.error());
    up::Up up{real.doors, processes, *config, std::move(*commands)};
    fmt::print("up: `stator console link` prints a link to the page; Ctrl-C stops everything\n");
    constexpr std::int64_t idle_us = 20'000;
    while (!loop::stop_wanted().load())
        if (!up.step()) real.clock.wait_us(idle_us);
    up.stop();
    return 0;
}

int run_token(const std::string& state_dir, const std::string& name, const std::string& role) {
    real::Real real;
    auto site = identity::open(real.doors, state_dir);
    if (!site) return tell(site.error());
    const auto known = identity::role_named(role);
    if (!known)
        return tell(
            {base::Fault::bad_input, role + " is no role: viewer, operator, engineer, admin"}
        );
    identity::Tokens tokens{real.doors, site->pki("tokens.json")};
    auto token = tokens.add(name, *known);
    if (!token) return tell(token.error());
    fmt::print("{}\n", *token);
    return 0;
}

void add_demo(CLI::App& program, Chosen& chosen) {
    auto* demo = program.add_subcommand(
        "demo", "The whole loop with a simulated motor, told as a story (what ./run starts)"
    );
    auto options = std::make_shared<demo::Options>();
    add_state(*demo, chosen);
    demo->add_flag("--until-closed", options->until_closed, "End after step 7, with a report");
    demo->add_flag("--no-fault{false}", options->break_motor, "The motor stays healthy");
    demo->add_flag("--no-load-change{false}", options->change_load, "The load stays as it is");
    demo->add_flag("--block-backup", options->block_backup, "The backup pump gives no flow");
    demo->add_option("--seed", options->seed, "Of the motor and its hidden fault");
    demo->add_option("--recording", options->recording, "A CSV: a recorded machine instead");
    demo->add_option(
        "--map", options->map, "Its columns: time=..,CHANNEL=COLUMN,..,label=.. (0 or 1)"
    );
    demo->add_option("--bench", options->bench, "A folder: the device is a board emulated there");
    demo->add_option("--rows-per-s", options->rows_per_s, "Of the recording")
        ->capture_default_str();
    demo->callback([options, &chosen] {
        chosen.run = [options, &chosen] {
            options->state_dir = chosen.state_dir;
            return demo::run(*options);
        };
    });
}

void add_sim(CLI::App& program, Chosen& chosen) {
    auto* sim =
        program.add_subcommand("sim", "The same loop in one process, one thread, on virtual time");
    auto options = std::make_shared<rehearsal::Options>();
    sim->add_option("--seed", options->seed, "All of the run follows from it")
        ->capture_default_str();
    sim->add_option("--trace", options->trace_file, "Where the trace is written");
    sim->add_flag("--no-fault{false}", options->break_motor, "The motor stays healthy");
    sim->add_option("--fault", options->fault_kind, "Its kind; default: of the seed")
        ->check(CLI::IsMember({"bearing-wear", "imbalance", "overload", "blocked-flow"}));
    sim->add_flag("--no-load-change{false}", options->change_load, "The load stays as it is");
    sim->add_flag("--block-backup", options->block_backup, "The backup pump gives no flow");
    sim->add_flag("--flip-model-byte", options->flip_model_byte, "One byte of the second model");
    sim->add_option(
        "--sensor-fault",
        options->sensor_fault,
        "CHANNEL=stuck, saturated, disconnected or noisy: a sensor breaks, not the motor"
    );
    sim->add_option("--seconds", options->seconds, "Virtual time without an end of the story");
    sim->callback([options, &chosen] {
        chosen.run = [options] { return rehearsal::run(*options); };
    });
}

}  // namespace

void add_site(CLI::App& program, Chosen& chosen) {
    auto* init = program.add_subcommand("init", "Make a site's CA, keys, and first admin token");
    auto name = std::make_shared<std::string>("site");
    add_state(*init, chosen);
    init->add_option("--name", *name, "Of the site")->capture_default_str();
    init->callback([name, &chosen] {
        chosen.run = [name, &chosen] { return run_init(chosen.state_dir, *name); };
    });
    auto* up = program.add_subcommand("up", "Run a site: broker, registries, services, page");
    add_state(*up, chosen);
    up->callback([&chosen] { chosen.run = [&chosen] { return run_up(chosen.state_dir); }; });

    auto* token = program.add_subcommand("token", "Make an operator's token (shown once)");
    auto role = std::make_shared<std::string>("operator");
    auto whose = std::make_shared<std::string>();
    add_state(*token, chosen);
    token->add_option("NAME", *whose, "Whose it is")->required();
    token->add_option("--role", *role, "viewer, operator, engineer or admin")
        ->capture_default_str();
    token->callback([whose, role, &chosen] {
        chosen.run = [whose, role, &chosen] { return run_token(chosen.state_dir, *whose, *role); };
    });
    add_demo(program, chosen);
    add_sim(program, chosen);
}

}  // namespace stator::commands
