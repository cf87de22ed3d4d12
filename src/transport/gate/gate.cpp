#include "transport/gate/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stator::gate {

namespace {

using mqtt::Verdict;
using wire::TopicKind;

constexpr std::string_view tag = "gate";
constexpr std::size_t departed_max = 65'536;  // sessions kept for wills and offline queues
constexpr std::size_t said_max = 4096;        // ids about which a line was written lately
constexpr std::int64_t said_us = 10'000'000;  // one line about one id and reason in so long
constexpr std::int64_t maintain_us = 1'000'000;
constexpr std::int64_t marks_look_us = 20'000;  // the tick comes after every packet

constexpr std::array<std::string_view, refusal_count> refusal_names{
    "certificate",
    "id",
    "inactive",
    "revoked",
    "password",
    "topic",
    "too-large",
    "rate",
    "payload",
    "device",
    "retained",
    "append"
};

log::Class class_of(TopicKind kind, const Payload& payload) {
    switch (kind) {
        case TopicKind::data:
            return log::Class::telemetry;
        case TopicKind::inference:
        case TopicKind::alert:
            return log::Class::alarm;
        case TopicKind::event:
            return payload.is_gap ? log::Class::telemetry : log::Class::control;
        case TopicKind::waveform:
            return log::Class::waveform;
        case TopicKind::control:
        case TopicKind::command:
        case TopicKind::stored:
        case TopicKind::presence:
        case TopicKind::unknown:
            break;
    }
    return log::Class::control;
}

}  // namespace

std::string_view name_of(Refusal refusal) {
    return refusal_names[static_cast<std::size_t>(refusal)];
}

Gate::Gate(
    Storage& storage,
    devices::RightsReader& rights,
    clock::Clock& clock,
    journal::Journal& journal,
    Options options
)
    : storage_{storage},
      rights_{rights},
      clock_{clock},
      journal_{journal},
      options_{std::move(options)},
      marks_{storage.marks()},
      boot_{static_cast<std::uint32_t>(clock.unix_ms() / 1000)} {
    rights_looked_us_ = clock_.monotonic_us();
    if (!rights_.refresh()) {
        problem_ = rights_.problem();
        journal_.warn(tag, fmt::format("no device may connect yet: {}", problem_));
    }
}

std::optional<Refusal> Gate::admit(const mqtt::Peer& peer, Session& session) const {
    if (!wire::valid_id(peer.client_id)) return Refusal::id;
    session.id = peer.client_id;
    session.serial = peer.serial;
    session.protocol_version = peer.protocol_version;
    if (!peer.uri.empty()) {
        const auto claim = parse_uri(peer.uri);
        if (!claim) return Refusal::certificate;
        if (claim->id != peer.client_id) return Refusal::id;
        session.role = claim->role;
        session.identity =
            claim->role == Role::adopter ? log::Identity::vouched : log::Identity::certificate;
        return still_admitted(session);
    }
    const devices::LegacyException* legacy = rights_.rights().find_legacy(peer.client_id);
    const devices::Right* right = rights_.rights().find(peer.client_id);
    if (legacy == nullptr || right == nullptr) return Refusal::certificate;
    const bool bare = legacy->bare && peer.loopback && peer.password.empty();
    if (!bare && !devices::password_matches(legacy->password_hash, peer.password))
        return Refusal::password;
    const auto role = role_named(right->role);
    if (!role || !is_listed(*role)) return Refusal::certificate;
    session.role = *role;
    session.identity = log::Identity::legacy;
    return still_admitted(session);
}

std::optional<Refusal> Gate::still_admitted(const Session& session) const {
    const devices::Rights& rights = rights_.rights();
    if (!session.serial.empty() && rights.is_revoked(session.serial)) return Refusal::revoked;
    const devices::Right* right = rights.find(session.id);
    if (right != nullptr && right->state == devices::State::revoked) return Refusal::revoked;
    if (is_listed(session.role) && (right == nullptr || right->state != devices::State::active ||
                                    right->role != name_of(session.role)))
        return Refusal::inactive;
    if (session.identity == log::Identity::legacy && rights.find_legacy(session.id) == nullptr)
        return Refusal::certificate;
    return std::nullopt;
}

