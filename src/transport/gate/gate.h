// Gate decides who connects, who may publish and read what, and stores before the acknowledgement.
//
// It is the broker's conscience: a broker (Mosquitto through plugin/, or the simulated one) asks it
// through mqtt::BrokerHooks, in one thread. What publish() accepts is in the log when it returns; a
// failed append drops the connection, so nothing is acknowledged that is not stored. tick() reads
// the rights snapshot, ends connections that lost their right, syncs, and tells each device at most
// once a second up to where its messages survive a power cut, and whether to hold.
#pragma once

#include "shared/wire/topics.h"
#include "store/devices/rights.h"
#include "transport/gate/access.h"
#include "transport/gate/marks.h"
#include "transport/gate/payload.h"
#include "transport/gate/storage.h"
#include "world/clock/clock.h"
#include "world/journal/journal.h"
#include "world/mqtt/broker.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace stator::gate {

struct Options {
    wire::Topics topics;
    std::size_t payload_bytes_max = 64U << 10U;
    double rate_per_s = 5000.0;  // of one device, level 2 or legacy sender; 0: any
    double burst = 10'000.0;
    std::int64_t rights_us = 500'000;    // how often the snapshot's first line is looked at
    std::int64_t stored_us = 1'000'000;  // at most one mark a device in so long
    double hold_above = 0.9;             // of the telemetry log's budget
    double release_below = 0.8;
};

enum class Refusal : std::uint8_t {
    certificate,  // connect: none, or none of ours
    id,           // the client id is not the certificate's
    inactive,     // the registry does not have it active
    revoked,
    password,
    topic,  // publish or subscribe: no right
    too_large,
    rate,
    payload,   // not one JSON object
    device,    // another's deviceID
    retained,  // a command must not outlive its moment
    append,    // the log did not take it
};

inline constexpr std::size_t refusal_count = 12;

[[nodiscard]] std::string_view name_of(Refusal refusal);

struct Counts {
    std::array<std::uint64_t, log::class_count> accepted{};
    std::array<std::uint64_t, refusal_count> refused{};
    std::uint64_t connects = 0;
    std::uint64_t syncs = 0;
    std::uint64_t syncs_failed = 0;
    std::uint64_t marks_sent = 0;
    std::uint64_t kicked = 0;
};

class Gate final : public mqtt::BrokerHooks {
  public:
    Gate(
        Storage& storage,
        devices::RightsReader& rights,
        clock::Clock& clock,
        journal::Journal& journal,
        Options options = {}
    );

    [[nodiscard]] bool connect(const mqtt::Peer& peer) override;
    [[nodiscard]] mqtt::Verdict subscribe(std::uint64_t handle, std::string_view filter) override;
    [[nodiscard]] mqtt::Verdict publish(const mqtt::Publication& publication) override;
    [[nodiscard]] bool deliver(std::uint64_t handle, std::string_view topic) override;
    void disconnect(std::uint64_t handle) override;
    void tick(mqtt::Broker& broker) override;

    [[nodiscard]] const Counts& counts() const { return counts_; }

    [[nodiscard]] bool holding() const { return holding_; }

    [[nodiscard]] std::string metrics_text() const;

  private:
    struct Session {
        std::string id;
        std::string serial;
        Role role = Role::viewer;
        log::Identity identity = log::Identity::certificate;
        int protocol_version = 4;
        bool alive = false;
        bool wants_marks = false;     // it subscribed to its stored topic
        std::uint64_t departure = 0;  // of a session that is not alive
        double tokens = 0.0;
        std::int64_t tokens_us = 0;  // when they were counted
        std::int64_t told_us = 0;    // when its last mark went out
    };

    [[nodiscard]] std::optional<Refusal> admit(const mqtt::Peer& peer, Session& session) const;
    [[nodiscard]] std::optional<Refusal> still_admitted(const Session& session) const;
    [[nodiscard]] std::optional<Refusal> judge(
        Session& session,
        const wire::Place& place,
        const mqtt::Publication& publication,
        Payload& payload
    );
    [[nodiscard]] bool look_again();
    [[nodiscard]] bool take_token(Session& session);
    [[nodiscard]] bool store(
        const Session& session,
        const wire::Place& place,
        std::string_view topic,
        std::string_view text,
        const Payload& payload
    );
    void store_presence(const Session& session, std::string_view state, std::string_view reason);
    [[nodiscard]] mqtt::Verdict refuse(
        Refusal refusal, const Session& session, std::string_view about
    );
    void say_seldom(Refusal refusal, std::string_view who, std::string_view text);
    void follow_rights(mqtt::Broker& broker, std::int64_t now_us);
    void follow_fill();
    void follow_sync();
    void tell_marks(mqtt::Broker& broker, std::int64_t now_us);
    void want_mark(const std::string& id);

    Storage& storage_;
    devices::RightsReader& rights_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    Options options_;
    Counts counts_;
    Marks marks_;
    std::uint32_t boot_ = 0;  // for senders without seq: the time of our start, in seconds
    std::unordered_map<std::string, std::uint64_t> given_;          // the last seq given, by device
    std::unordered_map<std::uint64_t, Session> sessions_;           // by handle; departed ones too
    std::unordered_map<std::string, std::uint64_t> handles_;        // of the living, by id
    std::deque<std::pair<std::uint64_t, std::uint64_t>> departed_;  // handle, departure
    std::uint64_t departures_ = 0;
    std::unordered_set<std::string> untold_;  // ids whose mark or hold has changed
    std::unordered_map<std::string, std::int64_t> said_us_;
    std::string problem_;  // of the rights snapshot, as last said
    std::string kick_reason_;
    bool holding_ = false;
    bool unsynced_ = false;
    bool syncing_ = false;
    std::int64_t looked_again_us_ = 0;
    bool rights_changed_ = false;
    std::int64_t rights_looked_us_ = 0;
    std::int64_t marks_looked_us_ = 0;
    std::int64_t maintained_us_ = 0;
};

}  // namespace stator::gate
