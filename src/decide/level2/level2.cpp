#include "decide/level2/level2.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace stator::level2 {

namespace {

constexpr std::size_t records_at_once = 256;
constexpr std::int64_t alert_interval_ms = 1000;
constexpr std::int64_t fetch_again_us = 1'000'000;

// The asset's features in its order, or nothing when one is missing: such a reading is not judged.
std::optional<std::array<float, asset::features_max>> features_of(
    const wire::Telemetry& telemetry, const asset::Asset& asset
) {
    std::array<float, asset::features_max> made{};
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const auto name = asset::feature_name(asset, i);
        auto value = wire::find(telemetry.channels, name);
        if (!value) value = wire::find(telemetry.features, name);
        if (!value) return std::nullopt;
        made[i] = *value;
    }
    return made;
}

wire::Severity severity_of(const asset::Asset& asset, float value) {
    if (value >= asset.severity_imminent) return wire::Severity::imminent;
    return value >= asset.severity_potential ? wire::Severity::potential : wire::Severity::none;
}

}  // namespace

Level2::Level2(doors::Doors& doors, Options options)
    : doors_{doors}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Level2>> Level2::make(
    doors::Doors& doors, stream::Stream& stream, Options options
) {
    std::unique_ptr<Level2> made{new Level2{doors, std::move(options)}};
    auto verdicts = verdicts::Verdicts::open(doors, made->options_.state_file);
    if (!verdicts) return std::unexpected(verdicts.error());
    made->verdicts_ = std::move(*verdicts);
    auto devices = made->verdicts_->load();
    if (!devices) return std::unexpected(devices.error());
    made->devices_ = std::move(*devices);
    auto boot = made->verdicts_->next_boot();
    if (!boot) return std::unexpected(boot.error());
    made->boot_ = *boot;
    auto model = made->verdicts_->model();
    if (!model) return std::unexpected(model.error());
    made->wanted_ = *model;
    for (const auto& [log_class, source] :
         {std::pair{log::Class::telemetry, &made->telemetry_},
          std::pair{log::Class::control, &made->control_}}) {
        auto opened = stream.open(
            log_class, {.name = "level2", .required = false, .start = stream::Start::earliest}
        );
        if (!opened) return std::unexpected(opened.error());
        *source = std::move(*opened);
    }
    auto client = doors.mqtt.connect(made->options_.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    made->outbox_ = std::make_unique<stream::Outbox>(
        made->verdicts_->database(), *made->client_, doors.clock, doors.journal
    );
    return made;
}

const asset::Asset* Level2::asset_of(std::string_view device) const {
    const auto found = std::ranges::find(options_.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    return found == options_.assets.end() ? nullptr : &*found;
}

Outcome<void> Level2::enqueue(const std::string& topic, const wire::Json& json) {
    if (!json) return fail(json.error(), "an own message for " + topic + " does not fit");
    return outbox_->enqueue(topic, std::string{*json});
}

Outcome<void> Level2::tell_model(
    wire::ModelState state, const std::string& name, std::uint32_t release, const std::string& why
) {
    wire::DeviceEvent event;
    event.device = std::string_view{options_.id};
    event.time_unix_ms = doors_.clock.unix_ms();
    event.boot = boot_;
    event.seq = ++seq_;
    event.what = wire::ModelEvent{
        .state = state,
        .model = std::string_view{name},
        .release = release,
        .reason = std::string_view{why}
    };
    std::array<char, wire::message_bytes_max> buffer{};
    return enqueue("stator/devices/" + options_.id + "/event", wire::encode(event, buffer));
}

Outcome<void> Level2::swap(const std::string& name) {
    if (options_.assets.empty()) return {};
    const asset::Asset& asset = options_.assets.front();
    const bool back = running_ == nullptr;
    auto fetched =
        fetch_model(doors_, options_.models, asset, name, back ? 0 : running_->manifest.release);
    if (!fetched) {
        if (fetched.error().fault == base::Fault::not_found) {
            wanted_.clear();
            return {};
        }
        if (fetched.error().fault != base::Fault::bad_input)
            return std::unexpected(fetched.error());
        wanted_.clear();
        metrics_.add("stator_level2_models_refused_total");
        doors_.journal.warn("level2", "refused " + fetched.error().what);
        return tell_model(wire::ModelState::refused, name, 0, fetched.error().what);
    }
    auto transaction = database::Transaction::begin(verdicts_->database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = verdicts_->set_model(name); !done) return done;
    // The old model's memory means nothing to the new one, unless its maker says so.
    for (auto& [id, device] : devices_) {
        if (device.model == name || (*fetched)->manifest.keep_state) continue;
        // Whoever acts on the old model's alarm must hear that nobody raises it any more.
        if (device.fold.alarm)
            if (auto done = withdraw(id); !done) return done;
        device.fold = {};
        device.model = name;
        if (auto done = verdicts_->store(id, device); !done) return done;
    }
    const std::uint32_t release = (*fetched)->manifest.release;
    if (auto done = tell_model(wire::ModelState::confirmed, name, release, ""); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
    running_ = std::move(*fetched);
    wanted_.clear();
    metrics_.set("stator_level2_model_release", release);
    doors_.journal.info("level2", fmt::format("runs {} (release {})", name, release));
    return {};
}

Outcome<bool> Level2::drain_control() {
    auto records = control_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    for (const log::Record& record : *records) {
        // What another broker vouched for, or a device said, is no command.
        if (record.topic != options_.control_topic) continue;
        const auto command = wire::decode_command(record.payload);
        if (!command || command->order != wire::Order::download_model) continue;
        const std::string name{command->payload.view()};
        if (running_ && name == running_->manifest.name.view()) continue;
        // One batch may announce level 1's model behind ours: the last is not the only one.
        announced_.push_back(name);
    }
    if (!records->empty()) announced_until_ = records->back().next;
    if (wanted_.empty() && !announced_.empty()) {
        wanted_ = announced_.front();
        announced_.pop_front();
        fetch_not_before_us_ = 0;
    }
    if (!wanted_.empty() && doors_.clock.monotonic_us() >= fetch_not_before_us_) {
        if (auto done = swap(wanted_); !done) {
            fetch_not_before_us_ = doors_.clock.monotonic_us() + fetch_again_us;
            doors_.journal.warn("level2", done.error().what);
            return true;
        }
    }
    const bool idle = records->empty() && announced_.empty();
    if (wanted_.empty() && announced_.empty() && announced_until_ != committed_) {
        committed_ = announced_until_;
        if (auto done = control_->commit(committed_); !done) return std::unexpected(done.error());
    }
    return !idle;
}

Outcome<void> Level2::alert(
    const wire::Telemetry& telemetry,
    const asset::Asset& asset,
    const detect::Verdict& verdict,
    std::int64_t time_unix_ms
) {
    wire::Alert alert;
    alert.device = telemetry.device;
    alert.time_unix_ms = time_unix_ms;
    alert.inference = verdict.value;
    alert.severity = verdict.alarm ? severity_of(asset, verdict.value) : wire::Severity::none;
    alert.threshold = running_->manifest.fold.threshold;
    alert.alarm = verdict.alarm;
    alert.model = running_->manifest.name.view();
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        if (verdict.contribution[i] > 0.0F &&
            !alert.contributions.push_back(
                {.name = asset::feature_name(asset, i).view(), .value = verdict.contribution[i]}
            ))
            break;
    alert.source = std::string_view{options_.id};
    alert.boot = boot_;
    alert.seq = ++seq_;
    std::array<char, wire::message_bytes_max> buffer{};
    metrics_.add("stator_level2_alerts_total");
    return enqueue(options_.alert_topic, wire::encode(alert, buffer));
}

Outcome<void> Level2::withdraw(const std::string& device) {
    const asset::Asset* asset = asset_of(device);
    if (asset == nullptr || !running_) return {};
    wire::Telemetry about;
    about.device = std::string_view{device};
    return alert(about, *asset, detect::Verdict{}, doors_.clock.unix_ms());
}

Outcome<void> Level2::judge(const log::Record& record) {
    const auto telemetry = wire::decode_telemetry(record.payload);
    if (!telemetry) {
        metrics_.add("stator_level2_records_unreadable_total");
        return {};
    }
    const asset::Asset* asset = asset_of(telemetry->device.view());
    if (asset == nullptr || !running_) return {};
    const std::string id{telemetry->device.view()};
    verdicts::Device& device = devices_[id];
    const std::uint32_t boot = telemetry->boot.value_or(0);
    const std::uint64_t seq = telemetry->seq.value_or(0);
    if (seq != 0 && (boot < device.boot || (boot == device.boot && seq <= device.seq))) {
        metrics_.add("stator_level2_duplicates_total");
        return {};
    }
    device.boot = boot;
    device.seq = seq;
    const std::string_view model = running_->manifest.name.view();
    if (device.model != model) {
        if (!running_->manifest.keep_state) device.fold = {};
        device.model = model;
    }
    const auto features = features_of(*telemetry, *asset);
    if (!features) {
        metrics_.add("stator_level2_records_incomplete_total");
        return {};
    }
    const detect::Verdict verdict = detect::step(
        device.fold,
        std::span{*features}.first(asset->features.size()),
        running_->manifest.fold,
        *running_->model
    );
    metrics_.add("stator_level2_records_judged_total");
    if (!verdict.ready) return {};
    metrics_.set("stator_level2_value", verdict.value, fmt::format("device=\"{}\"", id));
    const std::int64_t time_unix_ms = telemetry->time_unix_ms.value_or(record.receive_unix_ms);
    const bool due = verdict.alarm && time_unix_ms - device.alerted_unix_ms >= alert_interval_ms;
    if (!verdict.raised && !verdict.cleared && !due) return {};
    device.alerted_unix_ms = time_unix_ms;
    return alert(*telemetry, *asset, verdict, time_unix_ms);
}

Outcome<void> Level2::judge_all(const std::vector<log::Record>& records) {
    auto transaction = database::Transaction::begin(verdicts_->database());
    if (!transaction) return std::unexpected(transaction.error());
    for (const log::Record& record : records) {
        if (record.topic != options_.data_topic) continue;
        if (auto done = judge(record); !done) return done;
    }
    for (const auto& [id, device] : devices_)
        if (auto done = verdicts_->store(id, device); !done) return done;
    return transaction->commit();
}

Outcome<bool> Level2::drain_telemetry() {
    auto records = telemetry_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    if (records->empty()) return false;
    // What was taken is in memory now and would be judged again only by a new process: when it
    // cannot be kept, this one ends.
    if (auto done = judge_all(*records); !done)
        return fail(base::Fault::closed, "level2.db: " + done.error().what);
    if (auto done = telemetry_->commit(records->back().next); !done)
        return std::unexpected(done.error());
    if (const std::uint64_t missed = telemetry_->missed_bytes(); missed != 0)
        metrics_.add("stator_level2_missed_bytes_total", static_cast<double>(missed));
    return true;
}

Outcome<bool> Level2::step() {
    for (const mqtt::Event& event : client_->poll())
        outbox_->on_event(event);
    // Control first: a model that was announced before a record judges that record.
    auto control = drain_control();
    if (!control) return control;
    auto telemetry = drain_telemetry();
    if (!telemetry) return telemetry;
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return *control || *telemetry;
}

}  // namespace stator::level2
