// World is every door of a rehearsal, simulated from one seed, and the broker with the gate in it.
#pragma once

#include "store/devices/rights.h"
#include "transport/gate/gate.h"
#include "transport/gate/log_storage.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/doors/doors.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <cstdint>
#include <memory>
#include <string>

namespace stator::rehearsal {

// Changes a byte of every model on its way, while it is told to: a bad line, a bad disk, a bad
// peer.
class Tampering final : public http::Http {
  public:
    explicit Tampering(http::Http& inner) : inner_{inner} {}

    void tamper(bool on) { on_ = on; }

    [[nodiscard]] stator::Outcome<std::unique_ptr<http::Server>> listen(
        http::ListenOptions options, http::Handler handler
    ) override {
        return inner_.listen(std::move(options), std::move(handler));
    }

    [[nodiscard]] stator::Outcome<http::Response> request(const http::ClientRequest& request
    ) override {
        auto response = inner_.request(request);
        if (on_ && response && request.url.find("/quantized/") != std::string::npos &&
            !response->body.empty()) {
            char& byte = response->body[response->body.size() / 2];
            byte = static_cast<char>(byte ^ 1);
        }
        return response;
    }

  private:
    http::Http& inner_;
    bool on_ = false;
};

class World {
  public:
    explicit World(std::uint64_t seed);

    // The broker, with the gate on the log in `state_dir`; after the site was initialised.
    [[nodiscard]] stator::Outcome<void> start_broker(
        const std::string& state_dir, std::uint64_t telemetry_bytes
    );
    // Whoever holds this certificate file is known to the broker by what stands in it.
    [[nodiscard]] stator::Outcome<void> know(const std::string& certificate_file);

    clock::VirtualClock clock;
    chance::SeededChance chance;
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    tls::SimulatedTls tls;
    http::SimulatedHttp http;
    Tampering device_http;
    mqtt::SimulatedMqtt mqtt;
    database::SimulatedDatabases databases;
    doors::Doors doors;
    doors::Doors device_doors;  // the device's: its models may be tampered with

  private:
    gate::RunAtOnce runner_;
    std::unique_ptr<gate::LogStorage> storage_;
    std::unique_ptr<devices::RightsReader> rights_;
    std::unique_ptr<gate::Gate> gate_;
};

}  // namespace stator::rehearsal
