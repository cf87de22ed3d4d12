#include "shared/signal/q15.h"

#include "shared/signal/extract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

namespace stator::signal::q15 {
namespace {

constexpr double pi = std::numbers::pi;
using Counts = std::vector<std::uint16_t>;

double real(const Scaled& scaled) {
    return std::ldexp(static_cast<double>(scaled.value), scaled.exponent);
}

Counts counts_of(std::size_t size, const std::function<double(double i)>& signal) {
    Counts made(size);
    for (std::size_t i = 0; i < size; ++i)
        made[i] = static_cast<std::uint16_t>(
            std::clamp(std::lround(signal(static_cast<double>(i))), 0L, 65'535L)
        );
    return made;
}

// The exact windowed spectrum of the counts without their mean, in counts.
std::vector<std::complex<double>> exact_spectrum(const Counts& counts) {
    const std::size_t n = counts.size();
    const double size = static_cast<double>(n);
    double mean = 0.0;
    for (const std::uint16_t x : counts)
        mean += x / size;
    std::vector<std::complex<double>> turns(n);
    for (std::size_t i = 0; i < n; ++i)
        turns[i] = std::polar(1.0, -2.0 * pi * static_cast<double>(i) / size);
    std::vector<std::complex<double>> made(n / 2 + 1);
    for (std::size_t k = 0; k <= n / 2; ++k)
        for (std::size_t i = 0; i < n; ++i)
            made[k] += (counts[i] - mean) * (0.54 - 0.46 * turns[i].real()) * turns[i * k % n];
    return made;
}

std::complex<double> line_of(const std::vector<std::int16_t>& packed, std::size_t k) {
    if (k == 0) return packed[0];
    if (k == packed.size() / 2) return packed[1];
    return {static_cast<double>(packed[2 * k]), static_cast<double>(packed[2 * k + 1])};
}

struct Seen {
    Block block;
    Spectrum spectrum;
    std::vector<std::int16_t> packed;
};

Seen seen_of(const Counts& counts) {
    Seen seen;
    seen.packed.resize(counts.size());
    seen.block = block_of(counts, seen.packed);
    seen.spectrum = transform(seen.packed, seen.block.exponent);
    return seen;
}

// What must hold of every frame whatsoever: all the derived bounds. Returns the share of them used.
double expect_the_bounds(const Counts& counts) {
    const Seen seen = seen_of(counts);
    const auto exact = exact_spectrum(counts);
    const std::size_t half = counts.size() / 2;
    // What block_of() rounds, half a step of each sample, is no part of the transform's bound: none
    // below 16 bits of range, where it only shifts left; a common offset goes into lines 0 and 1.
    const bool rounds = seen.block.exponent > 0;
    double squares = 0.0;
    double worst = 0.0;
    for (std::size_t k = 2; k <= half; ++k) {
        const double off =
            std::abs(line_of(seen.packed, k) - std::ldexp(1.0, -seen.spectrum.exponent) * exact[k]);
        squares += (k == half ? 0.5 : 1.0) * off * off;
        worst = std::max(worst, off);
    }
    const double rms = std::sqrt(squares / static_cast<double>(half));
    const double rms_bound = seen.spectrum.rms_error_256ths / 256.0;
    const double worst_bound = seen.spectrum.worst_error_256ths / 256.0;
    if (!rounds) {
        EXPECT_LE(rms, rms_bound);
        EXPECT_LE(worst, worst_bound);
    }
    for (const auto& [first, end] : {std::pair{std::size_t{2}, half}, {half / 4, half / 2}}) {
        double energy = 0.0;
        for (std::size_t k = first; k < end; ++k)
            energy += std::norm(exact[k]);
        const double n = static_cast<double>(counts.size());
        const double truth = std::sqrt(2.0 * energy / (n * n * (0.54 * 0.54 + 0.46 * 0.46 / 2)));
        if (!rounds) {
            EXPECT_NEAR(
                real(amplitude(seen.packed, seen.spectrum, first, end)),
                truth,
                real(amplitude_error(seen.spectrum, counts.size())) + 1e-5 * truth
            );
        }
    }
    double mean = 0.0;
    for (const std::uint16_t x : counts)
        mean += x / static_cast<double>(counts.size());
    double variance = 0.0;
    for (const std::uint16_t x : counts)
        variance += (x - mean) * (x - mean) / static_cast<double>(counts.size());
    const double step = std::ldexp(1.0, seen.block.exponent);
    EXPECT_NEAR(real(seen.block.rms), std::sqrt(variance), 1.1 * step);
    EXPECT_NEAR(real(seen.block.mean), mean, std::ldexp(0.5, seen.block.mean.exponent) + 1e-9);
    return rms / rms_bound;
}

TEST(Q15, NoFrameLeavesTheDerivedBounds) {
    double most = 0.0;
    for (const std::size_t size : {8U, 64U, 256U, 1024U}) {
        const double n = static_cast<double>(size);
        std::mt19937 random{11};
        for (const double loud : {1.0, 3.0, 40.0, 900.0, 2'000.0}) {
            std::normal_distribution<double> normal{0.0, loud / 3};
            most = std::max(most, expect_the_bounds(counts_of(size, [&](double) {
                                return 2'048 + normal(random);
                            })));
            for (const double line : {1.0, 2.3, 0.113 * n, 0.25 * n, 0.49 * n}) {
                most = std::max(most, expect_the_bounds(counts_of(size, [&](double i) {
                                    return 2'048 + loud * std::sin(2 * pi * line * i / n);
                                })));
                expect_the_bounds(counts_of(size, [&](double i) {
                    return 2'048 + (std::sin(2 * pi * line * i / n) > 0 ? loud : -loud);
                }));
            }
            expect_the_bounds(counts_of(size, [&](double i) {
                return i == 3.0 ? 2'048 + loud : 2'048;  // an impulse: no stage scales
            }));
        }
        expect_the_bounds(counts_of(size, [](double i) { return i < 5 ? 65'535 : 0; }));
        expect_the_bounds(Counts(size, 7));
    }
    EXPECT_LT(most, 1.0);
    EXPECT_GT(most, 0.05) << "a bound twenty times too wide says nothing";
    RecordProperty("most_of_the_rms_bound", std::to_string(most));
    std::printf("largest share of the rms bound: %.3f\n", most);
}

TEST(Q15, NothingOverflowsAtTheLimits) {  // the sanitizers watch
    for (const std::size_t size : {8U, 64U, 1024U})
        for (int seed = 0; seed < 200; ++seed) {
            std::mt19937 random{static_cast<unsigned>(seed)};
            std::vector<std::int16_t> samples(size);
            for (std::int16_t& x : samples)
                x = seed == 0 ? 32'000 : (random() % 2 == 0 ? 32'000 : -32'000);
            const Spectrum spectrum = transform(samples, 0);
            for (const std::int16_t x : samples)
                ASSERT_LE(std::abs(int{x}), 32'100);
            ASSERT_GE(spectrum.exponent, 1);
        }
}

TEST(Q15, AToneIsKnownToEightStepsOf32000) {
    for (double line = 3.0; line < 500.0; line += 7.31) {
        const Seen seen = seen_of(counts_of(1024, [&](double i) {
            return 2'048 + 1'500 * std::sin(2 * pi * line * i / 1024);
        }));
        EXPECT_LT(seen.spectrum.rms_error_256ths, 8U * 256U) << line;
        EXPECT_LT(seen.spectrum.worst_error_256ths, 32U * 256U) << line;
    }
}

// The same counts through the float path: one profile, two arithmetics.
TEST(Q15, ThePeakIsTheFloatPathsWithinAHundredthOfALine) {
    double most = 0.0;
    double most_off = 0.0;
    for (const std::size_t size : {64U, 1024U}) {
        const double n = static_cast<double>(size);
        for (double line = n / 25; line < 0.47 * n; line += n * 0.00371) {
            const Counts counts = counts_of(size, [&](double i) {
                return 2'048 + 900 * std::sin(2 * pi * line * i / n + 0.4);
            });
            std::vector<float> samples(size);
            double mean = 0.0;
            for (const std::uint16_t x : counts)
                mean += x / n;
            for (std::size_t i = 0; i < size; ++i)
                samples[i] = static_cast<float>(counts[i] - mean);
            hamming(samples);
            real_fft(samples);
            const Seen seen = seen_of(counts);
            const double ours = peak_line_4096ths(seen.packed) / 4096.0;
            most = std::max(most, std::fabs(ours - static_cast<double>(peak_line(samples))));
            most_off = std::max(most_off, std::fabs(ours - line));
        }
    }
    std::printf(
        "largest distance from the float path: %.5f, from the tone: %.4f of a line\n",
        most,
        most_off
    );
    EXPECT_LT(most, 0.01);
    EXPECT_LT(most_off, 0.1);
}

TEST(Q15, TheRmsOfMainsCurrentIsWithinOnePercentAt50And60HzWithHarmonics) {
    double most = 0.0;
    for (const double mains_hz : {50.0, 60.0})
        for (double phase = 0.0; phase < 2 * pi; phase += 0.3) {
            std::vector<std::int16_t> block(waveform_samples);
            const Block seen = block_of(
                counts_of(
                    waveform_samples,
                    [&](double i) {
                        const double w = 2.0 * pi * mains_hz * i / sampling_rate_hz + phase;
                        return 2'048 + 200 * std::sqrt(2.0) *
                                           (3.0 * std::sin(w) + 0.6 * std::sin(3 * w) +
                                            0.3 * std::sin(5 * w));
                    }
                ),
                block
            );
            const double exact = 200 * std::sqrt(9.0 + 0.36 + 0.09);
            most = std::max(most, std::fabs(real(seen.rms) / exact - 1.0));
        }
    std::printf("largest relative error of the RMS: %.6f\n", most);
    EXPECT_LT(most, 0.01);
}

}  // namespace
}  // namespace stator::signal::q15
