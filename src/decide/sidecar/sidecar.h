// Sidecar feeds a foreign inference server from the stream over its line socket, and publishes its
// verdicts as level 2 publishes its own: at raise, once a second of the device's time, at the end.
//
// One reading at a time, in order; the server's answer is the reading's value, and the asset's
// severity bands say when that is an alarm. While no answer comes the reading waits, the pauses
// between attempts grow, and step() says why: nothing is skipped. A reading that the server answers
// with something else than a value is counted and passed over. After a kill a reading may be asked
// about again, but no alert is told twice (store/verdicts).
#pragma once

#include "shared/asset/asset.h"
#include "shared/wire/messages.h"
#include "store/stream/outbox.h"
#include "store/stream/source.h"
#include "store/verdicts/verdicts.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"
#include "world/sockets/sockets.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stator::sidecar {

struct Options {
    std::string id = "level2-1";     // whose place it takes
    std::string reader = "sidecar";  // its durable name in the stream
    std::vector<asset::Asset> assets;
    std::string state_file;  // <state>/level2/sidecar.db
    std::string server_host = "127.0.0.1";
    std::uint16_t server_port = 9898;
    mqtt::Options mqtt;
    std::string alert_topic = "motor-failure-alert-level2-inference";
    std::string data_topic = "shaded-pole-motor-sensor_data";
    std::int64_t answer_us_max = 5'000'000;
    // An answer without a newline is complete when nothing more came for this long.
    std::int64_t answer_pause_us = 20'000;
    std::int64_t pause_us_min = 100'000;
    std::int64_t pause_us_max = 5'000'000;
};

class Sidecar {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Sidecar>> make(
        doors::Doors& doors, stream::Stream& stream, sockets::Sockets& sockets, Options options
    );

    // An Error while the server gives no answer.
    [[nodiscard]] Outcome<bool> step();

    void wait(std::int64_t timeout_us);

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

  private:
    Sidecar(doors::Doors& doors, sockets::Sockets& sockets, Options options)
        : doors_{doors}, sockets_{sockets}, options_{std::move(options)} {}

    [[nodiscard]] const asset::Asset* asset_of(std::string_view device) const;
    [[nodiscard]] Outcome<bool> take();
    // The front of waiting_ is no question any more.
    [[nodiscard]] Outcome<void> next();
    [[nodiscard]] bool is_question(const log::Record& record);
    [[nodiscard]] Outcome<bool> ask();
    [[nodiscard]] Outcome<bool> hear();
    [[nodiscard]] std::unexpected<Error> lost(const std::string& why);
    [[nodiscard]] Outcome<void> answered(std::string_view text, bool whole);
    void take_number(const wire::Telemetry& telemetry);
    void judge(const wire::Telemetry& telemetry, std::int64_t receive_unix_ms, float value);
    void alert(
        const wire::Telemetry& telemetry, std::int64_t time_unix_ms, float value, bool alarm
    );
    [[nodiscard]] Outcome<void> keep(const verdicts::Place& place);

    doors::Doors& doors_;
    sockets::Sockets& sockets_;
    Options options_;
    metrics::Metrics metrics_;
    std::unique_ptr<verdicts::Verdicts> verdicts_;
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> source_;
    std::map<std::string, verdicts::Device> devices_;
    std::set<std::string> touched_;
    std::vector<std::string> alerts_;  // of readings that are not kept yet
    verdicts::Place place_;
    std::deque<log::Record> waiting_;
    std::unique_ptr<sockets::Connection> server_;
    std::string out_;  // of the question, not yet sent
    std::string in_;   // of the answer
    bool asked_ = false;
    std::int64_t asked_us_ = 0;
    std::int64_t heard_us_ = 0;
    std::string trouble_;
    std::int64_t pause_us_ = 0;
    std::int64_t not_before_us_ = 0;
    std::uint32_t boot_ = 0;
    std::uint64_t seq_ = 0;
};

}  // namespace stator::sidecar
