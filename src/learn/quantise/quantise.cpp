#include "learn/quantise/quantise.h"

#include "learn/quantise/lower.h"
#include "learn/quantise/ranges.h"
#include "shared/tinyml/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace stator::quantise {

namespace {

using base::Fault;

std::string fault_of_profile(const Network& network, Profile profile, bool int8_ends) {
    if (std::string fault = fault_of(network); !fault.empty()) return fault;
    const bool inside = !network.normalise.mean.empty();
    if (profile == Profile::stator) {
        return inside ? "the profile stator takes standardised rows, but the network normalises"
                      : "";
    }
    if (!inside) return "the profile reference needs the network's means and deviations";
    return int8_ends ? "the profile reference has float32 ends, int8_ends was asked for" : "";
}

// The file as tinyml runs it, over an arena of its own. Keeps a copy of the file: the model reads
// its weights there.
class Runner {
  public:
    static Outcome<Runner> make(const std::string& tflite) {
        Runner runner;
        const auto bytes = std::as_bytes(std::span{tflite});
        runner.file_.assign(bytes.begin(), bytes.end());
        tinyml::Reason reason;
        const auto needs = tinyml::check(runner.file_, reason);
        if (!needs) {
            return fail(
                Fault::bad_input, fmt::format("the written model does not run: {}", reason.view())
            );
        }
        runner.arena_.resize(needs->arena_bytes);
        auto model = tinyml::Model::load(runner.file_, runner.arena_, reason);
        if (!model) return fail(model.error(), std::string{reason.view()});
        runner.model_.push_back(*model);
        return runner;
    }

    std::vector<float> outputs(std::span<const float> row) {
        std::vector<float> output(model_[0].needs().output_count);
        model_[0].invoke(row, output);
        return output;
    }

    double first_output(std::span<const float> row) { return static_cast<double>(outputs(row)[0]); }

  private:
    std::vector<std::byte> file_;
    std::vector<std::byte> arena_;
    std::vector<tinyml::Model> model_;  // one
};

Row held(const Network& network, Row row) {
    if (!network.normalise.mean.empty()) return row;
    for (float& v : row)
        v = std::clamp(v, -network.input_bound, network.input_bound);
    return row;
}

Row stretched(const Network& network, const Row& row, float by) {
    Row far = row;
    for (std::size_t i = 0; i < far.size(); ++i) {
        const float centre = network.normalise.mean.empty() ? 0.0F : network.normalise.mean[i];
        far[i] = centre + (row[i] - centre) * by;
    }
    return held(network, std::move(far));
}

Report judge(
    const Network& network, std::span<const Row> calibration, bool stretch, Runner& runner
) {
    Report report;
    for (const Row& row : calibration) {
        const Row inside = held(network, row);
        const double exact = evaluate(network, inside)[0];
        const double given = runner.first_output(inside);
        const double loss = std::fabs(given - exact);
        ++report.rows;
        report.mean_loss += loss;
        report.worst_loss = std::max(report.worst_loss, loss);
        if ((exact >= 0.5) != (given >= 0.5)) report.flips += 1;
        if (!stretch) continue;
        for (const float by : std::array{1.0F, 1.5F, 2.0F, 3.0F, 4.0F}) {
            const Row far = stretched(network, row, by);
            const double value = evaluate(network, far)[0];
            if (value < 0.1 || value > 0.9) continue;
            ++report.limit_rows;
            report.limit_loss += std::fabs(runner.first_output(far) - value);
        }
    }
    const auto rows = static_cast<double>(report.rows);
    report.mean_loss /= rows;
    report.flips /= rows;
    if (report.limit_rows > 0) report.limit_loss /= static_cast<double>(report.limit_rows);
    return report;
}

std::string fault_of_report(const Report& report, const Options& options) {
    const auto over = [](const char* what, double value, double most) {
        return fmt::format(
            "int8 loses too much: {} {:.4f}, at most {:.4f} is allowed; calibrate on "
            "more varied windows or keep the float model",
            what,
            value,
            most
        );
    };
    if (report.mean_loss > options.mean_loss_max) {
        return over("mean loss", report.mean_loss, options.mean_loss_max);
    }
    if (report.limit_loss > options.limit_loss_max) {
        return over("mean loss near the limit", report.limit_loss, options.limit_loss_max);
    }
    if (report.flips > options.flips_max) {
        return over("part of the rows that change side", report.flips, options.flips_max);
    }
    return {};
}

std::string fault_of_rows(
    const Network& network, std::span<const Row> calibration, const Options& options
) {
    if (calibration.size() < std::max<std::size_t>(options.rows_min, 1)) {
        return fmt::format(
            "{} calibration rows, at least {} are needed", calibration.size(), options.rows_min
        );
    }
    for (std::size_t i = 0; i < calibration.size(); ++i) {
        const Row& row = calibration[i];
        if (row.size() != network.inputs) {
            return fmt::format(
                "calibration row {} has {} values, the network takes {}",
                i + 1,
                row.size(),
                network.inputs
            );
        }
        if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); })) {
            return fmt::format("calibration row {} holds a value that is no number", i + 1);
        }
    }
    return {};
}