bool Gate::connect(const mqtt::Peer& peer) {
    Session session;
    auto refusal = admit(peer, session);
    // What the snapshot decided; all else stands on the certificate alone.
    const bool by_snapshot = refusal == Refusal::inactive || (refusal && peer.uri.empty());
    if (by_snapshot && look_again()) {
        session = {};
        refusal = admit(peer, session);
    }
    if (refusal) {
        ++counts_.refused[static_cast<std::size_t>(*refusal)];
        say_seldom(
            *refusal,
            peer.client_id,
            fmt::format(
                "refused a connection of \"{}\" ({}): {}",
                peer.client_id,
                peer.uri.empty() ? "without certificate" : peer.uri,
                name_of(*refusal)
            )
        );
        return false;
    }
    ++counts_.connects;
    session.alive = true;
    session.tokens = options_.burst;
    session.tokens_us = clock_.monotonic_us();
    store_presence(session, "online", "");
    handles_[session.id] = peer.handle;
    sessions_[peer.handle] = std::move(session);
    return true;
}

// Who was registered a moment ago need not wait for the next look, unless the snapshot is so large
// that it is read beside; a flood of strangers may not make every connection a look.
bool Gate::look_again() {
    constexpr std::int64_t again_us = 20'000;
    const std::int64_t now_us = clock_.monotonic_us();
    if (now_us - looked_again_us_ < again_us) return false;
    looked_again_us_ = now_us;
    if (!rights_.refresh()) return false;
    rights_changed_ = true;  // the next tick ends what lost its right by it
    return true;
}

void Gate::disconnect(std::uint64_t handle) {
    const auto at = sessions_.find(handle);
    if (at == sessions_.end() || !at->second.alive) return;  // it was refused
    Session& session = at->second;
    session.alive = false;
    session.departure = ++departures_;
    departed_.emplace_back(handle, session.departure);
    if (departed_.size() > departed_max) {
        const auto [old, departure] = departed_.front();
        departed_.pop_front();
        const auto gone = sessions_.find(old);
        if (gone != sessions_.end() && !gone->second.alive && gone->second.departure == departure)
            sessions_.erase(gone);
    }
    // After a takeover the id is still online, by its new connection.
    const auto current = handles_.find(session.id);
    if (current == handles_.end() || current->second != handle) return;
    handles_.erase(current);
    store_presence(session, "offline", kick_reason_);
}

Verdict Gate::subscribe(std::uint64_t handle, std::string_view filter) {
    const auto at = sessions_.find(handle);
    if (at == sessions_.end()) return Verdict::deny;
    Session& session = at->second;
    if (!may_subscribe(session.role, session.id, options_.topics, filter)) {
        std::ignore = refuse(Refusal::topic, session, filter);
        return Verdict::deny;  // a subscription has its own negative acknowledgement
    }
    if (filter == options_.topics.stored_of(session.id).view()) {
        session.wants_marks = true;
        session.told_us = 0;
        untold_.insert(session.id);
    }
    return Verdict::accept;
}

bool Gate::deliver(std::uint64_t handle, std::string_view topic) {
    const auto at = sessions_.find(handle);
    if (at == sessions_.end()) return false;
    const Session& session = at->second;
    if (session.role == Role::service || session.role == Role::viewer) return true;
    return may_read(session.role, session.id, options_.topics.place_of(topic));
}

bool Gate::take_token(Session& session) {
    if (options_.rate_per_s <= 0.0 || !is_listed(session.role)) return true;
    const std::int64_t now_us = clock_.monotonic_us();
    const double elapsed_s = static_cast<double>(now_us - session.tokens_us) * 1e-6;
    session.tokens = std::min(options_.burst, session.tokens + elapsed_s * options_.rate_per_s);
    session.tokens_us = now_us;
    if (session.tokens < 1.0) return false;
    session.tokens -= 1.0;
    return true;
}

std::optional<Refusal> Gate::judge(
    Session& session,
    const wire::Place& place,
    const mqtt::Publication& publication,
    Payload& payload
) {
    if (!may_publish(session.role, session.id, place)) return Refusal::topic;
    if (publication.payload.size() > options_.payload_bytes_max) return Refusal::too_large;
    if (publication.retain && place.kind == TopicKind::command) return Refusal::retained;
    if (!take_token(session)) return Refusal::rate;
    const auto scanned = scan_payload(publication.payload, options_.payload_bytes_max);
    if (!scanned) return Refusal::payload;
    payload = *scanned;
    if (!is_about_a_device(place.kind)) return std::nullopt;
    const std::string_view about = payload.device;
    switch (session.role) {
        case Role::service:
            return about.empty() ? std::optional{Refusal::device} : std::nullopt;
        case Role::level2:
            if (place.kind != TopicKind::alert) break;
            if (about.empty() || !rights_.rights().is_assigned(session.id, about))
                return Refusal::device;
            return std::nullopt;
        case Role::adopter:
            // What acts is enrolled here, and another broker's word on it is worth nothing.
            if (about.empty() || rights_.rights().find(about) != nullptr) return Refusal::device;
            return std::nullopt;
        case Role::sensor:
        case Role::actor:
        case Role::viewer:
            break;
    }
    if (!about.empty() && about != session.id) return Refusal::device;
    return std::nullopt;
}

