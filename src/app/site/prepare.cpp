#include "app/site/prepare.h"

#include "app/config/topics.h"
#include "app/site/layout.h"
#include "sense/port/host/provisioning.h"
#include "store/devices/registry.h"
#include "store/identity/enrolment.h"
#include "store/identity/tokens.h"
#include "transport/bridge/bridge.h"
#include "transport/gate/mosquitto_conf.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

namespace stator::site {

namespace {

constexpr std::size_t config_bytes_max = 1U << 20U;
constexpr unsigned private_mode = 0600;

Outcome<void> read_if_there(disk::Disk& disk, config::Config& config, const std::string& file) {
    if (!disk.exists(file)) return {};
    auto text = disk.read_all(file, config_bytes_max);
    if (!text) return std::unexpected(text.error());
    return config::read_toml(config, *text, file);
}

std::string random_hex(chance::Chance& chance) {
    std::string made;
    for (int i = 0; i < 4; ++i)
        made += fmt::format("{:016x}", chance.next_u64());
    return made;
}

// nodes/<id>/provisioning.json, with a one-time code while it is not enrolled.
Outcome<void> write_provisioning(
    doors::Doors& doors,
    const config::Config& config,
    const identity::Site& site,
    const std::string& device,
    identity::Role role
) {
    const Layout layout{config};
    const std::string directory = layout.path("nodes/" + device);
    if (auto done = doors.disk.make_directories(directory); !done) return done;
    auto signing_key = doors.disk.read_all(site.pki("model-signing.pub"), 4096);
    if (!signing_key) return std::unexpected(signing_key.error());
    host::Provisioning it;
    it.device = device;
    it.mqtt_host = config.host;
    it.mqtt_port = config.ports.mqtts;
    it.devices_url = layout.devices_url();
    it.models_url = layout.models_url();
    it.ca_sha256 = site.ca_sha256;
    it.model_public_pem = *signing_key;
    if (!host::is_enrolled(doors, directory)) {
        identity::Enrolment enrolment{doors, site};
        auto code = enrolment.make_code(device, role);
        if (!code) return std::unexpected(code.error());
        it.code = *code;
    }
    return doors.disk.replace(directory + "/provisioning.json", host::to_json(it), private_mode);
}

}  // namespace

Outcome<config::Config> load(
    disk::Disk& disk,
    const std::string& state_dir,
    const config::Environment& environment,
    const std::string& component
) {
    config::Config config;
    config.state_dir = state_dir;
    for (const char* file : {"/stator.toml", "/run/ports.toml"})
        if (auto done = read_if_there(disk, config, state_dir + file); !done)
            return std::unexpected(done.error());
    if (auto done = config::read_environment(config, environment, component); !done)
        return std::unexpected(done.error());
    if (auto topics = config::wire_topics(config.topics); !topics)
        return std::unexpected(topics.error());
    return config;
}

Outcome<void> write_config(disk::Disk& disk, const config::Config& config, bool demo) {
    const std::string file = config.state_dir + "/stator.toml";
    if (auto done = disk.make_directories(config.state_dir + "/run"); !done) return done;
    if (disk.exists(file)) return {};
    return disk.replace(file, config::default_toml(config, demo));
}

Outcome<std::vector<std::string>> choose_ports(doors::Doors& doors, config::Config& config) {
    config::Ports& ports = config.ports;
    const std::array<std::pair<const char*, std::uint16_t*>, 18> wanted{{
        {"MQTT for legacy devices", &ports.mqtt},
        {"MQTT over TLS", &ports.mqtts},
        {"MQTT over WebSockets", &ports.wss},
        {"device registry", &ports.devices},
        {"model registry", &ports.models},
        {"training datastore", &ports.datasets},
        {"console", &ports.console},
        {"level 2's line socket", &ports.level2_line},
        {"supervisor's /metrics", &ports.ops_up},
        {"registry's /metrics", &ports.ops_registry},
        {"ingest's /metrics", &ports.ops_ingest},
        {"learn's /metrics", &ports.ops_learn},
        {"level2's /metrics", &ports.ops_level2},
        {"console's /metrics", &ports.ops_console},
        {"bridge's /metrics", &ports.ops_bridge},
        {"sidecar's /metrics", &ports.ops_sidecar},
        {"adopt's /metrics", &ports.ops_adopt},
        {"node's /metrics", &ports.ops_node},
    }};
    std::vector<std::string> told;
    std::vector<std::unique_ptr<http::Server>> held;  // until all are chosen: no port twice
    for (const auto& [what, port] : wanted) {
        const bool may_stay_closed =
            port == &ports.mqtt || port == &ports.wss || port == &ports.level2_line;
        if (may_stay_closed && *port == 0) continue;
        const auto nobody = [](const http::Request&) { return http::Response{}; };
        http::ListenOptions options;
        options.address = config.listen_address;
        options.port = *port;
        auto probe = doors.http.listen(options, nobody);
        if (!probe) {
            options.port = 0;
            probe = doors.http.listen(options, nobody);
            if (!probe) return std::unexpected(probe.error());
            told.push_back(
                fmt::format("{}: port {} is taken, using {}", what, *port, (*probe)->port())
            );
            *port = (*probe)->port();
        }
        held.push_back(std::move(*probe));
    }
    if (auto done = doors.disk.make_directories(config.state_dir + "/run"); !done)
        return std::unexpected(done.error());
    if (auto done = doors.disk.replace(
            config.state_dir + "/run/ports.toml", config::ports_toml(config.ports)
        );
        !done)
        return std::unexpected(done.error());
    return told;
}

Outcome<std::string> write_broker_conf(
    doors::Doors& doors, const config::Config& config, const std::string& user
) {
    const Layout layout{config};
    gate::MosquittoConf conf;
    conf.state_directory = config.state_dir;
    conf.plugin_file = config.gate;
    conf.ca_file = layout.pki("ca.pem");
    conf.certificate_file = layout.pki("server.pem");
    conf.key_file = layout.pki("server.key");
    conf.user = user;
    conf.bind_address = config.listen_address;
    conf.port = config.ports.mqtts;
    conf.plain_port = config.ports.mqtt;
    conf.websockets_port = config.ports.wss;
    auto topics = config::wire_topics(config.topics);
    if (!topics) return std::unexpected(topics.error());
    conf.topics = *topics;
    conf.rate_per_s = config.gate_rate_per_s;
    conf.payload_bytes_max = config.gate_payload_bytes_max;
    conf.waveform_bytes = config.log_waveform_bytes;
    conf.telemetry_bytes = config.log_telemetry_bytes;
    conf.alarm_bytes = config.log_alarm_bytes;
    conf.control_bytes = config.log_control_bytes;
    // Who reads Kafka must not pin a log that it never comes to.
    if (config.ingest_stream != "log") conf.required.clear();
    if (!config.kafka.bootstrap.empty())
        conf.required += (conf.required.empty() ? "" : ",") + bridge::required_readers();
    auto text = gate::mosquitto_conf(conf);
    if (!text) return std::unexpected(text.error());
    for (const char* below : {"conf", "log", "run", "journal"})
        if (auto done = doors.disk.make_directories(layout.path(below)); !done)
            return std::unexpected(done.error());
    const std::string file = layout.path("conf/mosquitto.conf");
    if (auto done = doors.disk.replace(file, *text); !done) return std::unexpected(done.error());
    return file;
}

Outcome<void> provision(
    doors::Doors& doors,
    const config::Config& config,
    const identity::Site& site,
    const asset::Asset& asset
) {
    auto registry = devices::Registry::make(doors, {.state_directory = config.state_dir});
    if (!registry) return std::unexpected(registry.error());
    const std::string device{asset.device.view()};
    const std::string level2 = "level2-1";
    for (const auto& [id, role, title] :
         {std::tuple{device, identity::Role::actor, std::string{asset.title.view()}},
          std::tuple{level2, identity::Role::level2, std::string{"level-2 inference"}}}) {
        if (auto done = (*registry)->provision(id, role, title); !done) return done;
        if (auto done = (*registry)->activate(id); !done) return done;
    }
    if (auto done = (*registry)->assign(level2, {device}); !done) return done;
    return write_provisioning(doors, config, site, device, identity::Role::actor);
}

Outcome<void> provision_level2(
    doors::Doors& doors,
    const config::Config& config,
    const identity::Site& site,
    const std::string& id,
    const std::vector<std::string>& devices
) {
    auto registry = devices::Registry::make(doors, {.state_directory = config.state_dir});
    if (!registry) return std::unexpected(registry.error());
    constexpr identity::Role role = identity::Role::level2;
    if (doors.disk.exists(site.certificate_file(id)))
        return fail(base::Fault::exists, id + " is a service of this site: choose another id");
    if (auto done = (*registry)->provision(id, role, "level-2 board"); !done) return done;
    auto known = (*registry)->list();
    if (!known) return std::unexpected(known.error());
    for (const devices::Device& device : *known)
        if (device.id == id && device.role != role)
            return fail(
                base::Fault::exists,
                fmt::format(
                    "{} is a device of the role {} here", id, identity::name_of(device.role)
                )
            );
    if (auto done = (*registry)->activate(id); !done) return done;
    if (auto done = (*registry)->assign(id, devices); !done) return done;
    return write_provisioning(doors, config, site, id, role);
}

Outcome<std::string> operator_token(doors::Doors& doors, const config::Config& config) {
    const Layout layout{config};
    const std::string file = layout.path("run/operator.token");
    identity::Tokens tokens{doors, layout.pki("tokens.json")};
    if (doors.disk.exists(file)) {
        auto kept = doors.disk.read_all(file, 256);
        if (kept && tokens.find(*kept)) return *kept;
    }
    const std::string name = "local-operator";
    if (auto removed = tokens.remove(name);
        !removed && removed.error().fault != base::Fault::not_found)
        return std::unexpected(removed.error());
    auto token = tokens.add(name, identity::Role::operator_);
    if (!token) return token;
    if (auto done = doors.disk.replace(file, *token, private_mode); !done)
        return std::unexpected(done.error());
    return *token;
}

Outcome<std::string> plant_token(doors::Doors& doors, const config::Config& config) {
    const std::string token = random_hex(doors.chance);
    if (auto done = doors.disk.replace(config.state_dir + "/run/plant.token", token, private_mode);
        !done)
        return std::unexpected(done.error());
    return token;
}

}  // namespace stator::site
