#include "shared/signal/q15.h"

#include "shared/base/math.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <numbers>
#include <utility>

namespace stator::signal::q15 {

namespace {

constexpr std::size_t quarter = samples_max / 4;
constexpr std::int32_t one = 1 << 15;
constexpr std::int32_t sample_limit = 32'000;  // 767 steps for what ten stages round up
constexpr std::uint32_t stage_error = 272;     // 1.0625
constexpr std::uint32_t window_error = 640;    // 2.5

// sin(2 pi i / samples_max) for the first quarter, both ends included: 32768 is one.
constexpr std::array<std::uint16_t, quarter + 1> sines = [] {
    std::array<std::uint16_t, quarter + 1> made{};
    for (std::size_t i = 0; i <= quarter; ++i)
        made[i] = static_cast<std::uint16_t>(
            base::sine(
                2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(samples_max)
            ) * one +
            0.5
        );
    return made;
}();

struct Twiddle {
    std::int32_t cosine = one;
    std::int32_t sine = 0;
};

// exp(-2 pi i step / samples_max), step below half a turn: (cos, -sin).
Twiddle twiddle(std::size_t step) {
    if (step <= quarter) return {.cosine = sines[quarter - step], .sine = -sines[step]};
    return {.cosine = -sines[step - quarter], .sine = -sines[2 * quarter - step]};
}

std::int32_t window_at(std::size_t i, std::size_t count) {
    constexpr std::int32_t middle = 17'695;  // 0.54
    constexpr std::int32_t swing = 15'073;   // 0.46
    constexpr std::size_t half = 2 * quarter;
    std::size_t step = i * (samples_max / count);
    if (step > half) step = 2 * half - step;
    const std::int32_t cosine = step == half ? -one : twiddle(step).cosine;
    return middle - ((swing * cosine + one / 2) >> 15);
}

std::uint32_t root(std::uint64_t square) {  // rounded down
    std::uint64_t rest = square;
    std::uint64_t made = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 62U; bit != 0; bit >>= 2U) {
        const std::uint64_t tried = made + bit;
        made >>= 1U;
        if (rest < tried) continue;
        rest -= tried;
        made += bit;
    }
    return static_cast<std::uint32_t>(made);
}

std::int16_t narrow(std::int32_t value) {
    return static_cast<std::int16_t>(value);
}

std::uint32_t square_of(std::int32_t re, std::int32_t im) {
    return static_cast<std::uint32_t>(re * re) + static_cast<std::uint32_t>(im * im);
}

// Whether a stage could leave 16 bits: some point is longer than half of the range.
bool is_long(std::span<const std::int16_t> data) {
    constexpr std::uint32_t limit = 16'000U * 16'000U;
    for (std::size_t i = 0; i + 1 < data.size(); i += 2)
        if (square_of(data[i], data[i + 1]) > limit) return true;
    return false;
}

void halve(std::span<std::int16_t> data) {
    for (std::int16_t& part : data)
        part = narrow((part + 1) >> 1);
}

void reorder(std::span<std::int16_t> data) {
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
}

// Points are at most 32,700 long, so sums of 15 bits behind the point fit 32 bits.
void stage(std::span<std::int16_t> data, std::size_t size, unsigned scale) {
    const std::size_t count = data.size() / 2;
    const std::size_t stride = samples_max / size;
    const unsigned shift = 15U + scale;
    const std::int32_t half = std::int32_t{1} << (shift - 1U);
    for (std::size_t k = 0; k < size / 2; ++k) {
        const Twiddle w = twiddle(k * stride);
        for (std::size_t start = k; start < count; start += size) {
            std::int16_t* const low = &data[2 * start];
            std::int16_t* const high = &data[2 * (start + size / 2)];
            const std::int32_t re = high[0] * w.cosine - high[1] * w.sine;
            const std::int32_t im = high[0] * w.sine + high[1] * w.cosine;
            const std::int32_t low_re = low[0] * one + half;
            const std::int32_t low_im = low[1] * one + half;
            low[0] = narrow((low_re + re) >> shift);
            low[1] = narrow((low_im + im) >> shift);
            high[0] = narrow((low_re - re) >> shift);
            high[1] = narrow((low_im - im) >> shift);
        }
    }
}

// X_k = E_k + w^k O_k; points are at most 16,000 long, lines at most 32,000.
void split(std::span<std::int16_t> packed) {
    const std::size_t half = packed.size() / 2;
    const std::size_t stride = samples_max / packed.size();
    const std::int32_t even = packed[0];
    const std::int32_t odd = packed[1];
    packed[0] = narrow(even + odd);
    packed[1] = narrow(even - odd);
    for (std::size_t k = 1; k <= half / 2; ++k) {
        const std::size_t mirror = half - k;
        const std::int32_t sum_re = packed[2 * k] + packed[2 * mirror];
        const std::int32_t sum_im = packed[2 * k + 1] - packed[2 * mirror + 1];
        const std::int32_t gap_re = packed[2 * k] - packed[2 * mirror];
        const std::int32_t gap_im = packed[2 * k + 1] + packed[2 * mirror + 1];
        const Twiddle w = twiddle(k * stride);
        const std::int32_t o_re = gap_im * w.cosine + gap_re * w.sine;
        const std::int32_t o_im = gap_im * w.sine - gap_re * w.cosine;
        const std::int32_t e_re = sum_re * one + one;
        const std::int32_t e_im = sum_im * one;
        packed[2 * k] = narrow((e_re + o_re) >> 16);
        packed[2 * k + 1] = narrow((e_im + o_im + one) >> 16);
        packed[2 * mirror] = narrow((e_re - o_re) >> 16);
        packed[2 * mirror + 1] = narrow((o_im - e_im + one) >> 16);
    }
}

// log2(value) in 1/4096, within 3 of them: each squaring of the mantissa yields one more bit.
std::int32_t level(std::uint32_t value) {
    if (value == 0) return 0;
    const auto whole = static_cast<int>(std::bit_width(value)) - 1;
    std::uint32_t mantissa = whole >= 15 ? value >> (whole - 15) : value << (15 - whole);
    std::int32_t made = whole;
    for (int bit = 0; bit < 12; ++bit) {
        mantissa = (mantissa * mantissa + (1U << 14U)) >> 15U;
        const bool above = mantissa >= 2U * one;
        if (above) mantissa >>= 1U;
        made = 2 * made + (above ? 1 : 0);
    }
    return made;
}

// sqrt(sum of powers) to RMS: sqrt(2 / (n * window's power)), the power being 0.3974 n. `root` has
// so many bits behind the point.
Scaled as_amplitude(std::uint64_t root, int bits, int exponent, std::size_t samples) {
    constexpr std::uint64_t factor = 36'756;  // sqrt(2 / 0.3974) * 2^14
    const int log2_samples = std::countr_zero(samples);
    return {
        .value = static_cast<std::uint32_t>((root * factor + (1U << 13U)) >> 14U),
        .exponent = exponent - bits - log2_samples,
    };
}

}  // namespace