Verdict Gate::publish(const mqtt::Publication& publication) {
    const auto at = sessions_.find(publication.handle);
    if (at == sessions_.end()) return Verdict::drop;
    Session& session = at->second;
    const wire::Place place = options_.topics.place_of(publication.topic);
    Payload payload;
    if (const auto refusal = judge(session, place, publication, payload))
        return refuse(*refusal, session, publication.topic);
    if (!store(session, place, publication.topic, publication.payload, payload)) {
        ++counts_.refused[static_cast<std::size_t>(Refusal::append)];
        // A waveform is the first to go: its device declares it lost, and keeps its connection.
        const bool goes = place.kind == TopicKind::waveform && session.protocol_version == 5;
        return goes ? Verdict::deny : Verdict::drop;
    }
    return Verdict::accept;
}

bool Gate::store(
    const Session& session,
    const wire::Place& place,
    std::string_view topic,
    std::string_view text,
    const Payload& payload
) {
    std::string completed;
    const bool lacks_device = payload.device.empty() && is_about_a_device(place.kind);
    if (is_about_a_device(place.kind) && (!payload.seq || lacks_device)) {
        const std::string device = lacks_device ? session.id : std::string{payload.device.view()};
        const std::uint64_t seq = payload.seq ? *payload.seq : ++given_[device];
        completed = complete_payload(text, payload, device, boot_, seq);
        text = completed;
    }
    // Only what a sender numbered itself can be marked to it.
    const bool marked = payload.seq && is_listed(session.role) && is_about_a_device(place.kind);
    const std::uint64_t last = payload.seq.value_or(0);
    Mark mark;
    if (marked) mark = marks_.preview(session.id, *payload.boot, last, last);
    const log::Class log_class = class_of(place.kind, payload);
    const auto appended = storage_.append(
        log_class,
        {clock_.unix_ms(), session.identity, topic, session.id, text},
        marked ? &mark : nullptr
    );
    if (!appended) {
        say_seldom(
            Refusal::append,
            name_of(log_class),
            fmt::format("a message of {} was not stored: {}", session.id, appended.error().what)
        );
        return false;
    }
    if (marked && payload.is_gap)
        marks_.note(session.id, *payload.boot, payload.gap_from, payload.gap_to);
    if (marked) marks_.note(session.id, *payload.boot, last, last);
    unsynced_ = true;
    ++counts_.accepted[static_cast<std::size_t>(log_class)];
    return true;
}

void Gate::store_presence(const Session& session, std::string_view state, std::string_view reason) {
    const std::int64_t now_ms = clock_.unix_ms();
    const std::string text = fmt::format(
        R"({{"deviceID":"{}","timeStamp":"{}","state":"{}","reason":"{}","role":"{}"}})",
        session.id,
        now_ms,
        state,
        reason,
        name_of(session.role)
    );
    const wire::Topic topic = options_.topics.presence_of(session.id);
    const auto appended = storage_.append(
        log::Class::control, {now_ms, log::Identity::self, topic, session.id, text}, nullptr
    );
    if (appended) {
        unsynced_ = true;
        return;
    }
    // The connection may go on: an alarm must pass even when this log is full.
    ++counts_.refused[static_cast<std::size_t>(Refusal::append)];
    say_seldom(
        Refusal::append,
        "presence",
        fmt::format("{} is {}, which was not stored: {}", session.id, state, appended.error().what)
    );
}

Verdict Gate::refuse(Refusal refusal, const Session& session, std::string_view about) {
    ++counts_.refused[static_cast<std::size_t>(refusal)];
    say_seldom(
        refusal,
        session.id,
        fmt::format(
            "refused {} ({}) on {}: {}", session.id, name_of(session.role), about, name_of(refusal)
        )
    );
    // Too fast is no reason to forget a message: without acknowledgement it comes again.
    if (refusal == Refusal::rate) return Verdict::drop;
    return session.protocol_version == 5 ? Verdict::deny : Verdict::drop;
}

