#include "app/config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stator::config {

namespace {

Outcome<void> parse(std::string& into, const std::string& text) {
    into = text;
    return {};
}

template <typename Number>
Outcome<void> parse(Number& into, const std::string& text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return fail(base::Fault::bad_input, fmt::format("'{}' is not a number in range", text));
    into = value;
    return {};
}

std::string toml_of(const std::string& value) {
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "\"";
}

template <typename Number>
std::string toml_of(const Number& value) {
    return fmt::format("{}", value);
}

template <typename T>
Key key(
    std::string name, T Config::* member, std::string what, std::vector<ContractName> contract
) {
    return {
        .name = std::move(name),
        .contract_names = std::move(contract),
        .what = std::move(what),
        .set = [member](Config& c, const std::string& text) { return parse(c.*member, text); },
        .get = [member](const Config& c) { return toml_of(c.*member); }
    };
}

template <typename Group, typename T>
Key key(
    std::string name,
    Group Config::* group,
    T Group::* member,
    std::string what,
    std::vector<ContractName> contract = {}
) {
    return {
        .name = std::move(name),
        .contract_names = std::move(contract),
        .what = std::move(what),
        .set = [group, member](
                   Config& c, const std::string& text
               ) { return parse(c.*group.*member, text); },
        .get = [group, member](const Config& c) { return toml_of(c.*group.*member); }
    };
}

Key one_of(Key key, std::vector<std::string> words) {
    key.set = [set = std::move(key.set),
               words = std::move(words)](Config& config, const std::string& text) {
        if (std::ranges::find(words, text) != words.end()) return set(config, text);
        return Outcome<void>{fail(
            base::Fault::bad_input,
            fmt::format("'{}' is not one of {}", text, fmt::join(words, ", "))
        )};
    };
    return key;
}

Key at_least_one(Key key) {
    key.set = [set = std::move(key.set)](Config& config, const std::string& text) {
        if (text != "0") return set(config, text);
        return Outcome<void>{fail(base::Fault::bad_input, "must be at least 1")};
    };
    return key;
}

std::vector<Key> make_keys() {
    std::vector<Key> made;
    const auto add = [&](Key it) { made.push_back(std::move(it)); };
    add(key("site.name", &Config::site_name, "names the CA and this site", {}));
    add(key("site.host", &Config::host, "how devices reach this machine", {}));
    add(key("site.listen", &Config::listen_address, "address that services listen on", {}));
    const auto port = [&](const char* name,
                          std::uint16_t Ports::* member,
                          const char* what,
                          std::vector<ContractName> contract = {}) {
        add(key(std::string{"ports."} + name, &Config::ports, member, what, std::move(contract)));
    };
    port("mqtt", &Ports::mqtt, "MQTT without TLS, loopback, listed legacy devices only; 0: closed");
    port("mqtts", &Ports::mqtts, "MQTT over mutual TLS");
    port("wss", &Ports::wss, "MQTT over WebSockets and mutual TLS; 0: closed");
    port("devices", &Ports::devices, "device registry, HTTPS", {{"PORT", "registry devices"}});
    port("models", &Ports::models, "model registry, HTTPS", {{"PORT", "registry models"}});
    port(
        "datasets", &Ports::datasets, "training datastore, HTTPS", {{"PORT", "registry datasets"}}
    );
    port("console", &Ports::console, "the page, loopback");
    port(
        "level2_line",
        &Ports::level2_line,
        "level 2's line socket, loopback; 0: closed",
        {"SIDECAR_PORT", {"PORT", "sidecar"}}
    );
    port("ops_up", &Ports::ops_up, "/healthz and /metrics of the supervisor, loopback");
    port("ops_registry", &Ports::ops_registry, "/healthz and /metrics, loopback");
    port("ops_ingest", &Ports::ops_ingest, "/healthz and /metrics, loopback");
    port("ops_learn", &Ports::ops_learn, "/healthz and /metrics, loopback");
    port("ops_level2", &Ports::ops_level2, "/healthz and /metrics, loopback");
    port("ops_console", &Ports::ops_console, "/healthz and /metrics, loopback");
    port("ops_bridge", &Ports::ops_bridge, "/healthz and /metrics, loopback");
    port("ops_sidecar", &Ports::ops_sidecar, "/healthz and /metrics, loopback");
    port("ops_adopt", &Ports::ops_adopt, "/healthz and /metrics, loopback");
    port("ops_node", &Ports::ops_node, "/healthz and /metrics, loopback");
    add(
        key("topics.data",
            &Config::topics,
            &Topics::data,
            "telemetry",
            {"DATA-TOPIC", "MQTT-TOPIC", "TOPIC"})
    );
    add(key("topics.level1", &Config::topics, &Topics::level1, "level-1 inferences"));
    add(key("topics.level2", &Config::topics, &Topics::level2, "level-2 alerts"));
    add(key("topics.control", &Config::topics, &Topics::control, "commands", {"CONTROL-TOPIC"}));
    add(key("ingest.stream", &Config::ingest_stream, "what it reads: log or kafka", {}));
    add(key("ingest.max_rows", &Config::ingest_max_rows, "rows of a raw CSV", {"MAX_ROWS"}));
    add(
        key("ingest.upload_url",
            &Config::ingest_upload_url,
            "where raw CSVs go; empty: this site's registry",
            {"TRAINING_DATA_UPLOAD_REGISTRY_URL"})
    );
    add(
        key("learn.drift_threshold",
            &Config::learn_drift_threshold,
            "shift of a feature's mean that is drift, sd",
            {"DRIFT_THRESHOLD"})
    );
    const auto url = [&](const char* name,
                         std::string Config::* member,
                         const char* what,
                         std::vector<ContractName> contract) {
        add(key(std::string{"learn."} + name, member, what, std::move(contract)));
    };
    url("raw_url",
        &Config::learn_raw_url,
        "whole URL before a raw CSV's name; empty: this site's, as for those below",
        {"RAW_TRAINING_DATA_DOWNLOAD_REGISTRY_URL"});
    url("normalised_url",
        &Config::learn_normalised_url,
        "before a normalised CSV's name",
        {"TRAINING_DATA_URL"});
    url("normalised_upload_url",
        &Config::learn_normalised_upload_url,
        "where normalised CSVs go",
        {"NORMALIZED_DATA_UPLOAD_REGISTRY_URL"});
    url("full_url",
        &Config::learn_full_url,
        "before a full-precision model's name",
        {"MODEL_DOWNLOAD_REGISTRY_URL"});
    url("full_upload_url",
        &Config::learn_full_upload_url,
        "where full-precision models go",
        {"MODEL_REGISTRY_URL"});
    url("quantised_upload_url",
        &Config::learn_quantised_upload_url,
        "where quantised models go, and are signed",
        {"MODEL_UPLOAD_REGISTRY_URL"});
    add(at_least_one(
        key("learn.epochs",
            &Config::learn_epochs,
            "passes over the rows, of family classifier",
            {"EPOCS", "EPOCHS"})
    ));
    add(at_least_one(
        key("learn.batch_size",
            &Config::learn_batch_size,
            "rows a step, of family classifier",
            {"BATCH_SIZE"})
    ));
    add(key("learn.stream", &Config::learn_stream, "what it reads: log or kafka", {}));
    add(one_of(
        key("learn.family",
            &Config::learn_family,
            "baseline, or classifier once two alarms were called true",
            {}),
        {"baseline", "classifier"}
    ));
    add(key("level2.stream", &Config::level2_stream, "what it reads: log, kafka or mqtt", {}));
    add(
        key("level2.group",
            &Config::level2_group,
            "its durable name as a reader, and in Kafka's group",
            {"STREAM_GRP_ID"})
    );
    add(
        key("level2.models_url",
            &Config::level2_models_url,
            "whole URL before a quantised model's name, its manifest under /manifest of the same "
            "host; empty: this site's registry",
            {{"MODEL_REGISTRY_URL", "level2"}})
    );
    add(
        key("level2.engine",
            &Config::level2_engine,
            "tinyml, or tflite:PATH of a library with TensorFlow Lite's C API",
            {})
    );
    add(
        key("level2.delegate",
            &Config::level2_delegate,
            "of tflite: path of an external delegate's library (an Edge TPU's); empty: none",
            {})
    );
    add(
        key("level2.delegate_options",
            &Config::level2_delegate_options,
            "of that delegate: key=value,key=value",
            {})
    );
    add(key("sidecar.stream", &Config::sidecar_stream, "what it reads: log or kafka", {}));
    add(
        key("sidecar.group",
            &Config::sidecar_group,
            "its durable name as a reader, and in Kafka's group",
            {"STREAM_GRP_ID"})
    );
    add(
        key("sidecar.server",
            &Config::sidecar_server,
            "HOST:PORT of a foreign inference; empty: ports.level2_line here",
            {})
    );
    add(key("node.interval_ms", &Config::node_interval_ms, "between two readings", {}));
    add(
        key("node.waveform_interval_s",
            &Config::node_waveform_interval_s,
            "between raw frames of a healthy machine; 0: only with an alarm, or asked for",
            {})
    );
    add(key("node.device", &Config::node_device, "deviceID of `stator node`", {}));
    add(key("log.telemetry_bytes", &Config::log_telemetry_bytes, "byte budget", {}));
    add(key("log.waveform_bytes", &Config::log_waveform_bytes, "byte budget", {}));
    add(key("log.alarm_bytes", &Config::log_alarm_bytes, "byte budget, preallocated", {}));
    add(key("log.control_bytes", &Config::log_control_bytes, "byte budget, preallocated", {}));
    add(
        key("gate.rate_per_s",
            &Config::gate_rate_per_s,
            "messages of one device in a second; 0: any number",
            {})
    );
    add(key("gate.payload_bytes_max", &Config::gate_payload_bytes_max, "of one message", {}));
    const auto kafka = [&](const char* name,
                           std::string Kafka::* member,
                           const char* what,
                           std::vector<ContractName> contract = {}) {
        add(key(std::string{"kafka."} + name, &Config::kafka, member, what, std::move(contract)));
    };
    kafka("bootstrap", &Kafka::bootstrap, "host:port,host:port; empty: none", {"KAFKA-BROKER"});
    kafka("security", &Kafka::security, "plaintext, ssl, sasl_plaintext or sasl_ssl");
    kafka("mechanism", &Kafka::mechanism, "of sasl: SCRAM-SHA-512 or SCRAM-SHA-256");
    kafka("username", &Kafka::username, "of sasl");
    kafka("password_file", &Kafka::password_file, "of sasl: a file with the password");
    kafka("ca", &Kafka::ca, "of ssl: a PEM file; empty: this machine's CAs");
    kafka("certificate", &Kafka::certificate, "of ssl: our own, PEM; empty: none");
    kafka("key", &Kafka::key, "of ssl: its key, PEM");
    kafka(
        "data_topic",
        &Kafka::data_topic,
        "telemetry's name there; empty: topics.data, '/' as '.'",
        {"KAFKA-TOPIC"}
    );
    add(
        key("bridge.mqtt_broker",
            &Config::bridge_mqtt_broker,
            "tcp://HOST:PORT of a broker over mutual TLS; empty: this site's",
            {"MQTT-BROKER"})
    );
    add(
        key("bridge.mqtt_id",
            &Config::bridge_mqtt_id,
            "its MQTT client id, and whose certificate it shows",
            {"MQTT-ID"})
    );
    add(
        key("adopt.map",
            &Config::adopt_map,
            "reads other brokers into the log by this map; empty: none",
            {})
    );
    add(key("demo.acceleration", &Config::demo_acceleration, "plant seconds in one of ours", {}));
    add(key("demo.seed", &Config::demo_seed, "of the simulated motor and its hidden fault", {}));
    add(key("paths.web", &Config::web_dir, "the built page; empty: beside the program", {}));
    add(key("paths.broker", &Config::broker, "the mosquitto program; empty: found", {}));
    add(key("paths.gate", &Config::gate, "the gate plugin; empty: beside the program", {}));
    return made;
}

}  // namespace

const std::vector<Key>& keys() {
    static const std::vector<Key> table = make_keys();
    return table;
}

}  // namespace stator::config
