// SocketReaders is the real Reader: our own few packets of MQTT over a socket, or TLS by OpenSSL.
//
// TLS 1.2 or later, the broker's name or address checked against its certificate, when
// Credentials::ca_file is set. A name is resolved when a connection is attempted, which may wait
// for the resolver.
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/mqtt/mosquitto_client.h"
#include "world/mqtt/reader.h"

namespace stator::mqtt {

class SocketReaders final : public Readers {
  public:
    SocketReaders(clock::Clock& clock, chance::Chance& chance, ReconnectOptions options = {})
        : clock_{clock}, chance_{chance}, options_{options} {}

    [[nodiscard]] Outcome<std::unique_ptr<Reader>> open(ReaderOptions options) override;

  private:
    clock::Clock& clock_;
    chance::Chance& chance_;
    ReconnectOptions options_;
};

}  // namespace stator::mqtt
