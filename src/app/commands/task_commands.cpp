#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/parts/learn_options.h"
#include "store/stream/outbox.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>
#include <memory>

namespace stator::commands {

namespace {

using Task =
    std::function<int(real::Real&, runs::Runs&, const pipeline::Options&, const std::string&)>;
using TaskOfSite = std::function<
    int(real::Real&, runs::Runs&, const pipeline::Options&, const config::Config& config)>;

int with_runs(const std::string& state_dir, const TaskOfSite& task) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    if (const std::string unused = parts::unused_keys(*config); !unused.empty())
        real.doors.journal.warn("learn", unused);
    const pipeline::Options options = parts::learn_options(*config);
    if (options.assets.empty())
        return tell({base::Fault::bad_input, state_dir + "/stator.toml has no [[asset]]"});
    auto runs = runs::Runs::open(real.doors, options.state_file);
    if (!runs) return tell(runs.error());
    return task(real, **runs, options, *config);
}

int run_extract(
    real::Real& real, runs::Runs& runs, const pipeline::Options& options, const std::string& raw
) {
    for (const asset::Asset& asset : options.assets) {
        auto result = extract::extract(real.doors, runs, asset, options.extract, raw);
        if (!result) return tell(result.error());
        fmt::print(
            "{}: {} fresh rows, {} held back, {} of a fault; data set: {}\n",
            asset.id.view(),
            result->fresh,
            result->held,
            result->fault,
            result->data_set.empty() ? "none yet" : result->data_set
        );
    }
    return 0;
}

// The running `stator learn` sends what lies in its outbox; where none runs, this does.
Outcome<void> send_outbox(
    real::Real& real, runs::Runs& runs, const pipeline::Options& options, std::uint16_t ops_port
) {
    http::ClientRequest health;
    health.url = fmt::format("http://127.0.0.1:{}/healthz", ops_port);
    health.timeout_ms = 1000;
    if (real.http.request(health)) return {};
    auto client = real.mqtt.connect(options.mqtt);
    if (!client) return std::unexpected(client.error());
    stream::Outbox outbox{runs.database(), **client, real.clock, real.journal};
    constexpr std::int64_t timeout_us = 10'000'000;
    const std::int64_t end_us = real.clock.monotonic_us() + timeout_us;
    while (real.clock.monotonic_us() < end_us) {
        for (const mqtt::Event& event : (*client)->poll())
            outbox.on_event(event);
        if (auto done = outbox.step(); !done) return done;
        auto waiting = outbox.waiting();
        if (!waiting) return std::unexpected(waiting.error());
        if (*waiting == 0) return {};
        real.clock.wait_us(10'000);
    }
    return fail(
        base::Fault::again,
        fmt::format(
            "{}:{} has not acknowledged it in 10 s: it is kept, and `stator learn` sends it",
            options.mqtt.host,
            options.mqtt.port
        )
    );
}

Outcome<bool> announce(
    runs::Runs& runs,
    const pipeline::Options& options,
    const std::string& id,
    const std::string& name
) {
    auto data_set = runs.data_set(name);
    if (!data_set) return std::unexpected(data_set.error());
    if (!*data_set)
        return fail(base::Fault::not_found, name + " was not made here: extract prints the name");
    if ((*data_set)->asset != id) return false;
    auto transaction = database::Transaction::begin(runs.database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = pipeline::announce_training(runs, options, id, name); !done)
        return std::unexpected(done.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    return true;
}

// `name`: the data set that train-model shall name; empty: nothing is announced.
int run_drift(
    real::Real& real,
    runs::Runs& runs,
    const pipeline::Options& options,
    const std::string& name,
    std::uint16_t ops_port
) {
    bool announced = false;
    for (const asset::Asset& asset : options.assets) {
        const std::string id{asset.id.view()};
        auto reference = runs.rows(id, runs::Use::reference);
        if (!reference) return tell(reference.error());
        auto fresh = runs.rows(id, runs::Use::fresh);
        if (!fresh) return tell(fresh.error());
        const drift::Finding finding = drift::compare(asset, *reference, *fresh, options.drift);
        fmt::print("{}: {}\n", id, finding.text);
        const bool must_learn =
            finding.kind == drift::Kind::commissioning || finding.kind == drift::Kind::drifted;
        if (name.empty() || !must_learn) continue;
        auto done = announce(runs, options, id, name);
        if (!done) return tell(done.error());
        announced = announced || *done;
    }
    if (name.empty()) return 0;
    if (!announced) {
        fmt::print("nothing is announced\n");
        return 0;
    }
    if (auto sent = send_outbox(real, runs, options, ops_port); !sent) return tell(sent.error());
    fmt::print("announced: train-model {}\n", name);
    return 0;
}

int run_train(
    real::Real& real, runs::Runs& runs, const pipeline::Options& options, const std::string& name
) {
    auto made = pipeline::train_models(real.doors, runs, options, name);
    if (!made) return tell(made.error());
    for (const std::string& full : *made)
        fmt::print("trained: {}\n", full);
    return 0;
}

int run_quantise(
    real::Real& real, runs::Runs& runs, const pipeline::Options& options, const std::string& name
) {
    auto promoted = pipeline::quantise_and_judge(real.doors, runs, options, name);
    if (!promoted) return tell(promoted.error());
    auto text = runs.last_judgement();
    if (text) fmt::print("{}\n", *text);
    fmt::print("{}\n", *promoted ? "promoted" : "not promoted: what runs stays");
    return 0;
}

void add_task(
    CLI::App& program,
    Chosen& chosen,
    const std::string& name,
    const std::string& what,
    const std::string& payload,
    Task task
) {
    auto* command = program.add_subcommand(name, what);
    auto given = std::make_shared<std::string>();
    add_state(*command, chosen);
    command->add_option("NAME", *given, payload)->required();
    command->callback([&chosen, given, task = std::move(task)] {
        chosen.run = [&chosen, given, task] {
            return with_runs(
                chosen.state_dir,
                [&](real::Real& real,
                    runs::Runs& runs,
                    const pipeline::Options& options,
                    const config::Config&) { return task(real, runs, options, *given); }
            );
        };
    });
}

void add_drift(CLI::App& program, Chosen& chosen, const std::string& name) {
    auto* command =
        program.add_subcommand(name, "Have the healthy rows moved away from the model's?");
    auto announced = std::make_shared<std::string>();
    add_state(*command, chosen);
    command->add_option(
        "--announce", *announced, "A normalised CSV: if they have, train-model names it to all"
    );
    command->callback([&chosen, announced] {
        chosen.run = [&chosen, announced] {
            return with_runs(
                chosen.state_dir,
                [&](real::Real& real,
                    runs::Runs& runs,
                    const pipeline::Options& options,
                    const config::Config& config) {
                    return run_drift(real, runs, options, *announced, config.ports.ops_learn);
                }
            );
        };
    });
}

}  // namespace

void add_tasks(CLI::App& program, Chosen& chosen) {
    add_task(
        program,
        chosen,
        "extract",
        "A raw CSV becomes rows that may train",
        "The raw CSV's name",
        run_extract
    );
    for (const char* name : {"drift", "detect-drift"})
        add_drift(program, chosen, name);
    add_task(
        program,
        chosen,
        "train",
        "The full-precision model of each level for a data set",
        "The normalised CSV's name",
        run_train
    );
    add_task(
        program,
        chosen,
        "quantise",
        "Makes them int8, judges them against what runs, and promotes what is better",
        "The normalised CSV's name, after train",
        run_quantise
    );
}

}  // namespace stator::commands
