#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/loop/loop.h"
#include "app/parts/parts.h"
#include "transport/adopt/adoption.h"
#include "world/kafka/rdkafka.h"
#include "world/mqtt/socket_reader.h"
#include "world/process/self.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>
#include <optional>

namespace stator::commands {

namespace {

struct Asked {
    std::string map;
    bool check = false;
    std::optional<std::uint16_t> ops_port;
};

int check(real::Real& real, const config::Config& config, const std::string& file) {
    auto text = real.disk.read_all(file, adopt::map_bytes_max);
    if (!text) return tell(text.error());
    auto map = adopt::read_map(*text, file, config.assets);
    if (!map) return tell(map.error());
    for (const adopt::Source& source : map->sources) {
        const adopt::Broker& broker = map->brokers[source.broker];
        fmt::print("{}: {} {}\n", source.where, broker.name, source.topic.filter());
        for (const adopt::Field& field : source.fields)
            fmt::print(
                "    {} = {} [{} -> {}]\n",
                field.channel,
                field.path.text,
                field.from.name,
                field.to.name
            );
        if (source.inference)
            fmt::print(
                "    level-1 inference = {}, alarm from {}\n",
                source.inference->text,
                source.threshold
            );
    }
    return 0;
}

int adopt_now(const std::string& state_dir, Asked asked) {
    real::Real real;
    loop::catch_signals();
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    if (asked.map.empty()) asked.map = config->adopt_map;
    if (asked.map.empty())
        return tell({base::Fault::bad_input, "name a map with --map, or set adopt.map"});
    if (!asked.map.starts_with("/")) asked.map = process::working_directory() + "/" + asked.map;
    if (asked.check) return check(real, *config, asked.map);
    mqtt::SocketReaders readers{real.clock, real.chance};
    kafka::RealKafka kafka;
    const auto make = [&] {
        return parts::make_adopt(
            real.doors, {.mqtt = &readers, .kafka = &kafka}, *config, asked.map
        );
    };
    return loop::run(real.doors, "adopt", make, asked.ops_port.value_or(config->ports.ops_adopt));
}

}  // namespace

void add_adopt(CLI::App& program, Chosen& chosen) {
    auto* command =
        program.add_subcommand("adopt", "Reads a site's own brokers into the log, by a map");
    auto asked = std::make_shared<Asked>();
    add_state(*command, chosen);
    command->add_option(
        "--map", asked->map, "The map (docs/adopt-a-broker.md); default: adopt.map"
    );
    command->add_flag("--check", asked->check, "Only read the map and say what it means");
    command->add_option(
        "--ops-port",
        asked->ops_port,
        "/healthz and /metrics, loopback; 0: free; default: ports.ops_adopt"
    );
    command->callback([&chosen, asked] {
        chosen.run = [&chosen, asked] { return adopt_now(chosen.state_dir, *asked); };
    });
}

}  // namespace stator::commands
