#include "learn/quantise/quantise.h"

#include "learn/quantise/lower.h"
#include "learn/quantise/ranges.h"
#include "shared/tinyml/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
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

// The file as tinyml runs it, over an arena of its own.
class Runner {
  public:
    static Outcome<Runner> make(const std::string& tflite) {
        Runner runner;
        const auto file = std::as_bytes(std::span{tflite});
        tinyml::Reason reason;
        const auto needs = tinyml::check(file, reason);
        if (!needs) {
            return fail(
                Fault::bad_input, fmt::format("the written model does not run: {}", reason.view())
            );
        }
        runner.arena_.resize(needs->arena_bytes);
        auto model = tinyml::Model::load(file, runner.arena_, reason);
        if (!model) return fail(model.error(), std::string{reason.view()});
        runner.model_.push_back(*model);
        return runner;
    }

    double first_output(std::span<const float> row) {
        std::vector<float> output(model_[0].needs().output_count);
        model_[0].invoke(row, output);
        return static_cast<double>(output[0]);
    }

  private:
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

}  // namespace

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

    const std::vector<Range> ranges = find_ranges(network, calibration, options.input_as_seen);
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
