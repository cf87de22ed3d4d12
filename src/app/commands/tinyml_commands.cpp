#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/inference/rows.h"
#include "app/inference/targets.h"
#include "shared/tinyml/graph.h"
#include "shared/tinyml/model.h"
#include "world/tflite/library.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace stator::commands {

namespace {

constexpr std::size_t input_bytes_max = std::size_t{1} << 30U;

// A model's file, checked; `bytes` is what the others look into.
struct Checked {
    std::string path;
    std::string bytes;
    tinyml::Needs needs;

    [[nodiscard]] std::span<const std::byte> file() const {
        return std::as_bytes(std::span{bytes});
    }
};

Outcome<Checked> check_file(const std::string& path) {
    real::Real real;
    auto bytes = real.disk.read_all(path, tinyml::file_bytes_max);
    if (!bytes) return std::unexpected(bytes.error());
    Checked made{.path = path, .bytes = std::move(*bytes), .needs = {}};
    tinyml::Reason reason;
    const auto needs = tinyml::check(made.file(), reason);
    if (!needs) return fail(needs.error(), fmt::format("{}: {}", path, reason.view()));
    made.needs = *needs;
    return made;
}

std::string_view name_of(tinyml::Type type) {
    return type == tinyml::Type::int8 ? "int8" : "float32";
}

// "2 FULLY_CONNECTED v9, 1 LOGISTIC v2"
std::string operators_of(const Checked& model) {
    tinyml::Reason reason;
    tinyml::Graph graph{model.file(), reason};
    if (!graph.parse()) return std::string{reason.view()};
    std::map<std::string, int> counts;
    for (const tinyml::Operator& one : graph.operators)
        ++counts[fmt::format("{} v{}", tinyml::name_of(one.op), one.version)];
    std::string text;
    for (const auto& [name, count] : counts)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    return text;
}

int run_info(const std::string& path) {
    const auto model = check_file(path);
    if (!model) return tell(model.error());
    const tinyml::Needs& needs = model->needs;
    fmt::print("input     {} x {}\n", needs.input_count, name_of(needs.input_type));
    fmt::print("output    {} x {}\n", needs.output_count, name_of(needs.output_type));
    fmt::print("multiplications of a run  {}\n", needs.macs);
    fmt::print("operators {}\n", operators_of(*model));
    return 0;
}

int run_check(const std::string& path) {
    const auto model = check_file(path);
    if (!model) return tell(model.error());
    const std::size_t file_bytes = model->bytes.size();
    const std::size_t arena_bytes = model->needs.arena_bytes;
    fmt::print("operators {}\n", operators_of(*model));
    fmt::print("arena     {} B\nflash     {} B\n", arena_bytes, file_bytes);
    for (const inference::Target& target : inference::targets()) {
        const bool fits =
            arena_bytes <= target.arena_bytes_max && file_bytes <= target.file_bytes_max;
        fmt::print(
            "{:<29} {}: arena {} of {} B, flash {} of {} B\n",
            target.name,
            fits ? "fits" : "does not fit",
            arena_bytes,
            target.arena_bytes_max,
            file_bytes,
            target.file_bytes_max
        );
    }
    return 0;
}

struct Run {
    std::string model;
    std::string input;
    std::string rounding = "double";
    std::string engine = "tinyml";
    std::string delegate;
    std::string delegate_options;
    bool raw = false;
};

// A model ready to run, in tinyml or in the other engine.
struct Ready {
    tflite::Ends ends;
    std::string bytes;
    std::vector<std::byte> arena;
    std::optional<tinyml::Model> model;
    std::unique_ptr<tflite::Engine> engine;
    std::optional<Error> failure;  // of the other engine's last run

    [[nodiscard]] bool invoke(std::span<const float> in, std::span<float> out) {
        if (!engine) {
            model->invoke(in, out);
            return true;
        }
        return kept(engine->invoke(in, out));
    }

    [[nodiscard]] bool invoke(std::span<const std::int8_t> in, std::span<std::int8_t> out) {
        if (!engine) {
            model->invoke_raw(in, out);
            return true;
        }
        return kept(engine->invoke_raw(in, out));
    }

