// The Config is everything that a site can set: one TOML file, each key overridable by environment.
//
// `ingest.max_rows` in the file is STATOR_INGEST_MAX_ROWS in the environment; the contract's own
// names (MAX_ROWS, DATA-TOPIC or DATA_TOPIC, ...) work too and win; what PORT and
// MODEL_REGISTRY_URL mean is each component's own. An unknown key is an Error that
// names it and the keys there are. run/ports.toml, written by `stator up` where default ports were
// taken, is read after the file.
#pragma once

#include "shared/asset/asset.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stator::config {

struct Ports {
    std::uint16_t mqtt = 1883;  // without TLS, loopback, for listed legacy devices; 0: not opened
    std::uint16_t mqtts = 8883;
    std::uint16_t wss = 8084;  // MQTT over WebSockets, mutual TLS; 0: not opened
    std::uint16_t devices = 30006;
    std::uint16_t models = 30007;
    std::uint16_t datasets = 30008;
    std::uint16_t console = 8080;
    std::uint16_t level2_line = 9898;  // level 2's line socket, loopback; 0: not opened
    // Where each process answers /healthz and /metrics, on loopback.
    std::uint16_t ops_registry = 9101;
    std::uint16_t ops_ingest = 9102;
    std::uint16_t ops_learn = 9103;
    std::uint16_t ops_level2 = 9104;
    std::uint16_t ops_console = 9105;
    std::uint16_t ops_node = 9106;
    std::uint16_t ops_bridge = 9107;
    std::uint16_t ops_sidecar = 9108;
    std::uint16_t ops_adopt = 9109;
    std::uint16_t ops_up = 9100;
};

struct Topics {
    std::string data = "shaded-pole-motor-sensor_data";
    std::string level1 = "motor-anomaly-level1-inference";
    std::string level2 = "motor-failure-alert-level2-inference";
    std::string control = "control-message";
};

struct Kafka {
    std::string bootstrap;  // empty: there is none
    std::string security = "ssl";
    std::string mechanism = "SCRAM-SHA-512";
    std::string username;
    std::string password_file;
    std::string ca;
    std::string certificate;
    std::string key;
    std::string data_topic;  // empty: as topics.data
};

struct Config {
    std::string state_dir;
    std::string site_name = "site";
    std::string host = "127.0.0.1";  // how devices reach this machine
    std::string listen_address = "127.0.0.1";
    Ports ports;
    Topics topics;
    Kafka kafka;

    // Where each consumer reads: "log" or "kafka".
    std::string ingest_stream = "log";
    std::string learn_stream = "log";
    std::string level2_stream = "log";
    std::string sidecar_stream = "log";

    std::string level2_models_url;  // empty: this site's registry

    // What runs level 2's models: "tinyml" or "tflite:PATH", and the delegate of the latter.
    std::string level2_engine = "tinyml";
    std::string level2_delegate;
    std::string level2_delegate_options;  // key=value,key=value

    // The durable names of these consumers: their Kafka groups have them.
    std::string level2_group = "level2";
    std::string sidecar_group = "sidecar";
    std::string sidecar_server;  // HOST:PORT of a foreign inference; empty: ports.level2_line here

    std::uint32_t ingest_max_rows = 3000;
    std::string ingest_upload_url;  // empty: this site's registry

    double learn_drift_threshold = 2.0;  // sd
    // Where the learning tasks find and put what they make, whole URLs; empty: this site's
    // registry.
    std::string learn_raw_url;
    std::string learn_normalised_url;
    std::string learn_normalised_upload_url;
    std::string learn_full_url;
    std::string learn_full_upload_url;
    std::string learn_quantised_upload_url;
    std::uint32_t learn_epochs = 2;
    std::uint32_t learn_batch_size = 32;
    std::string learn_family = "baseline";

    std::uint32_t node_interval_ms = 1000;
    std::uint32_t node_waveform_interval_s = 0;
    std::string node_device;

    std::uint64_t log_telemetry_bytes = 1ULL << 30U;
    std::uint64_t log_waveform_bytes = 256ULL << 20U;
    std::uint64_t log_alarm_bytes = 8ULL << 20U;
    std::uint64_t log_control_bytes = 8ULL << 20U;

    double gate_rate_per_s = 5000.0;                // messages of one device; 0: any number
    std::uint32_t gate_payload_bytes_max = 65'536;  // of one message

    std::string bridge_mqtt_broker;  // tcp://HOST:PORT; empty: this site's
    std::string bridge_mqtt_id = "bridge";

    std::string adopt_map;  // of the brokers that the site keeps; empty: none

    double demo_acceleration = 40.0;  // seconds of plant time in one of ours
    std::uint64_t demo_seed = 7;

    std::string web_dir;  // the built page
    std::string broker;   // the mosquitto program
    std::string gate;     // the plugin

    std::vector<asset::Asset> assets;
};

using Environment = std::map<std::string, std::string>;

// `toml` is the file's text, `file` its name for messages.
[[nodiscard]] Outcome<void> read_toml(
    Config& config, std::string_view toml, const std::string& file
);
// `component` is who reads: "level2", "registry models"; names that mean something to others only
// are passed over.
[[nodiscard]] Outcome<void> read_environment(
    Config& config, const Environment& environment, std::string_view component = {}
);
// What a new site's stator.toml says, with a line of comment for each key.
[[nodiscard]] std::string default_toml(const Config& config, bool demo);
[[nodiscard]] std::string ports_toml(const Ports& ports);
[[nodiscard]] Outcome<const asset::Asset*> asset_of_device(
    const Config& config, std::string_view device
);

}  // namespace stator::config
