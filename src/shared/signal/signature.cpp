#include "shared/signal/signature.h"

#include "shared/base/math.h"
#include "shared/signal/decimator.h"
#include "shared/signal/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stator::signal {

namespace {

constexpr double line_step_hz = signature_rate_hz / static_cast<double>(signature_samples);
constexpr double lobe = 3.0;          // lines to either side that hold a tone's power
constexpr std::size_t apart_min = 8;  // lines: then not even the lobes' feet meet
constexpr std::array harris = {0.35875, 0.48829, 0.14128, 0.01168};
constexpr double window_power =  // mean square
    harris[0] * harris[0] +
    0.5 * (harris[1] * harris[1] + harris[2] * harris[2] + harris[3] * harris[3]);

constexpr std::size_t line_at(double hz) {
    return static_cast<std::size_t>(hz / line_step_hz + 0.5);
}

constexpr std::size_t last_line = line_at(Decimator::pass_hz) - static_cast<std::size_t>(lobe);

void window(std::span<float, signature_samples> samples) {
    float sum = 0.0F;
    for (const float x : samples)
        sum += x;
    const float mean = sum / static_cast<float>(samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
        constexpr double turn = 2.0 * std::numbers::pi / static_cast<double>(signature_samples);
        const double c = base::cosine(turn * static_cast<double>(i));
        const double twice = 2.0 * c * c - 1.0;
        const double thrice = c * (2.0 * twice - 1.0);
        const double weight = harris[0] - harris[1] * c + harris[2] * twice - harris[3] * thrice;
        samples[i] = (samples[i] - mean) * static_cast<float>(weight);
    }
}

std::size_t largest(std::span<const float> packed, std::size_t first, std::size_t last) {
    std::size_t best = first;
    for (std::size_t k = first + 1; k <= last; ++k)
        if (power(packed, k) > power(packed, best)) best = k;
    return best;
}

// Mean square of the tone whose largest line this is, as it was before the decimation.
double tone_power(std::span<const float> packed, std::size_t line) {
    constexpr auto reach = static_cast<std::size_t>(lobe);
    double sum = 0.0;
    for (std::size_t k = line - reach; k <= line + reach; ++k)
        sum += static_cast<double>(power(packed, k));
    constexpr auto count = static_cast<double>(signature_samples);
    const double droop = Decimator::droop(static_cast<double>(line) * line_step_hz);
    return 2.0 * sum / (count * count * window_power * droop * droop);
}

// The loudest pair at `line` -+ offset, `first` <= offset <= `last`, in lines; its power.
double pair_power(std::span<const float> packed, double line, double first, double last) {
    const auto place = [](double at) { return static_cast<std::size_t>(at + 0.5); };
    double best = 0.0;
    std::size_t lower = 0;
    std::size_t upper = 0;
    for (double offset = std::ceil(first); offset <= last; offset += 1.0) {
        const std::size_t below = place(line - offset);
        const std::size_t above = place(line + offset);
        double sum = static_cast<double>(power(packed, below));
        if (above <= last_line) sum += static_cast<double>(power(packed, above));
        if (sum <= best) continue;
        best = sum;
        lower = below;
        upper = above;
    }
    if (best == 0.0) return 0.0;
    double sum = tone_power(packed, largest(packed, lower - 1, lower + 1));
    if (upper <= last_line) sum += tone_power(packed, largest(packed, upper - 1, upper + 1));
    return sum;
}

float decibels(double part, double whole) {
    if (part <= 0.0 || whole <= 0.0) return sideband_db_min;
    constexpr double per_neper = 10.0 / std::numbers::ln10;
    const auto made = static_cast<float>(per_neper * base::logarithm(part / whole));
    return std::max(made, sideband_db_min);
}

}  // namespace

Signature signature_of(std::span<float, signature_samples> samples, const asset::Rotor& rotor) {
    window(samples);
    real_fft(samples);
    const std::span<const float> packed = samples;
    const std::size_t at = largest(packed, line_at(45.0), line_at(65.0));
    const double line = static_cast<double>(peak_line(packed, at));
    const double line_power = tone_power(packed, at);
    Signature made;
    made.line_hz = static_cast<float>(line * line_step_hz);
    made.line_rms = static_cast<float>(std::sqrt(line_power));
    const auto slip_max = static_cast<double>(rotor.slip_max);
    const double synchronous = line / static_cast<double>(rotor.pole_pairs);
    // Also no nearer to 0 Hz, nor, which is the same, to the second harmonic.
    constexpr auto apart = static_cast<double>(apart_min);
    const double rotation_max = std::min(synchronous, line - apart);
    const double rotation_min = std::max(synchronous * (1.0 - slip_max), apart);
    made.rotation_sideband_db =
        decibels(pair_power(packed, line, rotation_min, rotation_max), line_power);
    made.slip_sideband_db =
        decibels(pair_power(packed, line, apart, 2.0 * slip_max * line), line_power);
    return made;
}

float of(const Signature& signature, asset::Statistic statistic) {
    switch (statistic) {
        case asset::Statistic::line_hz:
            return signature.line_hz;
        case asset::Statistic::line_rms:
            return signature.line_rms;
        case asset::Statistic::rotation_sideband_db:
            return signature.rotation_sideband_db;
        case asset::Statistic::slip_sideband_db:
            return signature.slip_sideband_db;
        default:
            return 0.0F;
    }
}

}  // namespace stator::signal
