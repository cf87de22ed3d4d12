#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/parts/learn_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>
#include <memory>

namespace stator::commands {

namespace {

using Task =
    std::function<int(real::Real&, runs::Runs&, const pipeline::Options&, const std::string&)>;

int with_runs(const std::string& state_dir, const std::string& payload, const Task& task) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const pipeline::Options options = parts::learn_options(*config);
    if (options.assets.empty())
        return tell({base::Fault::bad_input, state_dir + "/stator.toml has no [[asset]]"});
    auto runs = runs::Runs::open(real.doors, options.state_file);
    if (!runs) return tell(runs.error());
    return task(real, **runs, options, payload);
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

int run_drift(
    real::Real& /*real*/,
    runs::Runs& runs,
    const pipeline::Options& options,
    const std::string& /*payload*/
) {
    for (const asset::Asset& asset : options.assets) {
        const std::string id{asset.id.view()};
        auto reference = runs.rows(id, runs::Use::reference);
        if (!reference) return tell(reference.error());
        auto fresh = runs.rows(id, runs::Use::fresh);
        if (!fresh) return tell(fresh.error());
        fmt::print("{}: {}\n", id, drift::compare(asset, *reference, *fresh, options.drift).text);
    }
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
    if (!payload.empty()) command->add_option("NAME", *given, payload)->required();
    command->callback([&chosen, given, task = std::move(task)] {
        chosen.run = [&chosen, given, task] { return with_runs(chosen.state_dir, *given, task); };
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
        add_task(
            program,
            chosen,
            name,
            "Have the healthy rows moved away from the model's?",
            "",
            run_drift
        );
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
