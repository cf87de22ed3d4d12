// Q15 is a frame's arithmetic in 16-bit integers, for chips without an FPU: mean, RMS, kurtosis,
// spectrum, peak, bands and velocity, the same bits on every processor.
//
// Numbers are blocks: integers below 2^15 and one exponent, value * 2^exponent in ADC counts. The
// transform scales a stage only when it could overflow (block floating point) and says how far it
// can be from the exact transform of the counts. The bound is derived, not measured:
//
//   A stage computes (a +- w b) / 2^s. Rounding its two parts moves a point by at most
//   sqrt(2)/2 = 0.708, a twiddle of 15 bits by sqrt(2) 2^-16 |b| <= 0.354: together 1.0625. What
//   was wrong before grows by sqrt(2) / 2^s in the mean square over all points (the butterfly is
//   sqrt(2) times a rotation) and by 2 / 2^s in the worst point. Splitting the complex spectrum
//   into the real one is a rotation: again 1.0625. The window's weight and product: 2.5 at most.
//   So  rms' = rms sqrt(2)/2^s + 1.0625,  worst' = 2 worst/2^s + 1.0625,  both from 2.5 on.
//
// A tone scales nearly every stage: rms stays below 8 and worst below 32 of 32,000 steps. An
// amplitude of a band, being a length in that space, is off by at most amplitude_error().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::signal::q15 {

inline constexpr std::size_t samples_max = 1024;  // of one transform
inline constexpr std::size_t frame_max = 4096;    // of one block

struct Scaled {  // value * 2^exponent counts
    std::uint32_t value = 0;
    int exponent = 0;
};

struct Block {
    Scaled mean;       // within half a step of its exponent
    Scaled rms;        // mean removed; within 1.1 * 2^exponent
    int exponent = 0;  // of the samples that were left in `block`, their mean removed
};

// Counts to a block whose largest deviation lies in [8000, 32000], unless all are equal: then
// zeros. `block` has the size of `counts`, 1 .. frame_max: asserted.
[[nodiscard]] Block block_of(std::span<const std::uint16_t> counts, std::span<std::int16_t> block);

// Of a block, its mean removed. The largest |x|, in steps.
[[nodiscard]] std::uint32_t peak_of(std::span<const std::int16_t> block);
// The fourth standardised moment, in 1/4096; 0 of a block of zeros. Squares lose 6 bits, so that
// their squares fit: within 1/1000 of it where the RMS is at least 1/64 of the peak.
[[nodiscard]] std::uint32_t kurtosis_4096ths(std::span<const std::int16_t> block);

struct Spectrum {
    int exponent = 0;
    std::uint32_t rms_error_256ths = 0;    // over all lines, in steps of 2^exponent
    std::uint32_t worst_error_256ths = 0;  // of any one line
};

// Hamming and real FFT in place; packed as real_fft (fft.h) does. `samples`: at least 8, a power of
// two up to samples_max, each within +-32000: asserted.
[[nodiscard]] Spectrum transform(std::span<std::int16_t> samples, int exponent);

// |X_k|^2 in squared steps, 0 <= k <= n/2; below 2^31.
[[nodiscard]] std::uint32_t power(std::span<const std::int16_t> packed, std::size_t line);

// The largest line above line 0, in 1/4096 of a line: a parabola through logarithms, as peak_line.
// Within 1/100 line of it when one tone stands out; 0 when no line has any power.
[[nodiscard]] std::uint32_t peak_line_4096ths(std::span<const std::int16_t> packed);

// RMS of what lies in lines first .. end - 1, as the float path's bands (extract.h): two-sided and
// divided by the window's power. Lines 1 .. n/2 - 1 only: asserted.
[[nodiscard]] Scaled amplitude(
    std::span<const std::int16_t> packed,
    const Spectrum& spectrum,
    std::size_t first,
    std::size_t end
);
// The same with each line divided by its number: the RMS of the signal's integral over time, but
// for 2 pi times the lines' distance.
[[nodiscard]] Scaled integrated(
    std::span<const std::int16_t> packed,
    const Spectrum& spectrum,
    std::size_t first,
    std::size_t end
);
// The most by which any amplitude() or integrated() of this spectrum of `samples` can be off.
[[nodiscard]] Scaled amplitude_error(const Spectrum& spectrum, std::size_t samples);

}  // namespace stator::signal::q15
