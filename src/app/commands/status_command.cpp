#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/site/layout.h"
#include "store/log/inspect.h"
#include "store/stream/census.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace stator::commands {

namespace {

constexpr int answer_timeout_ms = 2000;
constexpr std::size_t counted_at_once = 100'000;

// True when all that answer are well, and the ones that always run answer.
bool tell_processes(real::Real& real, const config::Config& config) {
    struct Process {
        const char* name;
        std::uint16_t port;
        bool always;
    };

    const config::Ports& ports = config.ports;
    bool well = true;
    fmt::print("{:<10} {:>5}  {}\n", "process", "port", "is");
    for (const Process& process : {
             Process{"supervisor", ports.ops_up, true},
             Process{"registry", ports.ops_registry, true},
             Process{"ingest", ports.ops_ingest, true},
             Process{"learn", ports.ops_learn, true},
             Process{"level2", ports.ops_level2, config.sidecar_server.empty()},
             Process{"console", ports.ops_console, true},
             Process{"bridge", ports.ops_bridge, !config.kafka.bootstrap.empty()},
             Process{"sidecar", ports.ops_sidecar, !config.sidecar_server.empty()},
             Process{"adopt", ports.ops_adopt, !config.adopt_map.empty()},
             Process{"node", ports.ops_node, false},
         }) {
        http::ClientRequest request;
        request.url = fmt::format("http://127.0.0.1:{}/healthz", process.port);
        request.timeout_ms = answer_timeout_ms;
        const auto answer = real.http.request(request);
        if (!answer && !process.always) continue;
        std::string is = "not running";
        if (answer) is = answer->status == 200 ? "well" : "NOT WELL: " + answer->body;
        well = well && answer && answer->status == 200;
        fmt::print("{:<10} {:>5}  {}\n", process.name, process.port, is);
    }
    return well;
}

Outcome<void> tell_devices(real::Real& real, const std::string& log_directory) {
    auto census = stream::Census::open(real.disk, log_directory);
    if (!census) return std::unexpected(census.error());
    for (;;) {
        const auto more = (*census)->step(counted_at_once);
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
    }
    fmt::print(
        "\n{:<20} {:>13} {:>6} {:>10} {:>10} {:>10} {:>8} {:>8}\n",
        "device",
        "last seen ago",
        "boot",
        "seq",
        "received",
        "duplicates",
        "missing",
        "shed"
    );
    const std::int64_t now_unix_ms = real.clock.unix_ms();
    for (const auto& [id, device] : (*census)->devices())
        fmt::print(
            "{:<20} {:>11.1f} s {:>6} {:>10} {:>10} {:>10} {:>8} {:>8}\n",
            id,
            static_cast<double>(now_unix_ms - device.last_seen_unix_ms) / 1000,
            device.boot,
            device.seq,
            device.received,
            device.duplicates,
            device.missing,
            device.declared
        );
    return {};
}

Outcome<void> tell_log(real::Real& real, const std::string& log_directory) {
    const auto all = log::look_at(real.disk, log_directory, real.clock.unix_ms());
    if (!all) return std::unexpected(all.error());
    fmt::print(
        "\n{:<10} {:>14} {:>14} {:>14} {:<12} {:>10}\n",
        "log",
        "bytes",
        "budget",
        "pinned",
        "by",
        "days left"
    );
    for (const log::Holding& held : *all)
        fmt::print(
            "{:<10} {:>14} {:>14} {:>14} {:<12} {:>10}\n",
            log::name_of(held.log_class),
            held.segment_bytes + held.spare_bytes,
            held.budget_bytes ? fmt::format("{}", *held.budget_bytes) : "-",
            held.pinned_bytes,
            held.pinned_by.empty() ? "-" : held.pinned_by,
            held.autonomy_days ? fmt::format("{:.1f}", *held.autonomy_days) : "-"
        );
    return {};
}

int run_status(const std::string& state_dir) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const bool well = tell_processes(real, *config);
    const std::string log_directory = site::Layout{*config}.log_directory();
    if (!real.disk.exists(log_directory + "/readers")) {
        fmt::print("\nno log yet: the gate makes it when the site is first up\n");
        return well ? 0 : 1;
    }
    if (auto done = tell_devices(real, log_directory); !done) return tell(done.error());
    if (auto done = tell_log(real, log_directory); !done) return tell(done.error());
    return well ? 0 : 1;
}

}  // namespace

void add_status(CLI::App& program, Chosen& chosen) {
    auto* status = program.add_subcommand(
        "status", "Processes, devices (last seen, missing, duplicates), and how long the log lasts"
    );
    add_state(*status, chosen);
    status->callback([&chosen] { chosen.run = [&chosen] { return run_status(chosen.state_dir); }; }
    );
}

}  // namespace stator::commands
