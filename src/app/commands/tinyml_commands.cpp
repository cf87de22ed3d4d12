#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/inference/rows.h"
#include "app/inference/targets.h"
#include "shared/tinyml/graph.h"
#include "shared/tinyml/model.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

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

Outcome<tinyml::Model> load(
    const Checked& checked, std::vector<std::byte>& arena, tinyml::Rounding rounding
) {
    arena.resize(checked.needs.arena_bytes);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(checked.file(), arena, reason, rounding);
    if (!model) return fail(model.error(), fmt::format("{}: {}", checked.path, reason.view()));
    return *model;
}

struct Run {
    std::string model;
    std::string input;
    std::string rounding = "double";
    bool raw = false;
};

template <typename Number, typename Invoke>
void print_rows(const std::vector<Number>& rows, const tinyml::Needs& needs, Invoke invoke) {
    std::vector<Number> output(needs.output_count);
    std::string text;
    for (std::size_t at = 0; at < rows.size(); at += needs.input_count) {
        invoke(std::span{rows}.subspan(at, needs.input_count), std::span{output});
        text.clear();
        inference::write_row(text, output);
        fmt::print("{}", text);
    }
}

int run_rows(const Run& run) {
    const auto checked = check_file(run.model);
    if (!checked) return tell(checked.error());
    const tinyml::Needs& needs = checked->needs;
    const bool steps =
        needs.input_type == tinyml::Type::int8 && needs.output_type == tinyml::Type::int8;
    if (run.raw && !steps)
        return tell(
            {base::Fault::bad_input,
             fmt::format(
                 "{}: its input is {} and its output {}: without --raw it takes real values",
                 run.model,
                 name_of(needs.input_type),
                 name_of(needs.output_type)
             )}
        );
    real::Real real;
    const auto text = real.disk.read_all(run.input, input_bytes_max);
    if (!text) return tell(text.error());
    std::vector<std::byte> arena;
    const bool single = run.rounding == "single";
    auto model =
        load(*checked, arena, single ? tinyml::Rounding::single : tinyml::Rounding::double_);
    if (!model) return tell(model.error());
    if (run.raw) {
        const auto rows = inference::read_steps(*text, needs.input_count, run.input);
        if (!rows) return tell(rows.error());
        print_rows(*rows, needs, [&](auto in, auto out) { model->invoke_raw(in, out); });
    } else {
        const auto rows = inference::read_values(*text, needs.input_count, run.input);
        if (!rows) return tell(rows.error());
        print_rows(*rows, needs, [&](auto in, auto out) { model->invoke(in, out); });
    }
    return 0;
}

// The median of many rounds: a machine that does other work beside spoils single ones.
int run_bench(const std::string& path) {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t rounds = 21;
    constexpr auto round = std::chrono::milliseconds{20};
    const auto checked = check_file(path);
    if (!checked) return tell(checked.error());
    std::vector<std::byte> arena;
    auto model = load(*checked, arena, tinyml::Rounding::double_);
    if (!model) return tell(model.error());
    const std::vector<float> input(checked->needs.input_count, 0.5F);
    std::vector<float> output(checked->needs.output_count);
    std::array<double, rounds> us{};
    for (double& one : us) {
        const auto begun = Clock::now();
        std::size_t runs = 0;
        for (; Clock::now() - begun < round; ++runs)
            model->invoke(input, output);
        const std::chrono::duration<double, std::micro> took = Clock::now() - begun;
        one = took.count() / static_cast<double>(runs);
    }
    std::ranges::sort(us);
    fmt::print(
        "{:.3f} us a run (median of {} rounds of {} ms; {:.3f} to {:.3f}), batch 1, one thread\n",
        us[rounds / 2],
        rounds,
        round.count(),
        us.front(),
        us.back()
    );
    return 0;
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
    rows->add_flag("--raw", run->raw, "Rows are raw int8, not real values");
    rows->add_option("--rounding", run->rounding, "double (TFLM's bits) or single (LiteRT's)")
        ->check(CLI::IsMember({"double", "single"}));
    rows->callback([&chosen, run] { chosen.run = [run] { return run_rows(*run); }; });
    auto* bench = tinyml->add_subcommand("bench", "How long a run takes on this machine");
    add_model(*bench, run->model);
    bench->callback([&chosen, run] { chosen.run = [run] { return run_bench(run->model); }; });
}

}  // namespace stator::commands