  private:
    bool kept(const Outcome<void>& done) {
        if (!done) failure = done.error();
        return done.has_value();
    }
};

// The other engine reads the file by itself: it may know operators that tinyml does not (those of
// an accelerator). level 2 is stricter.
Outcome<std::unique_ptr<Ready>> other_engine(const Run& run, tflite::Choice choice) {
    auto library = tflite::Library::open(std::move(choice));
    if (!library) return std::unexpected(library.error());
    auto made = std::make_unique<Ready>();
    real::Real real;
    auto bytes = real.disk.read_all(run.model, tinyml::file_bytes_max);
    if (!bytes) return std::unexpected(bytes.error());
    auto engine = (*library)->load(*bytes);
    if (!engine)
        return fail(engine.error().fault, fmt::format("{}: {}", run.model, engine.error().what));
    made->engine = std::move(*engine);
    made->ends = made->engine->ends();
    return made;
}

Outcome<std::unique_ptr<Ready>> any_engine(const Run& run) {
    auto choice = tflite::read_choice(run.engine, run.delegate, run.delegate_options);
    if (!choice) return std::unexpected(choice.error());
    if (!choice->library.empty()) return other_engine(run, std::move(*choice));
    auto checked = check_file(run.model);
    if (!checked) return std::unexpected(checked.error());
    auto made = std::make_unique<Ready>();
    made->bytes = std::move(checked->bytes);
    const tinyml::Needs& needs = checked->needs;
    made->ends = {needs.input_count, needs.output_count, needs.input_type, needs.output_type};
    made->arena.resize(needs.arena_bytes);
    tinyml::Reason reason;
    const auto rounding =
        run.rounding == "single" ? tinyml::Rounding::single : tinyml::Rounding::double_;
    auto model =
        tinyml::Model::load(std::as_bytes(std::span{made->bytes}), made->arena, reason, rounding);
    if (!model) return fail(model.error(), fmt::format("{}: {}", run.model, reason.view()));
    made->model = *model;
    return made;
}

Outcome<std::unique_ptr<Ready>> make_ready(const Run& run) {
    auto made = any_engine(run);
    if (!made || !run.raw) return made;
    const tflite::Ends& ends = (*made)->ends;
    if (ends.input_type == tinyml::Type::int8 && ends.output_type == tinyml::Type::int8)
        return made;
    return fail(
        base::Fault::bad_input,
        fmt::format(
            "{}: its input is {} and its output {}: without --raw it takes real values",
            run.model,
            name_of(ends.input_type),
            name_of(ends.output_type)
        )
    );
}

template <typename Number>
int print_rows(const std::vector<Number>& rows, Ready& ready) {
    std::vector<Number> output(ready.ends.output_count);
    std::string text;
    for (std::size_t at = 0; at < rows.size(); at += ready.ends.input_count) {
        const std::span row{rows.data() + at, ready.ends.input_count};
        if (!ready.invoke(row, std::span{output})) return tell(*ready.failure);
        text.clear();
        inference::write_row(text, output);
        fmt::print("{}", text);
    }
    return 0;
}

int run_rows(const Run& run) {
    const auto ready = make_ready(run);
    if (!ready) return tell(ready.error());
    const tflite::Ends& ends = (*ready)->ends;
    real::Real real;
    const auto text = real.disk.read_all(run.input, input_bytes_max);
    if (!text) return tell(text.error());
    if (run.raw) {
        const auto rows = inference::read_steps(*text, ends.input_count, run.input);
        return rows ? print_rows(*rows, **ready) : tell(rows.error());
    }
    const auto rows = inference::read_values(*text, ends.input_count, run.input);
    return rows ? print_rows(*rows, **ready) : tell(rows.error());
}

// Microseconds a run, of many rounds in order: a machine that does other work beside spoils single
// ones. Nothing when the engine fails.
template <typename Number>
std::vector<double> measure(Ready& ready, Number value) {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t rounds = 21;
    constexpr auto round = std::chrono::milliseconds{20};
    const std::vector<Number> input(ready.ends.input_count, value);
    std::vector<Number> output(ready.ends.output_count);
    std::vector<double> us;
    while (us.size() < rounds) {
        const auto begun = Clock::now();
        std::size_t runs = 0;
        for (; Clock::now() - begun < round; ++runs)
            if (!ready.invoke(std::span<const Number>{input}, std::span{output})) return {};
        const std::chrono::duration<double, std::micro> took = Clock::now() - begun;
        us.push_back(took.count() / static_cast<double>(runs));
    }
    std::ranges::sort(us);
    return us;
}

int run_bench(const Run& run) {
    const auto ready = make_ready(run);
    if (!ready) return tell(ready.error());
    constexpr std::int8_t some_step = 17;
    const auto us = run.raw ? measure(**ready, some_step) : measure(**ready, 0.5F);
    if (us.empty()) return tell(*(*ready)->failure);
    fmt::print(
        "{:.3f} us a run (median of {} rounds of 20 ms; {:.3f} to {:.3f}), batch 1, one thread\n",
        us[us.size() / 2],
        us.size(),
        us.front(),
        us.back()
    );
    return 0;
}

void add_engine(CLI::App& command, Run& run) {
    command.add_option(
        "--engine", run.engine, "tinyml, or tflite:PATH of a library with its C API"
    );
    command.add_option("--delegate", run.delegate, "of tflite: an external delegate's library");
    command.add_option("--delegate-options", run.delegate_options, "key=value,key=value");
    command.add_flag("--raw", run.raw, "Rows are raw int8, not real values");
}

void add_model(CLI::App& command, std::string& model) {
    command.add_option("model", model, "A .tflite file")->required();
}

}  // namespace

void add_tinyml(CLI::App& program, Chosen& chosen) {
    auto* tinyml =
        program.add_subcommand("tinyml", "Looks at a .tflite model, and runs it as a device would");
    tinyml->require_subcommand(1);
    auto run = std::make_shared<Run>();
    auto* info = tinyml->add_subcommand("info", "Its ends and operators");
    add_model(*info, run->model);
    info->callback([&chosen, run] { chosen.run = [run] { return run_info(run->model); }; });
    auto* check = tinyml->add_subcommand("check", "What it needs, and where it fits");
    add_model(*check, run->model);
    check->callback([&chosen, run] { chosen.run = [run] { return run_check(run->model); }; });
    auto* rows = tinyml->add_subcommand("run", "Outputs of rows of inputs, a line a row");
    add_model(*rows, run->model);
    rows->add_option("--input", run->input, "A CSV file without a header")->required();
    add_engine(*rows, *run);
    rows->add_option("--rounding", run->rounding, "double (TFLM's bits) or single (LiteRT's)")
        ->check(CLI::IsMember({"double", "single"}));
    rows->callback([&chosen, run] { chosen.run = [run] { return run_rows(*run); }; });
    auto* bench = tinyml->add_subcommand("bench", "How long a run takes on this machine");
    add_model(*bench, run->model);
    add_engine(*bench, *run);
    bench->callback([&chosen, run] { chosen.run = [run] { return run_bench(*run); }; });
}

}  // namespace stator::commands
