#include "act/rollout/rollout.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stator::rollout {

using nlohmann::json;

namespace {
constexpr std::size_t records_at_once = 500;
}

Rollout::Rollout(doors::Doors& doors, metrics::Metrics& metrics, Options options)
    : doors_{doors}, metrics_{metrics}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Rollout>> Rollout::make(
    doors::Doors& doors,
    stream::Stream& stream,
    mqtt::Client& client,
    metrics::Metrics& metrics,
    Options options
) {
    std::unique_ptr<Rollout> made{new Rollout{doors, metrics, std::move(options)}};
    auto store = rollouts::Rollouts::open(doors, made->options_.file);
    if (!store) return std::unexpected(store.error());
    made->store_ = std::move(*store);
    made->outbox_ = std::make_unique<stream::Outbox>(
        made->store_->database(), client, doors.clock, doors.journal
    );
    auto control = stream.open(
        log::Class::control,
        {.name = "rollout", .required = false, .start = stream::Start::earliest}
    );
    if (!control) return std::unexpected(control.error());
    made->control_ = std::move(*control);
    return made;
}

std::vector<std::string> Rollout::devices_of(const std::string& device_class) const {
    std::vector<std::string> made;
    for (const asset::Asset& asset : options_.assets)
        if (asset.device_class == device_class) made.emplace_back(asset.device.view());
    return made;
}

Outcome<void> Rollout::ask(const std::string& device, const std::string& model) {
    asked_ms_[device] = doors_.clock.monotonic_us() / 1000;
    return outbox_->enqueue(
        "stator/devices/" + device + "/command",
        json{{"command", "download-model"}, {"payload", model}}.dump()
    );
}

Outcome<void> Rollout::broadcast(const std::string& model) {
    return outbox_->enqueue(
        options_.control_topic, json{{"command", "download-model"}, {"payload", model}}.dump()
    );
}

Outcome<void> Rollout::begin(const rollouts::Rollout& rollout) {
    auto transaction = database::Transaction::begin(store_->database());
    if (!transaction) return std::unexpected(transaction.error());
    rollouts::Rollout it = rollout;
    if (it.level == 2) it.state = rollouts::State::broadcast;
    if (auto done = store_->save(it); !done) return done;
    if (it.level == 2) {
        if (auto done = broadcast(it.model); !done) return done;
    } else {
        for (const std::string& device : devices_of(it.device_class)) {
            if (auto done = store_->set_progress(it.model, {.device = device, .state = "asked"});
                !done)
                return done;
            if (auto done = ask(device, it.model); !done) return done;
        }
    }
    if (auto done = transaction->commit(); !done) return done;
    metrics_.add("stator_rollout_started_total", 1, fmt::format("level=\"{}\"", it.level));
    doors_.journal.info(
        "rollout", fmt::format("level {}: {} (release {}) goes out", it.level, it.model, it.release)
    );
    return {};
}

Outcome<void> Rollout::poll_registry() {
    http::ClientRequest request;
    request.url = options_.registry_url + "/api/v1/models";
    request.ca_file = options_.ca_file;
    request.certificate_file = options_.certificate_file;
    request.key_file = options_.key_file;
    request.timeout_ms = 2000;
    auto response = doors_.http.request(request);
    if (!response || response->status != 200) {
        const std::string why = response
                                    ? fmt::format("{} answered {}", request.url, response->status)
                                    : response.error().what;
        if (why != trouble_) doors_.journal.warn("rollout", why);
        trouble_ = why;
        return {};
    }
    trouble_.clear();
    const json models = json::parse(response->body, nullptr, false);
    if (!models.is_array()) return {};
    for (const json& model : models) {
        if (stator::json::text_of(model, "state") != "promoted") continue;
        rollouts::Rollout it;
        it.model = stator::json::text_of(model, "name");
        it.device_class = stator::json::text_of(model, "device_class");
        it.level = static_cast<int>(stator::json::whole_of(model, "level"));
        it.release = stator::json::whole_of(model, "release");
        it.start_unix_ms = doors_.clock.unix_ms();
        if (it.model.empty() || it.level < 1 || it.level > 2) continue;
        auto known = store_->find(it.model);
        if (!known) return std::unexpected(known.error());
        if (*known) continue;
        if (auto done = begin(it); !done) return done;
    }
    return {};
}

Outcome<void> Rollout::stop(rollouts::Rollout rollout, const std::string& reason) {
    rollout.state = rollouts::State::failed;
    rollout.reason = reason;
    metrics_.add("stator_rollout_failed_total");
    doors_.journal.error(
        "rollout",
        fmt::format("{} is stopped: {}; devices keep what they run", rollout.model, reason)
    );
    return store_->save(rollout);
}

