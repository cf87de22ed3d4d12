#include "shared/signal/fft.h"

#include "shared/base/math.h"

#include <array>
#include <cassert>
#include <numbers>
#include <utility>

namespace stator::signal {

namespace {

constexpr std::size_t quarter = fft_samples_max / 4;

// sin(2 pi i / fft_samples_max) for the first quarter, both ends included.
constexpr std::array<float, quarter + 1> sines = [] {
    std::array<float, quarter + 1> made{};
    for (std::size_t i = 0; i <= quarter; ++i)
        made[i] = static_cast<float>(base::sine(
            2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(fft_samples_max)
        ));
    return made;
}();

struct Twiddle {
    float cosine = 1.0F;
    float sine = 0.0F;
};

// exp(-2 pi i step / fft_samples_max), step below half a turn: (cos, -sin).
Twiddle twiddle(std::size_t step) {
    if (step <= quarter) return {.cosine = sines[quarter - step], .sine = -sines[step]};
    return {.cosine = -sines[step - quarter], .sine = -sines[2 * quarter - step]};
}

float window_at(std::size_t i, std::size_t count) {
    const std::size_t step = i * (fft_samples_max / count);
    const std::size_t half = 2 * quarter;
    const float cosine =
        step <= half ? twiddle(step == half ? 0 : step).cosine : twiddle(2 * half - step).cosine;
    return 0.54F - 0.46F * (step == half ? -1.0F : cosine);
}

void complex_fft(std::span<float> data) {
    const std::size_t count = data.size() / 2;
    for (std::size_t i = 1, j = 0; i < count; ++i) {
        std::size_t bit = count >> 1U;
        for (; (j & bit) != 0; bit >>= 1U)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            std::swap(data[2 * i], data[2 * j]);
            std::swap(data[2 * i + 1], data[2 * j + 1]);
        }
    }
    for (std::size_t size = 2; size <= count; size *= 2) {
        const std::size_t stride = fft_samples_max / size;
        for (std::size_t k = 0; k < size / 2; ++k) {
            const Twiddle w = twiddle(k * stride);
            for (std::size_t start = k; start < count; start += size) {
                float* const low = &data[2 * start];
                float* const high = &data[2 * (start + size / 2)];
                const float re = high[0] * w.cosine - high[1] * w.sine;
                const float im = high[0] * w.sine + high[1] * w.cosine;
                high[0] = low[0] - re;
                high[1] = low[1] - im;
                low[0] += re;
                low[1] += im;
            }
        }
    }
}

}  // namespace

void hamming(std::span<float> samples) {
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] *= window_at(i, samples.size());
}

float hamming_power(std::size_t samples) {
    // Sum of (0.54 - 0.46 cos)^2 over whole turns: n (0.54^2 + 0.46^2 / 2).
    return static_cast<float>(samples) * (0.54F * 0.54F + 0.5F * 0.46F * 0.46F);
}

void real_fft(std::span<float> samples) {
    const std::size_t count = samples.size();
    assert(count >= 8 && count <= fft_samples_max && (count & (count - 1)) == 0);
    complex_fft(samples);
    const std::size_t half = count / 2;
    const std::size_t stride = fft_samples_max / count;
    const float even = samples[0];
    const float odd = samples[1];
    samples[0] = even + odd;
    samples[1] = even - odd;
    for (std::size_t k = 1; k <= half / 2; ++k) {
        const std::size_t mirror = half - k;
        const float a_re = samples[2 * k];
        const float a_im = samples[2 * k + 1];
        const float b_re = samples[2 * mirror];
        const float b_im = -samples[2 * mirror + 1];
        const Twiddle w = twiddle(k * stride);
        const float sum_re = 0.5F * (a_re + b_re);
        const float sum_im = 0.5F * (a_im + b_im);
        const float difference_re = 0.5F * (a_re - b_re);
        const float difference_im = 0.5F * (a_im - b_im);
        // X_k = E_k + w^k O_k with O_k = -i (A - B*) / 2
        const float o_re = difference_im * w.cosine + difference_re * w.sine;
        const float o_im = difference_im * w.sine - difference_re * w.cosine;
        samples[2 * k] = sum_re + o_re;
        samples[2 * k + 1] = sum_im + o_im;
        samples[2 * mirror] = sum_re - o_re;
        samples[2 * mirror + 1] = -(sum_im - o_im);
    }
}

float power(std::span<const float> packed, std::size_t line) {
    if (line == 0) return packed[0] * packed[0];
    if (line == packed.size() / 2) return packed[1] * packed[1];
    return packed[2 * line] * packed[2 * line] + packed[2 * line + 1] * packed[2 * line + 1];
}

float peak_line(std::span<const float> packed) {
    const std::size_t last = packed.size() / 2;
    std::size_t best = 1;
    for (std::size_t k = 2; k < last; ++k)
        if (power(packed, k) > power(packed, best)) best = k;
    return peak_line(packed, best);
}

float peak_line(std::span<const float> packed, std::size_t best) {
    const auto level = [&](std::size_t k) {
        constexpr double floor_power = 1e-30;
        return base::logarithm(static_cast<double>(power(packed, k)) + floor_power);
    };
    const double below = level(best - 1);
    const double at = level(best);
    const double above = level(best + 1);
    const double bend = below - 2.0 * at + above;
    const double shift = bend == 0.0 ? 0.0 : 0.5 * (below - above) / bend;
    return static_cast<float>(static_cast<double>(best) + shift);
}

}  // namespace stator::signal
