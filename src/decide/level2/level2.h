// Level2 judges every record of the stream with the larger model, and publishes alerts.
//
// It is a consumer of the stream: records as they come, each once by (device, boot, seq); one that
// comes late is judged like any other. What one poll gives is judged together, the devices' rows
// side by side, with the bits of one by one. Model and fold are the device's own code, and what is
// made of a verdict is shared/judge, which a microcontroller in its place calls too. A model is
// swapped between two records, after the same checks as on a device; none is skipped and none is
// judged twice, also across a kill -9 (store/verdicts). Each class of the configuration has its
// model; while the one that ran before a restart is not there, no record is taken. Alerts go out at
// raise, once a second of the device's time while an alarm lasts, and once at its end.
#pragma once

#include "decide/level2/models.h"
#include "decide/level2/rows.h"
#include "shared/asset/asset.h"
#include "shared/judge/judge.h"
#include "shared/wire/messages.h"
#include "store/stream/mqtt_stream.h"
#include "store/stream/outbox.h"
#include "store/stream/source.h"
#include "store/verdicts/verdicts.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stator::level2 {

struct Options {
    std::string id = "level2-1";
    std::string reader = "level2";     // its durable name in the stream
    std::vector<asset::Asset> assets;  // whose devices are assigned to it
    std::string state_file;            // <state>/level2/level2.db
    ModelOptions models;
    mqtt::Options mqtt;
    // Set where the stream is what level 2's own client hears; it is part of `stream` then.
    stream::MqttStream* heard = nullptr;
    std::string alert_topic = "motor-failure-alert-level2-inference";
    std::string data_topic = "shaded-pole-motor-sensor_data";
    std::string control_topic = "control-message";
};

class Level2 {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Level2>> make(
        doors::Doors& doors, stream::Stream& stream, Options options
    );

    [[nodiscard]] Outcome<bool> step();

    // The answer of the line socket to a reading (decide/line): the value of the model that runs,
    // over the readings that came this way. It raises no alarm; those come of the stream.
    [[nodiscard]] std::string answer(std::string_view json);

    // While a model is awaited the records that wait are no work.
    void wait(std::int64_t timeout_us) {
        (awaited_.empty() ? telemetry_ : control_)->wait(timeout_us);
    }

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

  private:
    struct Announced {
        std::string name;
        verdicts::Place place;  // of the announcement, when it has been dealt with
    };

    Level2(doors::Doors& doors, Options options);

    [[nodiscard]] Outcome<void> open_sources(stream::Stream& stream);
    // What ran before: kept here, or else to be fetched before any record is taken.
    [[nodiscard]] Outcome<void> run_again();
    [[nodiscard]] Outcome<bool> drain_control();
    void hear_control(const std::vector<log::Record>& records);
    // False: what is wanted has to wait.
    [[nodiscard]] Outcome<bool> swap_wanted();
    [[nodiscard]] Outcome<bool> drain_telemetry();
    [[nodiscard]] Outcome<void> judge_all(const std::vector<log::Record>& records);
    // The record's reading into rows_, if it is one to be judged.
    void take(const log::Record& record);
    // By its number, which counts as had from now on.
    [[nodiscard]] bool is_new(
        verdicts::Device& device, const wire::Telemetry& telemetry, const log::Record& record
    );
    [[nodiscard]] Outcome<void> tell(const Row& row);
    [[nodiscard]] Outcome<void> alert(
        const std::string& device,
        const asset::Asset& asset,
        const detect::Verdict& verdict,
        std::int64_t time_unix_ms,
        suspect::Suspicion suspicion = suspect::Suspicion::none
    );
    // The end of an alarm that the model which raised it will not tell.
    [[nodiscard]] Outcome<void> withdraw(const std::string& device);
    [[nodiscard]] Outcome<void> swap(const Announced& wanted);
    [[nodiscard]] Outcome<void> take_over(
        std::unique_ptr<RunningModel> model, const Announced& wanted
    );
    // No model of that name will come: whoever waited for it goes on without.
    [[nodiscard]] Outcome<void> give_up(const Announced& wanted);
    [[nodiscard]] Outcome<void> tell_model(
        wire::ModelState state,
        const std::string& name,
        std::uint32_t release,
        const std::string& why
    );
    [[nodiscard]] const asset::Asset* asset_of(std::string_view device) const;
    [[nodiscard]] RunningModel* running_of(const asset::Asset& asset) const;
    [[nodiscard]] bool runs(std::string_view name) const;
    void note_engine(RunningModel& running);
    [[nodiscard]] Outcome<void> enqueue(const std::string& topic, const wire::Json& json);

    doors::Doors& doors_;
    Options options_;
    metrics::Metrics metrics_;
    std::unique_ptr<verdicts::Verdicts> verdicts_;
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> telemetry_;
    std::unique_ptr<stream::Source> control_;
    Running running_;
    std::map<std::string, std::uint32_t, std::less<>> feature_sets_;  // by device
    std::map<std::string, verdicts::Device> devices_;
    std::map<std::string, judge::Memory> asked_;  // folds of the line socket, not kept
    std::set<std::string> touched_;               // devices whose fold this batch moved
    std::vector<Row> rows_;                       // of this batch, in their order
    std::map<log::Class, verdicts::Place> places_;
    std::set<std::string> awaited_;    // models that ran before the restart and are not yet here
    std::deque<Announced> announced_;  // in order, the first is fetched: levels have their own
    log::Offset announced_until_;
    log::Offset committed_;
    std::int64_t fetch_not_before_us_ = 0;
    std::uint32_t boot_ = 0;
    std::uint64_t seq_ = 0;
};

}  // namespace stator::level2
