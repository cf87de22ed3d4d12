// Command brings a person's orders to a device and follows each until its effect was observed.
//
//   accepted -> sent (acknowledged by the broker, so stored) -> acknowledged by the device
//            -> effect observed | effect not observed | refused | expired
//
// The device's own interlock has the last word. What is not acknowledged within `expiry_ms`
// expires.
#pragma once

#include "shared/wire/messages.h"
#include "store/stream/outbox.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <memory>
#include <string>

namespace stator::command {

struct Options {
    std::string file;  // <state>/console/commands.db
    std::int64_t expiry_ms = 30'000;
};

class Command {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Command>> make(
        doors::Doors& doors,
        stream::Stream& stream,
        mqtt::Client& client,
        metrics::Metrics& metrics,
        Options options
    );

    // {"device":ID,"command":"backup-on"|"backup-off"|"reset"} -> {"id":ID}; also
    // "record-waveform", with "channel" where it is not the usual one.
    [[nodiscard]] Outcome<std::string> order(const std::string& body, const std::string& who);
    // The newest commands as a JSON array.
    [[nodiscard]] std::string commands_json();

    [[nodiscard]] Outcome<bool> step();

    void on_event(const mqtt::Event& event) { outbox_->on_event(event); }

  private:
    Command(doors::Doors& doors, metrics::Metrics& metrics, Options options);

    [[nodiscard]] Outcome<void> on_record(const log::Record& record);

    doors::Doors& doors_;
    metrics::Metrics& metrics_;
    Options options_;
    std::unique_ptr<database::Database> database_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> control_;
    std::int64_t next_expiry_ms_ = 0;
};

}  // namespace stator::command
