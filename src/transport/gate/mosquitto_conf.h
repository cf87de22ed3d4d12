// mosquitto_conf() writes the configuration of the broker that carries the gate.
//
// TLS with client certificates is the only way in, but for the plain listener on the loopback,
// which is there for the listed legacy devices and only when it is asked for. No persistence: the
// log is the memory. Every line that differs from Mosquitto's default has its reason beside it.
#pragma once

#include "shared/wire/topics.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace stator::gate {

struct MosquittoConf {
    std::string state_directory;
    std::string plugin_file;  // .../stator_gate.so
    std::string ca_file;
    std::string certificate_file;  // the server's chain
    std::string key_file;
    std::string user;          // whom a broker started by root becomes; see docs
    std::string bind_address;  // empty: all
    std::uint16_t port = 8883;
    std::uint16_t websockets_port = 0;  // TLS, with client certificates; 0: none
    std::uint16_t plain_port = 0;       // 127.0.0.1 only; 0: none
    wire::Topics topics;                // what stored messages of each kind are called
    std::size_t payload_bytes_max = 64U << 10U;
    std::size_t queued_messages_max = 1000;  // per session
    double rate_per_s = 5000.0;              // of one device
    // The logs' budgets; alarm and control are reserved on the disk at the start.
    std::uint64_t waveform_bytes = 256ULL << 20U;
    std::uint64_t telemetry_bytes = 1024ULL << 20U;
    std::uint64_t alarm_bytes = 8ULL << 20U;
    std::uint64_t control_bytes = 8ULL << 20U;
    std::string required = "ingest:telemetry";  // readers that pin the log: name:class,...
};

// Fault::bad_input when a path holds what a line of the file cannot.
[[nodiscard]] Outcome<std::string> mosquitto_conf(const MosquittoConf& conf);

}  // namespace stator::gate
