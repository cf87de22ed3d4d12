#include "transport/gate/mosquitto_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace stator::gate {

namespace {

// Beyond this many payloads the broker itself cuts a packet off, unread and without a word; what is
// smaller the gate refuses, counts and names.
constexpr std::size_t packet_payloads_max = 4;

bool fits_a_line(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

std::string tls_lines(const MosquittoConf& conf) {
    return fmt::format(
        "cafile {}\n"
        "certfile {}\n"
        "keyfile {}\n"
        "tls_version tlsv1.2\n"  // the lowest; 1.3 is taken where the client has it
        "require_certificate true\n"
        "use_identity_as_username false\n",  // else the gate is not asked at CONNECT
        conf.ca_file,
        conf.certificate_file,
        conf.key_file
    );
}

}  // namespace

Outcome<std::string> mosquitto_conf(const MosquittoConf& conf) {
    for (const std::string* text :
         {&conf.state_directory,
          &conf.plugin_file,
          &conf.ca_file,
          &conf.certificate_file,
          &conf.key_file,
          &conf.user,
          &conf.required,
          &conf.bind_address})
        if (!fits_a_line(*text))
            return fail(
                base::Fault::bad_input,
                "mosquitto.conf cannot hold a path with a line end in it: " + *text
            );
    std::string text = fmt::format(
        "# Written by `stator up` at each start; changes are lost.\n"
        "per_listener_settings false\n"  // true: Mosquitto 2.0.11 never calls a plugin's tick
        "allow_anonymous false\n"
        "persistence false\n"
        "set_tcp_nodelay true\n"       // else TLS 1.3 waits 50 ms in each handshake
        "connection_messages false\n"  // two lines a connection
        "log_type error\n"
        "log_type warning\n"
        "log_type notice\n"
        "log_dest stderr\n"     // unbuffered, unlike stdout
        "max_packet_size {}\n"  // message_size_limit would acknowledge what it drops
        "max_queued_messages {}\n"
        "max_keepalive 3600\n",
        conf.payload_bytes_max * packet_payloads_max,
        conf.queued_messages_max
    );
    if (!conf.user.empty()) text += fmt::format("user {}\n", conf.user);
    text += fmt::format(
        "plugin {}\n"
        "plugin_opt_state {}\n"
        "plugin_opt_payload_bytes_max {}\n"
        "plugin_opt_rate_per_s {}\n"
        "plugin_opt_waveform_bytes {}\n"
        "plugin_opt_telemetry_bytes {}\n"
        "plugin_opt_alarm_bytes {}\n"
        "plugin_opt_control_bytes {}\n",
        conf.plugin_file,
        conf.state_directory,
        conf.payload_bytes_max,
        conf.rate_per_s,
        conf.waveform_bytes,
        conf.telemetry_bytes,
        conf.alarm_bytes,
        conf.control_bytes
    );
    for (const auto& [option, topic] :
         {std::pair{"data", &conf.topics.data},
          std::pair{"level1", &conf.topics.inference},
          std::pair{"level2", &conf.topics.alert},
          std::pair{"control", &conf.topics.control}})
        text += fmt::format("plugin_opt_topic_{} {}\n", option, topic->view());
    if (!conf.required.empty()) text += fmt::format("plugin_opt_required {}\n", conf.required);
    text += conf.bind_address.empty()
                ? fmt::format("listener {}\n", conf.port)
                : fmt::format("listener {} {}\n", conf.port, conf.bind_address);
    text += tls_lines(conf);
    if (conf.websockets_port != 0) {
        text += conf.bind_address.empty()
                    ? fmt::format("listener {}\n", conf.websockets_port)
                    : fmt::format("listener {} {}\n", conf.websockets_port, conf.bind_address);
        text += "protocol websockets\n" + tls_lines(conf);
    }
    if (conf.plain_port != 0) text += fmt::format("listener {} 127.0.0.1\n", conf.plain_port);
    return text;
}

}  // namespace stator::gate
