// The Feed carries what happens to every open page, as server-sent events.
//
// Readings are gathered and sent a few times a second, so that a page costs the same at any
// telemetry rate; each batch is bounded and the oldest readings of a flood are left out. A page
// that reads too slowly is dropped and comes back by itself.
#pragma once

#include "shared/wire/topics.h"
#include "store/log/record.h"
#include "world/http/http.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stator::console {

struct Sensor {  // the last that was heard of a device
    std::int64_t last_unix_ms = 0;
    std::map<std::string, double> values;
    std::map<std::string, double> features;
    std::optional<double> level1;
    std::uint64_t readings = 0;
};

class Feed {
  public:
    explicit Feed(const wire::Topics& topics) : topics_{topics} {}

    // A telemetry or level-2 record; others are ignored.
    void on_record(const log::Record& record);

    [[nodiscard]] http::Response open(http::Server& server);
    // Sends what has gathered; `overview` is sent only when it differs from the last one sent.
    void send(http::Server& server, const std::string& overview, std::int64_t now_us);

    [[nodiscard]] const std::map<std::string, Sensor>& sensors() const { return sensors_; }

    [[nodiscard]] std::optional<double> level2(const std::string& device) const;

    [[nodiscard]] std::size_t pages() const { return streams_.size(); }

  private:
    struct Page {
        http::StreamId id = 0;
        bool fresh = true;  // has not been told the overview
    };

    void remember(Sensor sensor, const std::string& device);

    wire::Topics topics_;
    std::vector<Page> streams_;
    std::map<std::string, Sensor> sensors_;  // bounded
    std::map<std::string, double> level2_;
    std::deque<std::string> batch_;  // readings as JSON
    std::string last_overview_;
    std::int64_t next_send_us_ = 0;
    std::int64_t next_beat_us_ = 0;
};

}  // namespace stator::console