Outcome<void> Rollout::on_model_event(const std::string& device, const wire::ModelEvent& event) {
    const std::string model{event.model.view()};
    auto rollout = store_->find(model);
    if (!rollout) return std::unexpected(rollout.error());
    if (!*rollout || (*rollout)->level != 1) return {};
    const std::string state{wire::name_of(event.state)};
    if (auto done = store_->set_progress(
            model, {.device = device, .state = state, .reason = std::string{event.reason.view()}}
        );
        !done)
        return done;
    if ((*rollout)->state != rollouts::State::ring) return {};
    if (event.state == wire::ModelState::refused)
        return stop(**rollout, device + " refused it: " + std::string{event.reason.view()});
    auto progress = store_->progress(model);
    if (!progress) return std::unexpected(progress.error());
    if (!std::ranges::all_of(*progress, [](const rollouts::Progress& p) {
            return p.state == "confirmed";
        }))
        return {};
    rollouts::Rollout it = **rollout;
    it.state = rollouts::State::broadcast;
    doors_.journal.info("rollout", fmt::format("{}: every device runs it", model));
    if (auto done = store_->save(it); !done) return done;
    return broadcast(model);
}

// A device that came (back) is told what it should run: the broker forgets what was queued.
Outcome<void> Rollout::on_arrival(const std::string& device) {
    const auto asset = std::ranges::find(options_.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    if (asset == options_.assets.end()) return {};
    auto newest = store_->newest(std::string{asset->device_class.view()}, 1);
    if (!newest) return std::unexpected(newest.error());
    if (!*newest || (*newest)->state == rollouts::State::failed) return {};
    return ask(device, (*newest)->model);
}

// Which of the classes it judges it knows itself: the manifest names the model's.
Outcome<void> Rollout::on_level2_arrival(const std::string& id) {
    std::set<std::string> classes;
    for (const asset::Asset& asset : options_.assets)
        classes.emplace(asset.device_class.view());
    for (const std::string& device_class : classes) {
        auto newest = store_->newest(device_class, 2);
        if (!newest) return std::unexpected(newest.error());
        if (!*newest) continue;
        if (auto done = ask(id, (*newest)->model); !done) return done;
    }
    return {};
}

Outcome<void> Rollout::on_record(const log::Record& record) {
    if (record.topic.starts_with("stator/presence/")) {
        const auto presence = wire::decode_presence(record.payload);
        if (!presence || !presence->online) return {};
        const std::string id{presence->device.view()};
        const json said = json::parse(record.payload, nullptr, false);
        return stator::json::text_of(said, "role") == "level2" ? on_level2_arrival(id)
                                                               : on_arrival(id);
    }
    if (!record.topic.starts_with("stator/devices/") || !record.topic.ends_with("/event"))
        return {};
    const auto event = wire::decode_event(record.payload);
    if (!event) return {};
    if (const auto* model = std::get_if<wire::ModelEvent>(&event->what))
        return on_model_event(std::string{event->device.view()}, *model);
    return {};
}

Outcome<bool> Rollout::drain() {
    auto records = control_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    if (records->empty()) return false;
    const auto ended = [](const Error& error) {
        return fail(base::Fault::closed, "rollouts.db: " + error.what);
    };
    auto transaction = database::Transaction::begin(store_->database());
    if (!transaction) return ended(transaction.error());
    for (const log::Record& record : *records)
        if (auto done = on_record(record); !done) return ended(done.error());
    if (auto done = transaction->commit(); !done) return ended(done.error());
    if (auto done = control_->commit(records->back().next); !done)
        return std::unexpected(done.error());
    return true;
}

// Asks again who has not answered, and gives up at the deadline.
Outcome<void> Rollout::pursue(rollouts::Rollout rollout) {
    const std::int64_t now_ms = doors_.clock.monotonic_us() / 1000;
    if (doors_.clock.unix_ms() - rollout.start_unix_ms > options_.deadline_ms)
        return stop(rollout, "not every device confirmed it in time: silence counts as failure");
    auto progress = store_->progress(rollout.model);
    if (!progress) return std::unexpected(progress.error());
    for (const rollouts::Progress& device : *progress) {
        if (device.state == "confirmed") continue;
        const auto asked = asked_ms_.find(device.device);
        if (asked != asked_ms_.end() && now_ms - asked->second < options_.again_ms) continue;
        if (auto done = ask(device.device, rollout.model); !done) return done;
    }
    return {};
}

Outcome<bool> Rollout::step() {
    auto worked = drain();
    if (!worked) return worked;
    const std::int64_t now_ms = doors_.clock.monotonic_us() / 1000;
    if (now_ms >= next_poll_ms_) {
        next_poll_ms_ = now_ms + options_.poll_ms;
        if (auto done = poll_registry(); !done) return std::unexpected(done.error());
        std::set<std::string> classes;
        for (const asset::Asset& asset : options_.assets)
            classes.emplace(asset.device_class.view());
        for (const std::string& device_class : classes) {
            auto newest = store_->newest(device_class, 1);
            if (!newest) return std::unexpected(newest.error());
            if (*newest && (*newest)->state == rollouts::State::ring)
                if (auto done = pursue(**newest); !done) return std::unexpected(done.error());
        }
    }
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return worked;
}

}  // namespace stator::rollout