void Gate::say_seldom(Refusal refusal, std::string_view who, std::string_view text) {
    const std::int64_t now_us = clock_.monotonic_us();
    if (said_us_.size() >= said_max)
        std::erase_if(said_us_, [&](const auto& said) { return now_us - said.second >= said_us; });
    if (said_us_.size() >= said_max) return;  // enough has been said
    const auto [at, is_new] = said_us_.try_emplace(fmt::format("{}/{}", name_of(refusal), who), 0);
    if (!is_new && now_us - at->second < said_us) return;
    at->second = now_us;
    journal_.warn(tag, text);
}

void Gate::tick(mqtt::Broker& broker) {
    const std::int64_t now_us = clock_.monotonic_us();
    follow_sync();
    if (rights_.waiting() || now_us - rights_looked_us_ >= options_.rights_us)
        follow_rights(broker, now_us);
    if (now_us - marks_looked_us_ < marks_look_us) return;
    marks_looked_us_ = now_us;
    if (now_us - maintained_us_ >= maintain_us) {
        maintained_us_ = now_us;
        storage_.maintain();
    }
    follow_fill();
    tell_marks(broker, now_us);
}

void Gate::follow_rights(mqtt::Broker& broker, std::int64_t now_us) {
    rights_looked_us_ = now_us;
    const bool changed = rights_.refresh() || rights_changed_;
    rights_changed_ = false;
    if (rights_.problem() != problem_) {
        problem_ = rights_.problem();
        if (!problem_.empty())
            journal_.error(tag, fmt::format("the last rights stay in force: {}", problem_));
    }
    if (!changed) return;
    std::vector<std::pair<std::string, Refusal>> lost;
    for (const auto& [handle, session] : sessions_)
        if (session.alive)
            if (const auto refusal = still_admitted(session))
                lost.emplace_back(session.id, *refusal);
    for (const auto& [id, refusal] : lost) {
        ++counts_.kicked;
        journal_.warn(tag, fmt::format("disconnects {}: {}", id, name_of(refusal)));
        kick_reason_ = name_of(refusal);
        broker.kick(id);
    }
    kick_reason_.clear();
}

void Gate::follow_fill() {
    const double fill = storage_.fill(log::Class::telemetry);
    const bool hold = holding_ ? fill >= options_.release_below : fill >= options_.hold_above;
    if (hold == holding_) return;
    holding_ = hold;
    journal_.warn(
        tag,
        hold ? fmt::format("the telemetry log is {:.0f} % full: devices hold", fill * 100.0)
             : fmt::format("the telemetry log is {:.0f} % full: devices go on", fill * 100.0)
    );
    for (const auto& [id, handle] : handles_)
        untold_.insert(id);
}

void Gate::follow_sync() {
    const Sync state = storage_.poll_sync();
    if (syncing_ && state == Sync::done) {
        syncing_ = false;
        ++counts_.syncs;
        for (std::string& id : marks_.synced())
            untold_.insert(std::move(id));
    } else if (syncing_ && state == Sync::failed) {
        syncing_ = false;
        unsynced_ = true;
        ++counts_.syncs_failed;
        marks_.sync_failed();
        say_seldom(Refusal::append, "sync", "the log was not synced; no marks go out");
    }
    if (syncing_ || !unsynced_) return;
    syncing_ = true;
    unsynced_ = false;
    marks_.begin_sync();
    storage_.begin_sync();
}

void Gate::tell_marks(mqtt::Broker& broker, std::int64_t now_us) {
    for (auto at = untold_.begin(); at != untold_.end();) {
        const auto handle = handles_.find(*at);
        if (handle == handles_.end() || !sessions_[handle->second].wants_marks) {
            at = untold_.erase(at);  // told when it subscribes
            continue;
        }
        Session& session = sessions_[handle->second];
        if (session.told_us != 0 && now_us - session.told_us < options_.stored_us) {
            ++at;
            continue;
        }
        session.told_us = std::max<std::int64_t>(now_us, 1);
        const Mark mark = marks_.get(*at);
        const std::string text =
            fmt::format(R"({{"boot":{},"seq":{},"hold":{}}})", mark.boot, mark.seq, holding_);
        const std::string topic{options_.topics.stored_of(*at).view()};
        broker.publish_to(*at, topic, text, 0);
        ++counts_.marks_sent;
        at = untold_.erase(at);
    }
}

}  // namespace stator::gate