Block block_of(std::span<const std::uint16_t> counts, std::span<std::int16_t> block) {
    assert(!counts.empty() && counts.size() <= frame_max && block.size() == counts.size());
    const auto count = static_cast<std::uint32_t>(counts.size());
    std::uint32_t sum = 0;
    for (const std::uint16_t value : counts)
        sum += value;
    const std::uint32_t whole = sum / count;
    const std::uint32_t rest = sum % count;
    const auto [low, high] = std::ranges::minmax(counts);
    const std::uint32_t range = std::max(high - whole, whole + 1U - low);
    unsigned left = 0;  // bits behind the point; one too few when it would not fit
    while (left < 14 && (range << (left + 1)) <= static_cast<std::uint32_t>(sample_limit))
        ++left;
    const unsigned right =
        range > static_cast<std::uint32_t>(sample_limit) ? (range > 64'000 ? 2 : 1) : 0;
    Block made;
    made.exponent = static_cast<int>(right) - static_cast<int>(left);
    const std::uint32_t mean = (whole << left) + ((rest << left) + count / 2) / count;
    made.mean = {.value = mean, .exponent = -static_cast<int>(left)};
    std::uint64_t squares = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        std::int32_t deviation = static_cast<std::int32_t>(std::uint32_t{counts[i]} << left) -
                                 static_cast<std::int32_t>(mean);
        if (right != 0) deviation = (deviation + (1 << (right - 1))) >> right;
        block[i] = narrow(deviation);
        squares += static_cast<std::uint32_t>(deviation * deviation);
    }
    made.rms = {.value = root((squares << 8U) / count), .exponent = made.exponent - 4};
    return made;
}

std::uint32_t peak_of(std::span<const std::int16_t> block) {
    std::uint32_t peak = 0;
    for (const std::int16_t x : block)
        peak = std::max(peak, static_cast<std::uint32_t>(x < 0 ? -x : x));
    return peak;
}

std::uint32_t kurtosis_4096ths(std::span<const std::int16_t> block) {
    constexpr unsigned lost = 6;
    std::uint64_t second = 0;  // below 2^42
    std::uint64_t fourth = 0;  // below 2^60
    for (const std::int16_t x : block) {
        const std::uint32_t square = square_of(x, 0);
        const std::uint64_t short_square = (square + (1U << (lost - 1))) >> lost;
        second += square;
        fourth += short_square * short_square;
    }
    if (second == 0) return 0;
    // n fourth / second^2, where second must be as short as the squares were.
    const std::uint64_t count = block.size();
    const std::uint64_t mean_square = (second << 2U) / count;  // 2^-2 steps squared, below 2^33
    const std::uint64_t mean_fourth = fourth / count;          // 2^(2 lost)
    if (mean_square == 0) return 0;
    // fourth 2^12 / (mean_square 2^-2)^2 * 2^12: in two divisions, neither of which overflows.
    const auto whole = (mean_fourth << 14U) / mean_square;
    return static_cast<std::uint32_t>((whole << 14U) / mean_square);
}

