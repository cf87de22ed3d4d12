// MosquittoMqtt is the real mqtt door: libmosquitto, polled, with one connection a client.
//
// TLS with the CA, the client's own certificate and a check of the host's name when
// Credentials::ca_file is set. What was not acknowledged before a connection ended is published
// again after the next, in order, as a new publish: a receiver sees duplicates, never a loss.
// A refused subscription comes as Event::refused with id 0 and the filter as message.topic.
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/mqtt/mqtt.h"

#include <cstdint>
#include <memory>

namespace stator::mqtt {

struct ReconnectOptions {
    std::int64_t backoff_us_min = 100'000;
    std::int64_t backoff_us_max = 10'000'000;
    std::int64_t connect_us_max = 10'000'000;  // a connection that takes longer has failed
};

class MosquittoMqtt final : public Mqtt {
  public:
    MosquittoMqtt(clock::Clock& clock, chance::Chance& chance, ReconnectOptions options = {});
    ~MosquittoMqtt() override;
    MosquittoMqtt(const MosquittoMqtt&) = delete;
    MosquittoMqtt& operator=(const MosquittoMqtt&) = delete;
    // Never waits: the connection is made by poll(), its result is an Event.
    [[nodiscard]] Outcome<std::unique_ptr<Client>> connect(Options options) override;

  private:
    clock::Clock& clock_;
    chance::Chance& chance_;
    ReconnectOptions options_;
};

}  // namespace stator::mqtt
