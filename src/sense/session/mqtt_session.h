// An MqttSession is a microcontroller's link: MQTT 5 over one Socket, QoS 1, nothing kept.
//
// What was not acknowledged when the connection went is the node's outbox's to send again. It comes
// back by itself, after a pause that doubles, with jitter. One packet at a time is read; a packet
// larger than the buffer ends the connection, for the broker was told how large one may be.
// With a session that outlives the connection, the broker keeps what comes for us meanwhile, and
// says again what we did not acknowledge.
#pragma once

#include "sense/hal/board.h"
#include "sense/hal/link.h"
#include "sense/session/socket.h"
#include "shared/base/fixed.h"
#include "shared/wire/messages.h"
#include "shared/wire/topics.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::session {

class MqttSession final : public hal::Link {
  public:
    // `id`: the device's, which is the client's. `packet`: for what comes, at most 64 KiB. They and
    // the doors outlive the session. `kept_s`: how long the broker keeps it; 0: a clean start.
    MqttSession(
        Socket& socket,
        hal::Time& time,
        hal::Entropy& entropy,
        const Server& server,
        std::string_view id,
        std::span<std::uint8_t> packet,
        std::uint32_t kept_s = 0
    )
        : socket_{socket},
          time_{time},
          entropy_{entropy},
          server_{server},
          id_{id},
          kept_s_{kept_s},
          in_{packet} {}

    [[nodiscard]] base::Result<void> subscribe(std::string_view topic) override;
    [[nodiscard]] base::Result<std::uint32_t> publish(
        std::string_view topic, std::string_view payload
    ) override;
    [[nodiscard]] bool poll(hal::LinkEvent& event) override;

    // Why it is not connected, for people.
    [[nodiscard]] std::string_view reason() const { return reason_; }

  private:
    enum class Phase : std::uint8_t { waiting, reaching, greeting, open };

    void reach();
    bool lose(std::string_view why, hal::LinkEvent& event);
    void greet();
    void ask_for_topics();
    [[nodiscard]] bool flush();
    [[nodiscard]] bool read_more();
    void keep_alive();
    void drop_heard();
    // The bytes of the whole packet that lies in front; 0: not yet. Sets broken_ when none can be.
    [[nodiscard]] std::size_t packet(std::span<const std::uint8_t>& body);
    [[nodiscard]] bool hear(
        std::uint8_t head, std::span<const std::uint8_t> body, hal::LinkEvent& event
    );
    [[nodiscard]] bool hear_publish(
        std::uint8_t head, std::span<const std::uint8_t> body, hal::LinkEvent& event
    );

    [[nodiscard]] std::size_t room() const { return out_.size() - out_bytes_; }

    void put(std::uint8_t byte) { out_[out_bytes_++] = byte; }

    void put_u16(std::size_t value);
    void put_text(std::string_view text);
    void put_length(std::size_t value);

    Socket& socket_;
    hal::Time& time_;
    hal::Entropy& entropy_;
    Server server_;
    std::string_view id_;
    std::uint32_t kept_s_;
    base::FixedVector<wire::Topic, 4> topics_;
    Phase phase_ = Phase::waiting;
    std::string_view reason_;
    std::uint32_t failures_ = 0;
    std::int64_t next_us_ = 0;  // attempt, or the end of one
    std::int64_t said_us_ = 0;
    std::int64_t heard_us_ = 0;
    std::uint16_t last_id_ = 0;
    bool broken_ = false;
    std::size_t heard_ = 0;    // bytes of the packet that the last poll() told of
    std::size_t writing_ = 0;  // bytes that TLS was given and has to be given again
    std::size_t out_bytes_ = 0;
    std::size_t in_bytes_ = 0;
    std::array<std::uint8_t, wire::message_bytes_max + 256> out_{};
    std::span<std::uint8_t> in_;
};

}  // namespace stator::session
