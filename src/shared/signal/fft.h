// Fft is the real Fourier transform of one window, in place and without a heap.
//
// Radix 2 on n/2 complex points, then split into the spectrum of n real ones. Twiddles are our own
// sines (shared/base/math), computed at compile time: the same bits everywhere. n log2 n
// operations.
#pragma once

#include <cstddef>
#include <span>

namespace stator::signal {

inline constexpr std::size_t fft_samples_max = 1024;

// Hamming window, 0.54 - 0.46 cos(2 pi i / n): multiplies in place.
void hamming(std::span<float> samples);
// Sum of the squared window, needed to turn |X|^2 into power.
[[nodiscard]] float hamming_power(std::size_t samples);

// `samples`: a power of two, 8 .. fft_samples_max. Afterwards samples[2k], samples[2k+1] are the
// real and imaginary part of line k, 0 < k < n/2; samples[0] is line 0 and samples[1] line n/2.
void real_fft(std::span<float> samples);

// |X_k|^2 of the packed result, 0 <= k <= n/2.
[[nodiscard]] float power(std::span<const float> packed, std::size_t line);

// Frequency of the largest line above line 0, in lines, by a parabola through the logarithms of it
// and its neighbours (within a tenth of a line for one tone under a Hamming window).
[[nodiscard]] float peak_line(std::span<const float> packed);
// The same of the line that is said to be largest, 0 < `best` < n/2.
[[nodiscard]] float peak_line(std::span<const float> packed, std::size_t best);

}  // namespace stator::signal