Spectrum transform(std::span<std::int16_t> samples, int exponent) {
    const std::size_t count = samples.size();
    assert(count >= 8 && count <= samples_max && std::has_single_bit(count));
    for (std::size_t i = 0; i < count; ++i) {
        assert(samples[i] >= -sample_limit && samples[i] <= sample_limit);
        samples[i] = narrow((samples[i] * window_at(i, count) + one / 2) >> 15);
    }
    Spectrum made{
        .exponent = exponent, .rms_error_256ths = window_error, .worst_error_256ths = window_error
    };
    const auto scaled = [&](unsigned by) { made.exponent += static_cast<int>(by); };
    if (is_long(samples)) {  // two samples are one point: sqrt(2) longer than either
        halve(samples);
        scaled(1);
        made.rms_error_256ths = made.rms_error_256ths / 2 + stage_error;
        made.worst_error_256ths = made.worst_error_256ths / 2 + stage_error;
    }
    reorder(samples);
    for (std::size_t size = 2; size <= count / 2; size *= 2) {
        const unsigned scale = is_long(samples) ? 1 : 0;
        stage(samples, size, scale);
        scaled(scale);
        // 182/128 is sqrt(2), rounded up.
        made.rms_error_256ths = ((made.rms_error_256ths * 182 / 128 + 1) >> scale) + stage_error;
        made.worst_error_256ths = ((made.worst_error_256ths * 2) >> scale) + stage_error;
    }
    if (is_long(samples)) {
        halve(samples);
        scaled(1);
        made.rms_error_256ths = made.rms_error_256ths / 2 + stage_error;
        made.worst_error_256ths = made.worst_error_256ths / 2 + stage_error;
    }
    split(samples);
    made.rms_error_256ths += stage_error;
    made.worst_error_256ths = 2 * made.worst_error_256ths + stage_error;
    return made;
}

std::uint32_t power(std::span<const std::int16_t> packed, std::size_t line) {
    if (line == 0) return square_of(packed[0], 0);
    if (line == packed.size() / 2) return square_of(packed[1], 0);
    return square_of(packed[2 * line], packed[2 * line + 1]);
}

std::uint32_t peak_line_4096ths(std::span<const std::int16_t> packed) {
    std::size_t best = 1;
    for (std::size_t k = 2; k < packed.size() / 2; ++k)
        if (power(packed, k) > power(packed, best)) best = k;
    if (power(packed, best) == 0) return 0;
    const std::int32_t below = level(power(packed, best - 1));
    const std::int32_t at = level(power(packed, best));
    const std::int32_t above = level(power(packed, best + 1));
    const std::int32_t bend = below - 2 * at + above;
    const std::int32_t shift = bend == 0 ? 0 : 2048 * (below - above) / bend;
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(best) * 4096 + shift);
}

Scaled amplitude(
    std::span<const std::int16_t> packed,
    const Spectrum& spectrum,
    std::size_t first,
    std::size_t end
) {
    assert(first >= 1 && end <= packed.size() / 2);
    std::uint64_t sum = 0;
    for (std::size_t k = first; k < end; ++k)
        sum += power(packed, k);
    return as_amplitude(root(sum << 8U), 4, spectrum.exponent, packed.size());
}

Scaled integrated(
    std::span<const std::int16_t> packed,
    const Spectrum& spectrum,
    std::size_t first,
    std::size_t end
) {
    assert(first >= 1 && end <= packed.size() / 2);
    // Powers are below 2^31, and 1 + 1/4 + 1/9 + ... below 2: the sum stays below 2^56.
    constexpr std::uint32_t one_bits = 24;
    std::uint64_t sum = 0;
    for (std::size_t k = first; k < end; ++k) {
        const auto number = static_cast<std::uint32_t>(k);
        const std::uint32_t square = number * number;
        sum += std::uint64_t{power(packed, k)} * (((1U << one_bits) + square / 2) / square);
    }
    return as_amplitude(root(sum), one_bits / 2, spectrum.exponent, packed.size());
}

// The error of the lines of a band is no longer than that of all n/2 lines, rms * sqrt(n/2); one
// sixteenth is for root(), which rounds down.
Scaled amplitude_error(const Spectrum& spectrum, std::size_t samples) {
    const std::uint64_t squared =
        std::uint64_t{spectrum.rms_error_256ths} * spectrum.rms_error_256ths * (samples / 2);
    return as_amplitude(root(squared) / 16 + 2, 4, spectrum.exponent, samples);
}

}  // namespace stator::signal::q15
