// MqttStream is the Stream of a consumer that stands alone with a broker: what it hears, in order.
//
// It has no connection of its own, for a broker lets one client in per name: whoever owns the
// client subscribes and hands every event to hear(). Nothing is kept: what was heard and not
// taken is gone with the process, and commit() means nothing; a session that the broker keeps
// brings what came while it was away. Offsets have epoch 0, as of no log. While more than
// `records_max` of a class wait, the oldest are dropped and counted in missed_bytes().
#pragma once

#include "store/stream/source.h"
#include "world/clock/clock.h"
#include "world/mqtt/mqtt.h"

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace stator::stream {

class MqttStream final : public Stream {
  public:
    struct Options {
        std::map<std::string, log::Class> topics;  // to subscribe to; the rest is not heard
        std::size_t records_max = 10'000;          // of a class
    };

    MqttStream(clock::Clock& clock, Options options)
        : clock_{clock}, options_{std::move(options)} {}

    // One Source a class.
    [[nodiscard]] Outcome<std::unique_ptr<Source>> open(
        log::Class log_class, const ReaderOptions& options
    ) override;

    // Once, after the client was made; it subscribes again by itself after each connect.
    [[nodiscard]] Outcome<void> subscribe(mqtt::Client& client);
    void hear(const mqtt::Event& event);

  private:
    struct Queue {
        std::deque<log::Record> records;
        std::uint64_t missed_bytes = 0;
        std::uint64_t heard = 0;
    };

    class Heard;

    clock::Clock& clock_;
    Options options_;
    std::map<log::Class, std::shared_ptr<Queue>> queues_;
};

}  // namespace stator::stream