// Channels often hold few distinct values (a pressure of ten steps), and how far each of them lies
// from the input's grid is chance: a range that is a little wider may lose half as much. The
// stretches that lose least on the calibration rows; none where that is not better.
Outcome<Range> fitted_input(
    const Network& network,
    std::span<const Row> calibration,
    std::vector<Range> ranges,
    const Options& options
) {
    constexpr int stretches = 11;
    constexpr double stretch_step = 0.05;
    std::vector<std::vector<double>> exact;
    for (const Row& row : calibration)
        exact.push_back(evaluate(network, held(network, row)));
    const Range seen = ranges[0];
    Range best = seen;
    double best_loss = std::numeric_limits<double>::infinity();
    for (int i = 0; i < stretches * stretches; ++i) {
        ranges[0] = {
            seen.low * (1 + stretch_step * (i / stretches)),
            seen.high * (1 + stretch_step * (i % stretches))
        };
        auto runner =
            Runner::make(lower_to_int8(network, ranges, {options.per_channel, options.int8_ends}));
        if (!runner) return std::unexpected(runner.error());
        double loss = 0;
        for (std::size_t k = 0; k < calibration.size(); ++k) {
            const auto given = runner->outputs(held(network, calibration[k]));
            for (std::size_t o = 0; o < given.size(); ++o)
                loss += std::fabs(static_cast<double>(given[o]) - exact[k][o]);
        }
        if (loss >= best_loss) continue;
        best_loss = loss;
        best = ranges[0];
    }
    return best;
}

}  // namespace

Options options_for(const Network& network) {
    bool distance = false;
    for (std::size_t i = 1; i < network.layers.size(); ++i)
        distance = distance || (std::holds_alternative<Sum>(network.layers[i]) &&
                                std::holds_alternative<Square>(network.layers[i - 1]));
    Options options;
    options.input_as_seen = !distance;
    if (!network.normalise.mean.empty()) options.profile = Profile::reference;
    return options;
}

Outcome<std::string> write_float(const Network& network, Profile profile) {
    if (std::string fault = fault_of_profile(network, profile, false); !fault.empty()) {
        return fail(Fault::bad_input, std::move(fault));
    }
    std::string tflite = lower_to_float(network);
    if (const auto runner = Runner::make(tflite); !runner) return std::unexpected(runner.error());
    return tflite;
}

Outcome<Quantised> quantise(
    const Network& network, std::span<const Row> calibration, const Options& options
) {
    std::string fault = fault_of_profile(network, options.profile, options.int8_ends);
    if (fault.empty()) fault = fault_of_rows(network, calibration, options);
    if (!fault.empty()) return fail(Fault::bad_input, std::move(fault));

    std::vector<Range> ranges = find_ranges(network, calibration, options.input_as_seen);
    if (options.input_as_seen) {
        const auto fitted = fitted_input(network, calibration, ranges, options);
        if (!fitted) return std::unexpected(fitted.error());
        ranges[0] = *fitted;
    }
    Quantised made;
    made.tflite = lower_to_int8(network, ranges, {options.per_channel, options.int8_ends});
    auto runner = Runner::make(made.tflite);
    if (!runner) return std::unexpected(runner.error());
    made.accuracy = judge(network, calibration, !options.input_as_seen, *runner);
    fault = fault_of_report(made.accuracy, options);
    if (!fault.empty()) return fail(Fault::bad_input, std::move(fault));
    return made;
}

}  // namespace stator::quantise
