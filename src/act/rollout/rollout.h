// Rollout brings each newly promoted model to everybody who is meant, and stops when it goes wrong.
//
// Desired state: the registry's promoted model of a class and level is what its devices should run.
// Level 1 goes to each device of the class on its own command topic, again at each of its starts
// and presences and every `again_ms` until it confirms; when all have, `download-model` is
// broadcast on control-message. Level 2 is broadcast at once, and said again to whoever comes in
// that role, for a microcontroller in it reads no log. A refusal, or silence past the deadline,
// stops the roll-out: the devices keep what they run.
#pragma once

#include "shared/asset/asset.h"
#include "shared/wire/messages.h"
#include "store/rollouts/rollouts.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stator::rollout {

struct Options {
    std::string file;          // <state>/console/rollouts.db
    std::string registry_url;  // "https://127.0.0.1:30007"
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::vector<asset::Asset> assets;
    std::string control_topic = "control-message";
    std::int64_t poll_ms = 500;  // of the registry
    std::int64_t again_ms = 5'000;
    std::int64_t deadline_ms = 120'000;
};

class Rollout {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Rollout>> make(
        doors::Doors& doors,
        stream::Stream& stream,
        mqtt::Client& client,
        metrics::Metrics& metrics,
        Options options
    );

    [[nodiscard]] Outcome<bool> step();

    void on_event(const mqtt::Event& event) { outbox_->on_event(event); }

    [[nodiscard]] rollouts::Rollouts& store() { return *store_; }

  private:
    Rollout(doors::Doors& doors, metrics::Metrics& metrics, Options options);

    [[nodiscard]] Outcome<void> poll_registry();
    [[nodiscard]] Outcome<void> begin(const rollouts::Rollout& rollout);
    [[nodiscard]] Outcome<bool> drain();
    [[nodiscard]] Outcome<void> on_record(const log::Record& record);
    [[nodiscard]] Outcome<void> on_model_event(
        const std::string& device, const wire::ModelEvent& event
    );
    [[nodiscard]] Outcome<void> on_arrival(const std::string& device);
    [[nodiscard]] Outcome<void> on_level2_arrival(const std::string& id);
    [[nodiscard]] Outcome<void> pursue(rollouts::Rollout rollout);
    [[nodiscard]] Outcome<void> ask(const std::string& device, const std::string& model);
    [[nodiscard]] Outcome<void> broadcast(const std::string& model);
    [[nodiscard]] Outcome<void> stop(rollouts::Rollout rollout, const std::string& reason);
    [[nodiscard]] std::vector<std::string> devices_of(const std::string& device_class) const;

    doors::Doors& doors_;
    metrics::Metrics& metrics_;
    Options options_;
    std::unique_ptr<rollouts::Rollouts> store_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> control_;
    std::map<std::string, std::int64_t> asked_ms_;  // device -> when, monotonic
    std::int64_t next_poll_ms_ = 0;
    std::string trouble_;  // the registry's last; told once
};

}  // namespace stator::rollout
