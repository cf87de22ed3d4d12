#include "decide/sidecar/sidecar.h"

#include "decide/line/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::sidecar {

namespace {

constexpr std::size_t records_at_once = 64;
constexpr std::int64_t alert_interval_ms = 1000;
constexpr std::int64_t answer_wait_us = 2000;  // a server answers at once; the stream can wait

wire::Severity severity_of(const asset::Asset& asset, float value) {
    if (value >= asset.severity_imminent) return wire::Severity::imminent;
    return value >= asset.severity_potential ? wire::Severity::potential : wire::Severity::none;
}

}  // namespace

Outcome<std::unique_ptr<Sidecar>> Sidecar::make(
    doors::Doors& doors, stream::Stream& stream, sockets::Sockets& sockets, Options options
) {
    std::unique_ptr<Sidecar> made{new Sidecar{doors, sockets, std::move(options)}};
    auto verdicts = verdicts::Verdicts::open(doors, made->options_.state_file);
    if (!verdicts) return std::unexpected(verdicts.error());
    made->verdicts_ = std::move(*verdicts);
    auto devices = made->verdicts_->load();
    if (!devices) return std::unexpected(devices.error());
    made->devices_ = std::move(*devices);
    auto place = made->verdicts_->place(log::Class::telemetry);
    if (!place) return std::unexpected(place.error());
    made->place_ = *place;
    auto boot = made->verdicts_->next_boot();
    if (!boot) return std::unexpected(boot.error());
    made->boot_ = *boot;
    auto source = stream.open(
        log::Class::telemetry,
        {.name = made->options_.reader, .required = false, .start = stream::Start::latest}
    );
    if (!source) return std::unexpected(source.error());
    made->source_ = std::move(*source);
    auto client = doors.mqtt.connect(made->options_.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    made->outbox_ = std::make_unique<stream::Outbox>(
        made->verdicts_->database(), *made->client_, doors.clock, doors.journal
    );
    return made;
}

const asset::Asset* Sidecar::asset_of(std::string_view device) const {
    const auto found = std::ranges::find(options_.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    return found == options_.assets.end() ? nullptr : &*found;
}

bool Sidecar::is_question(const log::Record& record) {
    if (record.topic != options_.data_topic) return false;
    const auto telemetry = wire::decode_telemetry(record.payload);
    if (!telemetry) {
        metrics_.add("stator_sidecar_records_unreadable_total");
        return false;
    }
    if (asset_of(telemetry->device.view()) == nullptr) return false;
    const auto found = devices_.find(std::string{telemetry->device.view()});
    const std::uint64_t seq = telemetry->seq.value_or(0);
    const bool known = seq == 0 ? place_.covers(record)
                                : found != devices_.end() &&
                                      found->second.numbers.has(telemetry->boot.value_or(0), seq);
    if (known) metrics_.add("stator_sidecar_duplicates_total");
    return !known;
}

Outcome<bool> Sidecar::take() {
    auto records = source_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    waiting_.assign(records->begin(), records->end());
    return !records->empty();
}

Outcome<void> Sidecar::keep(const verdicts::Place& place) {
    auto transaction = database::Transaction::begin(verdicts_->database());
    if (!transaction) return std::unexpected(transaction.error());
    for (const std::string& id : touched_)
        if (auto done = verdicts_->store(id, devices_[id]); !done) return done;
    for (const std::string& alert : alerts_)
        if (auto done = outbox_->enqueue(options_.alert_topic, alert); !done) return done;
    if (auto done = verdicts_->set_place(log::Class::telemetry, place); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
    touched_.clear();
    alerts_.clear();
    place_ = place;
    return {};
}

Outcome<void> Sidecar::next() {
    const log::Record done = std::move(waiting_.front());
    waiting_.pop_front();
    asked_ = false;
    in_.clear();
    if (!waiting_.empty() && alerts_.empty()) return {};
    const verdicts::Place place{
        .next = done.next, .receive_unix_ms = std::max(done.receive_unix_ms, place_.receive_unix_ms)
    };
    // What was answered is in memory now: when it cannot be kept, this process ends and asks again.
    if (auto kept = keep(place); !kept)
        return fail(base::Fault::closed, "sidecar.db: " + kept.error().what);
    return source_->commit(done.next);
}

std::unexpected<Error> Sidecar::lost(const std::string& why) {
    server_.reset();
    asked_ = false;
    in_.clear();
    pause_us_ = std::clamp(2 * pause_us_, options_.pause_us_min, options_.pause_us_max);
    not_before_us_ = doors_.clock.monotonic_us() + pause_us_;
    metrics_.add("stator_sidecar_attempts_failed_total");
    trouble_ = fmt::format(
        "the inference server {}:{} gives no answer ({}); asking again",
        options_.server_host,
        options_.server_port,
        why
    );
    return fail(base::Fault::again, trouble_);
}

Outcome<bool> Sidecar::ask() {
    if (doors_.clock.monotonic_us() < not_before_us_) return fail(base::Fault::again, trouble_);
    if (!server_) {
        auto connection = sockets_.connect(options_.server_host, options_.server_port);
        if (!connection) return lost(connection.error().what);
        server_ = std::move(*connection);
    }
    out_ = waiting_.front().payload + '\n';
    asked_ = true;
    asked_us_ = heard_us_ = doors_.clock.monotonic_us();
    return true;
}

Outcome<bool> Sidecar::hear() {
    const std::int64_t now_us = doors_.clock.monotonic_us();
    if (!out_.empty()) {
        auto sent = server_->write(out_);
        if (!sent) return lost(sent.error().what);
        out_.erase(0, *sent);
    }
    auto got = server_->read(in_, line::answer_bytes_max + 1 - in_.size());
    if (got && *got) heard_us_ = now_us;
    const bool ended = !got;
    const bool line = in_.find('\n') != std::string::npos;
    const bool paused = !in_.empty() && now_us - heard_us_ >= options_.answer_pause_us;
    if (in_.size() > line::answer_bytes_max) {
        if (auto done = answered(in_, false); !done) return std::unexpected(done.error());
        server_.reset();  // where the next answer begins nobody knows
        return true;
    }
    if (in_.empty() && ended) return lost("it closed");
    if (line || ended || paused) {
        if (auto done = answered(in_, true); !done) return std::unexpected(done.error());
        if (ended) server_.reset();
        return true;
    }
    if (now_us - asked_us_ > options_.answer_us_max) return lost("nothing came in time");
    return got && *got;
}

Outcome<void> Sidecar::answered(std::string_view text, bool whole) {
    trouble_.clear();
    pause_us_ = 0;
    const log::Record& record = waiting_.front();
    const auto value = whole ? line::read_answer(text) : std::nullopt;
    const auto telemetry = wire::decode_telemetry(record.payload);
    if (telemetry) take_number(*telemetry);
    if (value) {
        metrics_.add("stator_sidecar_records_judged_total");
        if (telemetry) judge(*telemetry, record.receive_unix_ms, *value);
    } else {
        metrics_.add("stator_sidecar_answers_refused_total");
        doors_.journal.warn(
            "sidecar",
            fmt::format("the server answered no value: {}", text.substr(0, text.find('\n')))
        );
    }
    return next();
}

void Sidecar::take_number(const wire::Telemetry& telemetry) {
    const std::uint64_t seq = telemetry.seq.value_or(0);
    if (seq == 0) return;
    const std::string id{telemetry.device.view()};
    touched_.insert(id);
    const auto taken = devices_[id].numbers.take(telemetry.boot.value_or(0), seq);
    if (taken.came == stream::Numbers::Came::late) metrics_.add("stator_sidecar_late_total");
}

void Sidecar::judge(const wire::Telemetry& telemetry, std::int64_t receive_unix_ms, float value) {
    const asset::Asset* asset = asset_of(telemetry.device.view());
    const std::string id{telemetry.device.view()};
    judge::Memory& device = devices_[id].memory;
    touched_.insert(id);
    const bool before = device.fold.alarm;
    const bool now = severity_of(*asset, value) != wire::Severity::none;
    device.fold.alarm = now;
    metrics_.set("stator_sidecar_value", value, metrics::label("device", id));
    const std::int64_t time_unix_ms = telemetry.time_unix_ms.value_or(receive_unix_ms);
    const bool due = now && (time_unix_ms - device.alerted_unix_ms >= alert_interval_ms ||
                             time_unix_ms < device.alerted_unix_ms);
    if (before == now && !due) return;
    device.alerted_unix_ms = time_unix_ms;
    alert(telemetry, time_unix_ms, value, now);
}

void Sidecar::alert(
    const wire::Telemetry& telemetry, std::int64_t time_unix_ms, float value, bool alarm
) {
    const asset::Asset& asset = *asset_of(telemetry.device.view());
    wire::Alert alert;
    alert.device = telemetry.device;
    alert.time_unix_ms = time_unix_ms;
    alert.inference = value;
    alert.severity = severity_of(asset, value);
    alert.threshold = asset.severity_potential;
    alert.alarm = alarm;
    alert.source = std::string_view{options_.id};
    alert.boot = boot_;
    alert.seq = ++seq_;
    std::array<char, wire::message_bytes_max> buffer{};
    const auto json = wire::encode(alert, buffer);
    if (json) alerts_.emplace_back(*json);
    metrics_.add("stator_sidecar_alerts_total");
}

Outcome<bool> Sidecar::step() {
    for (const mqtt::Event& event : client_->poll())
        outbox_->on_event(event);
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    if (asked_) return hear();
    if (waiting_.empty()) return take();
    if (is_question(waiting_.front())) return ask();
    if (auto done = next(); !done) return std::unexpected(done.error());
    return true;
}

void Sidecar::wait(std::int64_t timeout_us) {
    if (asked_) {
        doors_.clock.wait_us(std::min(timeout_us, answer_wait_us));
    } else {
        source_->wait(timeout_us);
    }
}

}  // namespace stator::sidecar
