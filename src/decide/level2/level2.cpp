#include "decide/level2/level2.h"

#include "decide/line/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stator::level2 {

namespace {

constexpr std::size_t records_at_once = 256;
constexpr std::int64_t fetch_again_us = 1'000'000;

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
    for (const asset::Asset& asset : made->options_.assets)
        made->feature_sets_.emplace(asset.device.view(), asset::feature_set_hash(asset));
    if (auto done = made->run_again(); !done) return std::unexpected(done.error());
    if (auto done = made->open_sources(stream); !done) return std::unexpected(done.error());
    auto client = doors.mqtt.connect(made->options_.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    if (made->options_.heard != nullptr)
        if (auto done = made->options_.heard->subscribe(*made->client_); !done)
            return std::unexpected(done.error());
    made->outbox_ = std::make_unique<stream::Outbox>(
        made->verdicts_->database(), *made->client_, doors.clock, doors.journal
    );
    return made;
}

Outcome<void> Level2::open_sources(stream::Stream& stream) {
    for (const auto& [log_class, source] :
         {std::pair{log::Class::telemetry, &telemetry_}, std::pair{log::Class::control, &control_}
         }) {
        auto opened = stream.open(
            log_class,
            {.name = options_.reader, .required = false, .start = stream::Start::earliest}
        );
        if (!opened) return std::unexpected(opened.error());
        *source = std::move(*opened);
        auto place = verdicts_->place(log_class);
        if (!place) return std::unexpected(place.error());
        places_[log_class] = *place;
    }
    return {};
}

Outcome<void> Level2::run_again() {
    auto models = verdicts_->models();
    if (!models) return std::unexpected(models.error());
    for (const auto& [device_class, name] : *models) {
        auto kept = kept_model(doors_, options_.models, options_.assets, name);
        if (kept) {
            metrics_.set(
                "stator_level2_model_release",
                (*kept)->manifest.release,
                metrics::label("class", device_class)
            );
            running_[device_class] = std::move(*kept);
            continue;
        }
        doors_.journal.warn("level2", "fetches " + name + " again: " + kept.error().what);
        awaited_.insert(name);
        announced_.push_back({.name = name, .place = {}});
    }
    return {};
}

RunningModel* Level2::running_of(const asset::Asset& asset) const {
    const auto found = running_.find(std::string{asset.device_class.view()});
    return found == running_.end() ? nullptr : found->second.get();
}

bool Level2::runs(std::string_view name) const {
    return std::ranges::any_of(running_, [&](const auto& entry) {
        return entry.second->manifest.name.view() == name;
    });
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

Outcome<void> Level2::give_up(const Announced& wanted) {
    auto models = verdicts_->models();
    if (!models) return std::unexpected(models.error());
    for (const auto& [device_class, name] : *models)
        if (name == wanted.name && !running_.contains(device_class))
            if (auto done = verdicts_->set_model(device_class, ""); !done) return done;
    return {};
}

Outcome<void> Level2::swap(const Announced& wanted) {
    const std::string& name = wanted.name;
    auto fetched = fetch_model(doors_, options_.models, options_.assets, running_, name);
    if (!fetched && fetched.error().fault != base::Fault::not_found &&
        fetched.error().fault != base::Fault::bad_input)
        return std::unexpected(fetched.error());
    if (fetched)
        if (auto done = keep_model(doors_, options_.models, **fetched); !done) return done;
    // From here on memory changes with the database: if that fails, neither counts.
    const auto lost = [](const Error& error) {
        return fail(base::Fault::closed, "level2.db: " + error.what);
    };
    auto transaction = database::Transaction::begin(verdicts_->database());
    if (!transaction) return lost(transaction.error());
    std::string before;  // its copy is still needed if this is killed before the commit
    if (fetched) {
        const auto now = running_.find(std::string{(*fetched)->manifest.device_class.view()});
        if (now != running_.end()) before = now->second->manifest.name.view();
        if (auto done = take_over(std::move(*fetched), wanted); !done) return lost(done.error());
    } else {
        if (auto done = give_up(wanted); !done) return lost(done.error());
        if (fetched.error().fault == base::Fault::bad_input) {
            metrics_.add("stator_level2_models_refused_total");
            doors_.journal.warn("level2", "refused " + fetched.error().what);
            if (auto done = tell_model(wire::ModelState::refused, name, 0, fetched.error().what);
                !done)
                return lost(done.error());
        } else {
            doors_.journal.info("level2", "passes over " + fetched.error().what);
        }
    }
    if (wanted.place.next != log::Offset{}) {
        places_[log::Class::control] = wanted.place;
        if (auto done = verdicts_->set_place(log::Class::control, wanted.place); !done)
            return lost(done.error());
    }
    if (auto done = transaction->commit(); !done) return lost(done.error());
    if (!before.empty()) forget_model(doors_, options_.models, before);
    return {};
}

Outcome<void> Level2::take_over(std::unique_ptr<RunningModel> model, const Announced& wanted) {
    const bundle::Manifest& manifest = model->manifest;
    const std::string device_class{manifest.device_class.view()};
    if (auto done = verdicts_->set_model(device_class, wanted.name); !done) return done;
    const judge::Model next = judge_of(*model);
    for (auto& [id, device] : devices_) {
        judge::Memory& memory = device.memory;
        const asset::Asset* asset = asset_of(id);
        if (asset == nullptr || !(asset->device_class == manifest.device_class)) continue;
        if (memory.model == wanted.name || manifest.keep_state) continue;
        // Whoever acts on the old model's alarm must hear that nobody raises it any more.
        if (judge::must_withdraw(memory, next))
            if (auto done = withdraw(id); !done) return done;
        judge::take_model(memory, next);
        if (auto done = verdicts_->store(id, device); !done) return done;
    }
    for (const asset::Asset& asset : options_.assets)
        if (asset.device_class == manifest.device_class &&
            feature_sets_.find(asset.device.view())->second != manifest.feature_set)
            doors_.journal.warn(
                "level2",
                fmt::format(
                    "{} has other features than {} and is not judged",
                    asset.device.view(),
                    wanted.name
                )
            );
    if (auto done = tell_model(wire::ModelState::confirmed, wanted.name, manifest.release, "");
        !done)
        return done;
    metrics_.add("stator_level2_models_swapped_total");
    metrics_.set(
        "stator_level2_model_release", manifest.release, metrics::label("class", device_class)
    );
    doors_.journal.info(
        "level2", fmt::format("runs {} (release {})", wanted.name, manifest.release)
    );
    running_[device_class] = std::move(model);
    return {};
}

void Level2::hear_control(const std::vector<log::Record>& records) {
    for (const log::Record& record : records) {
        // What another broker vouched for, or a device said, is no command.
        if (record.topic != options_.control_topic) continue;
        if (places_[log::Class::control].covers(record)) continue;
        const auto command = wire::decode_command(record.payload);
        if (!command || command->order != wire::Order::download_model) continue;
        // One batch may announce level 1's model behind ours: the last is not the only one.
        announced_.push_back(
            {.name = std::string{command->payload.view()},
             .place = {.next = record.next, .receive_unix_ms = record.receive_unix_ms}}
        );
    }
    if (!records.empty()) announced_until_ = records.back().next;
}

Outcome<bool> Level2::swap_wanted() {
    while (!announced_.empty()) {
        if (doors_.clock.monotonic_us() < fetch_not_before_us_) return false;
        if (!runs(announced_.front().name)) {
            if (auto done = swap(announced_.front()); !done) {
                if (done.error().fault == base::Fault::closed) return std::unexpected(done.error());
                fetch_not_before_us_ = doors_.clock.monotonic_us() + fetch_again_us;
                doors_.journal.warn("level2", done.error().what);
                return false;
            }
        }
        awaited_.erase(announced_.front().name);
        announced_.pop_front();
    }
    return true;
}

Outcome<bool> Level2::drain_control() {
    std::vector<log::Record> records;
    // Announcements stay in the stream while there are many here.
    if (announced_.size() < records_at_once) {
        auto taken = control_->take(records_at_once);
        if (!taken) return std::unexpected(taken.error());
        records = std::move(*taken);
    }
    hear_control(records);
    auto swapped = swap_wanted();
    if (!swapped) return swapped;
    if (*swapped && announced_until_ != committed_) {
        if (auto done = control_->commit(announced_until_); !done)
            return std::unexpected(done.error());
        committed_ = announced_until_;
    }
    return !records.empty();
}

Outcome<void> Level2::alert(
    const std::string& device,
    const asset::Asset& asset,
    const detect::Verdict& verdict,
    std::int64_t time_unix_ms,
    suspect::Suspicion suspicion
) {
    const bundle::Manifest& manifest = running_of(asset)->manifest;
    wire::Alert alert = judge::alert_of(
        verdict,
        asset,
        judge::bands_of(asset),
        manifest.name.view(),
        manifest.fold.threshold,
        suspicion
    );
    alert.device = std::string_view{device};
    alert.time_unix_ms = time_unix_ms;
    alert.source = std::string_view{options_.id};
    alert.boot = boot_;
    alert.seq = ++seq_;
    std::array<char, wire::message_bytes_max> buffer{};
    metrics_.add("stator_level2_alerts_total");
    return enqueue(options_.alert_topic, wire::encode(alert, buffer));
}

Outcome<void> Level2::withdraw(const std::string& device) {
    const asset::Asset* asset = asset_of(device);
    if (asset == nullptr || running_of(*asset) == nullptr) return {};
    return alert(device, *asset, detect::Verdict{}, doors_.clock.unix_ms());
}

bool Level2::is_new(
    verdicts::Device& device, const wire::Telemetry& telemetry, const log::Record& record
) {
    const std::uint64_t seq = telemetry.seq.value_or(0);
    // Who numbers nothing (a device of another make) is known by its place in the stream.
    if (seq == 0) return !places_[log::Class::telemetry].covers(record);
    const auto taken = device.numbers.take(telemetry.boot.value_or(0), seq);
    if (taken.came == stream::Numbers::Came::late) metrics_.add("stator_level2_late_total");
    return taken.came != stream::Numbers::Came::again;
}

void Level2::take(const log::Record& record) {
    const auto telemetry = wire::decode_telemetry(record.payload);
    if (!telemetry) {
        metrics_.add("stator_level2_records_unreadable_total");
        return;
    }
    const asset::Asset* asset = asset_of(telemetry->device.view());
    if (asset == nullptr) return;
    RunningModel* const running = running_of(*asset);
    if (running == nullptr) {
        metrics_.add("stator_level2_records_without_model_total");
        return;
    }
    const bundle::Manifest& manifest = running->manifest;
    if (feature_sets_.find(asset->device.view())->second != manifest.feature_set) {
        metrics_.add("stator_level2_records_unfit_total");
        return;
    }
    const std::string id{telemetry->device.view()};
    verdicts::Device& device = devices_[id];
    if (!is_new(device, *telemetry, record)) {
        metrics_.add("stator_level2_duplicates_total");
        return;
    }
    touched_.insert(id);
    const auto reading = judge::reading_of(*telemetry, *asset, record.receive_unix_ms);
    if (!reading) {
        metrics_.add("stator_level2_records_incomplete_total");
        return;
    }
    rows_.push_back(
        {.device = id,
         .asset = asset,
         .running = running,
         .memory = &device.memory,
         .reading = *reading,
         .made = {}}
    );
}

Outcome<void> Level2::tell(const Row& row) {
    metrics_.add("stator_level2_records_judged_total");
    const detect::Verdict& verdict = row.made.verdict;
    if (!verdict.ready) return {};
    metrics_.set("stator_level2_value", verdict.value, metrics::label("device", row.device));
    if (!row.made.alert_due) return {};
    return alert(row.device, *row.asset, verdict, row.reading.time_unix_ms, row.made.suspicion);
}

// A failed run was tinyml's: no record goes unjudged, and a model's first failure is told.
void Level2::note_engine(RunningModel& running) {
    if (running.engine_failure.empty()) return;
    const std::uint64_t before =
        std::exchange(running.engine_failures_told, running.engine_failures);
    metrics_.add(
        "stator_level2_engine_failures_total", static_cast<double>(running.engine_failures - before)
    );
    if (before == 0)
        doors_.journal.warn(
            "level2",
            fmt::format(
                "{}: tinyml runs it where the other engine fails: {}",
                running.manifest.name.view(),
                running.engine_failure
            )
        );
    running.engine_failure.clear();
}

std::string Level2::answer(std::string_view json) {
    metrics_.add("stator_level2_asked_total");
    const auto telemetry = wire::decode_telemetry(json);
    if (!telemetry) return line::write_error("this is no telemetry (docs/contract.md)");
    const std::string id{telemetry->device.view()};
    const asset::Asset* asset = asset_of(id);
    if (asset == nullptr)
        return line::write_error("device '" + id + "' is of no asset of stator.toml");
    RunningModel* const running = running_of(*asset);
    if (running == nullptr)
        return line::write_error(
            fmt::format("no model of class '{}' runs yet", asset->device_class.view())
        );
    const bundle::Manifest& manifest = running->manifest;
    const auto reading = judge::reading_of(*telemetry, *asset, 0);
    if (!reading || feature_sets_.find(id)->second != manifest.feature_set)
        return line::write_error("the reading has not all the features of device '" + id + "'");
    judge::Memory& memory = asked_[id];
    judge::take_model(memory, judge_of(*running));
    const detect::Verdict verdict = detect::step(
        memory.fold,
        std::span{reading->features}.first(reading->feature_count),
        manifest.fold,
        running->network()
    );
    note_engine(*running);
    return line::write_answer(verdict.value);
}

Outcome<void> Level2::judge_all(const std::vector<log::Record>& records) {
    auto transaction = database::Transaction::begin(verdicts_->database());
    if (!transaction) return std::unexpected(transaction.error());
    touched_.clear();
    rows_.clear();
    for (const log::Record& record : records)
        if (record.topic == options_.data_topic) take(record);
    metrics_.add("stator_level2_batches_total", static_cast<double>(judge_rows(rows_)));
    for (const auto& [device_class, running] : running_)
        note_engine(*running);
    for (const Row& row : rows_)
        if (auto done = tell(row); !done) return done;
    for (const std::string& id : touched_)
        if (auto done = verdicts_->store(id, devices_[id]); !done) return done;
    verdicts::Place place{.next = records.back().next, .receive_unix_ms = 0};
    for (const log::Record& record : records)
        place.receive_unix_ms = std::max(place.receive_unix_ms, record.receive_unix_ms);
    if (auto done = verdicts_->set_place(log::Class::telemetry, place); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
    places_[log::Class::telemetry] = place;
    return {};
}

Outcome<bool> Level2::drain_telemetry() {
    if (!awaited_.empty()) return false;
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
    for (const mqtt::Event& event : client_->poll()) {
        outbox_->on_event(event);
        if (options_.heard != nullptr) options_.heard->hear(event);
    }
    // Control first: a model that was announced before a record judges that record.
    auto control = drain_control();
    if (!control) return control;
    auto telemetry = drain_telemetry();
    if (!telemetry) return telemetry;
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return *control || *telemetry;
}

}  // namespace stator::level2
