#include "learn/pipeline/pipeline.h"

#include "learn/pipeline/material.h"
#include "shared/wire/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::pipeline {

namespace {

constexpr std::size_t records_at_once = 256;
constexpr std::int64_t pause_first_us = 500'000;
constexpr std::int64_t pause_max_us = 30'000'000;
constexpr int missing_max = 5;  // a file that is announced may be a moment late, not for ever

constexpr std::string_view extract_data = "extract-data";
constexpr std::string_view train_model = "train-model";

// Trying again can help.
bool is_passing(const Error& error, int failures) {
    switch (error.fault) {
        case base::Fault::bad_input:
        case base::Fault::corrupt:
        case base::Fault::exists:
            return false;
        case base::Fault::not_found:
            return failures < missing_max;
        default:
            return true;
    }
}

}  // namespace

Pipeline::Pipeline(doors::Doors& doors, Options options)
    : doors_{doors}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Pipeline>> Pipeline::make(
    doors::Doors& doors, stream::Stream& stream, Options options
) {
    std::unique_ptr<Pipeline> made{new Pipeline{doors, std::move(options)}};
    auto runs = runs::Runs::open(doors, made->options_.state_file);
    if (!runs) return std::unexpected(runs.error());
    made->runs_ = std::move(*runs);
    auto source = stream.open(
        log::Class::control, {.name = "learn", .required = true, .start = stream::Start::earliest}
    );
    if (!source) return std::unexpected(source.error());
    made->control_ = std::move(*source);
    auto client = doors.mqtt.connect(made->options_.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    made->outbox_ = std::make_unique<stream::Outbox>(
        made->runs_->database(), *made->client_, doors.clock, doors.journal
    );
    return made;
}

Outcome<bool> Pipeline::drain_control() {
    if (!tasks_.empty()) return false;
    auto records = control_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    if (records->empty()) return false;
    for (const log::Record& record : *records) {
        next_ = record.next;
        if (record.topic != options_.control_topic) continue;
        const auto command = wire::decode_command(record.payload);
        if (!command) continue;
        if (command->order == wire::Order::extract_data)
            tasks_.push_back({std::string{extract_data}, std::string{command->payload.view()}});
        if (command->order == wire::Order::train_model)
            tasks_.push_back({std::string{train_model}, std::string{command->payload.view()}});
    }
    if (tasks_.empty())
        if (auto done = control_->commit(next_); !done) return std::unexpected(done.error());
    return true;
}

Outcome<void> Pipeline::run_extract(const Task& task) {
    std::vector<std::pair<std::string, std::string>> data_sets;  // asset, name
    for (const asset::Asset& asset : options_.assets) {
        auto name = look_for_drift(doors_, *runs_, asset, options_, task.payload);
        if (!name) return std::unexpected(name.error());
        if (!name->empty()) data_sets.emplace_back(asset.id.view(), *name);
    }
    auto transaction = database::Transaction::begin(runs_->database());
    if (!transaction) return std::unexpected(transaction.error());
    for (const auto& [asset, name] : data_sets) {
        if (auto done = announce_training(*runs_, options_, asset, name); !done) return done;
        metrics_.add("stator_learn_trainings_asked_total");
    }
    if (auto done = runs_->set_done(task.command, task.payload); !done) return done;
    return transaction->commit();
}

Outcome<void> Pipeline::run(const Task& task) {
    auto known = runs_->is_done(task.command, task.payload);
    if (!known) return std::unexpected(known.error());
    if (*known) return {};
    if (task.command == extract_data) return run_extract(task);
    auto full = runs_->full_models(task.payload);
    if (!full) return std::unexpected(full.error());
    if (full->size() < levels.size())  // what a kill left half is trained again
        if (auto trained = train_models(doors_, *runs_, options_, task.payload); !trained)
            return std::unexpected(trained.error());
    auto promoted = quantise_and_judge(doors_, *runs_, options_, task.payload);
    if (!promoted) return std::unexpected(promoted.error());
    metrics_.add(
        *promoted ? "stator_learn_models_promoted_total" : "stator_learn_models_declined_total"
    );
    return {};
}

// What can never succeed must not stand in the way of the next command.
Outcome<void> Pipeline::drop(const Task& task, const std::string& why) {
    doors_.journal.error(
        "learn", fmt::format("{} {} is given up: {}", task.command, task.payload, why)
    );
    metrics_.add("stator_learn_tasks_dropped_total");
    auto transaction = database::Transaction::begin(runs_->database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = runs_->set_done(task.command, task.payload); !done) return done;
    for (const asset::Asset& asset : options_.assets) {
        const std::string id{asset.id.view()};
        auto awaited = runs_->awaited(id);
        if (!awaited) return std::unexpected(awaited.error());
        if (*awaited == task.payload)
            if (auto done = runs_->set_awaited(id, ""); !done) return done;
    }
    return transaction->commit();
}

Outcome<bool> Pipeline::work() {
    if (tasks_.empty() || doors_.clock.monotonic_us() < not_before_us_) return false;
    Task& task = tasks_.front();
    if (auto done = run(task); !done) {
        ++task.failures;
        if (is_passing(done.error(), task.failures)) {
            pause_us_ = std::clamp(pause_us_ * 2, pause_first_us, pause_max_us);
            not_before_us_ = doors_.clock.monotonic_us() + pause_us_;
            metrics_.add("stator_learn_task_failures_total");
            doors_.journal.warn(
                "learn",
                fmt::format(
                    "{} {} failed, again in {} ms: {}",
                    task.command,
                    task.payload,
                    pause_us_ / 1000,
                    done.error().what
                )
            );
            return false;
        }
        if (auto dropped = drop(task, done.error().what); !dropped)
            return std::unexpected(dropped.error());
    }
    metrics_.add("stator_learn_tasks_done_total");
    pause_us_ = 0;
    tasks_.pop_front();
    if (tasks_.empty())
        if (auto done = control_->commit(next_); !done) return std::unexpected(done.error());
    return true;
}

Outcome<bool> Pipeline::step() {
    for (const mqtt::Event& event : client_->poll())
        outbox_->on_event(event);
    auto drained = drain_control();
    if (!drained) return drained;
    auto worked = work();
    if (!worked) return worked;
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return *drained || *worked;
}

}  // namespace stator::pipeline
