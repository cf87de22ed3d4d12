// The Adoption reads what a site's own brokers carry into the log, through the map.
//
//   foreign broker --(QoS 1, session kept)--> map --> our gate (QoS 1) --> log
//                <---- acknowledged only after our gate's PUBACK: after the append ----
//
// It connects to our gate as `adopt`, role adopter: the records say "vouched by another broker",
// and the gate takes from it only data and level-1 inferences about devices that are not enrolled
// here. A message that the map cannot read, or the gate will never take, is counted, told and let
// go of. A message that comes twice is published under one (device, boot, seq).
#pragma once

#include "transport/adopt/apply.h"
#include "transport/adopt/intake.h"
#include "transport/adopt/memory.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stator::adopt {

struct Options {
    std::string map_file;
    std::vector<asset::Asset> assets;
    std::string log_directory;
    mqtt::Options mqtt;  // to our own gate, as `adopt`
    std::string data_topic = "shaded-pole-motor-sensor_data";
    std::string level1_topic = "motor-anomaly-level1-inference";
};

class Adoption {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Adoption>> make(
        doors::Doors& doors, const Ways& ways, Options options
    );

    [[nodiscard]] Outcome<bool> step();
    void wait(std::int64_t timeout_us);

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

  private:
    struct Site {  // one foreign broker
        std::string name;
        std::vector<const Source*> sources;
        std::unique_ptr<Intake> intake;
        std::string trouble;  // as last told
    };

    struct Passing {  // a message of which readings are on their way to our gate
        std::size_t site = 0;
        std::uint64_t id = 0;  // of the site's intake
        std::size_t readings = 0;
    };

    struct Waiting {  // a message that is not yet published
        std::size_t site = 0;
        Incoming incoming;
    };

    struct Outgoing {
        std::string topic;
        std::string payload;
    };

    Adoption(doors::Doors& doors, Options options);

    [[nodiscard]] Outcome<void> connect(const Ways& ways);
    [[nodiscard]] Outcome<void> remember();
    [[nodiscard]] bool hear();
    [[nodiscard]] Outcome<bool> take();
    [[nodiscard]] Outcome<bool> pass();
    [[nodiscard]] std::vector<Outgoing> translate(const Site& site, const Incoming& incoming);
    [[nodiscard]] Number number(
        const Reading& reading, const std::string& place, std::uint64_t digest, bool repeated
    );
    void settle(std::uint64_t publish_id, const std::string& refusal);
    void tell_trouble(Site& site);
    void say_seldom(const std::string& about, const std::string& text);

    doors::Doors& doors_;
    Options options_;
    metrics::Metrics metrics_;
    Map map_;
    std::unique_ptr<Memory> memory_;  // null until our gate has let us in
    std::unique_ptr<mqtt::Client> client_;
    std::vector<Site> sites_;
    std::deque<Waiting> waiting_;
    std::map<std::uint64_t, Passing> passing_;               // by order of arrival
    std::map<std::uint64_t, std::uint64_t> publications_;    // publish id -> passing
    std::map<std::string, std::uint64_t, std::less<>> seq_;  // the last one given, by device
    std::map<std::string, std::int64_t> said_us_;
    std::uint64_t arrivals_ = 0;
    std::uint32_t boot_ = 0;
};

}  // namespace stator::adopt
