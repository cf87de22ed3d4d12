// Alarm turns verdicts into alarms: it is the one writer of every alarm's life.
//
// It reads the alarm log (level-1 inferences, level-2 alerts) and, from the control log, what ends
// an alarm without a word: a device that started again, a model that took over; and what raises one
// by itself: a device that went silent, a sensor that is broken (its own alarm, and no word on the
// machine). Duplicates and replays change nothing: a batch is one
// transaction, committed before the stream is, and keeps with it how far it read.
#pragma once

#include "shared/asset/asset.h"
#include "shared/wire/messages.h"
#include "store/alarms/alarms.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::alarm {

struct Options {
    std::string file;  // <state>/console/alarms.db
    std::vector<asset::Asset> assets;
    std::string level1_topic = "motor-anomaly-level1-inference";
    std::string level2_topic = "motor-failure-alert-level2-inference";
};

class Alarm {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Alarm>> make(
        doors::Doors& doors, stream::Stream& stream, metrics::Metrics& metrics, Options options
    );

    [[nodiscard]] Outcome<bool> step();

    // A person's word on an episode; it also acknowledges it.
    [[nodiscard]] Outcome<void> verdict(
        std::int64_t episode,
        const std::string& verdict,
        const std::string& note,
        const std::string& who
    );
    // The newest episodes as a JSON array (web/src/overview.ts).
    [[nodiscard]] std::string episodes_json();

    [[nodiscard]] alarms::Alarms& store() { return *store_; }

  private:
    Alarm(doors::Doors& doors, metrics::Metrics& metrics, Options options);

    struct Said {  // a level's word on a device
        std::string device;
        int level = 1;
        bool alarm = false;
        double value = 0;
        std::string model;
        std::int64_t time_unix_ms = 0;
        wire::Values contributions;
        std::string suspected;
        std::string evidence;
    };

    [[nodiscard]] Outcome<void> on_alarm_record(const log::Record& record);
    [[nodiscard]] Outcome<void> on_control_record(const log::Record& record);
    [[nodiscard]] Outcome<void> on_presence(const log::Record& record);
    [[nodiscard]] Outcome<void> on_sensor(
        const std::string& device, const wire::SensorEvent& event, std::int64_t unix_ms
    );
    // Did the level say anything of the device since it sent this event?
    [[nodiscard]] Outcome<bool> said_since(
        const std::string& source,
        int level,
        const wire::DeviceEvent& event,
        std::string_view device
    );
    [[nodiscard]] Outcome<void> keep(const std::vector<log::Record>& records, log::Class log_class);
    [[nodiscard]] Outcome<bool> fresh(
        const std::string& source, std::int64_t boot, std::int64_t seq
    );
    [[nodiscard]] Outcome<void> hear(const Said& said);
    [[nodiscard]] Outcome<void> end(
        const std::string& device, int level, std::int64_t unix_ms, const std::string& why
    );
    [[nodiscard]] std::string severity_of(const std::string& device, double value) const;
    [[nodiscard]] bool watches(std::string_view device) const;

    doors::Doors& doors_;
    metrics::Metrics& metrics_;
    Options options_;
    std::unique_ptr<alarms::Alarms> store_;
    std::unique_ptr<stream::Source> alarms_;
    std::unique_ptr<stream::Source> control_;
};

}  // namespace stator::alarm
