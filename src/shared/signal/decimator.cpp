#include "shared/signal/decimator.h"

#include "shared/base/math.h"

#include <numbers>

namespace stator::signal {

namespace {

constexpr double rate_hz = 13'095.0;
constexpr double first_gain = 15.0 * 15.0 * 15.0 * 15.0 * 15.0;
constexpr unsigned combed_shift = 8;  // 36 bits and a sign become 28 and a sign
constexpr unsigned filtered_shift = 32;
constexpr std::size_t middle = Decimator::taps / 2;

// The modified Bessel function of order 0, of a square root: a series in x^2 / 4.
constexpr double bessel_of_root(double square) {
    double term = 1.0;
    double sum = 1.0;
    for (int n = 1; n <= 30; ++n) {
        term *= square / (4.0 * n * n);
        sum += term;
    }
    return sum;
}

// A low pass at half of 291 Hz, Kaiser's window for 80 dB (beta 7.857); the taps from the middle
// outwards. Their sum also turns what the combs give into 1/256 counts.
constexpr std::array<std::int32_t, middle + 1> half_taps = [] {
    constexpr double beta = 7.857;
    constexpr double turn = std::numbers::pi / 3.0;  // of the edge, a sample at 873 Hz
    std::array<double, middle + 1> real{};
    double sum = 0.0;
    for (std::size_t i = 0; i <= middle; ++i) {
        const auto at = static_cast<double>(i);
        const double sinc = i == 0 ? 1.0 : base::sine(turn * at) / (turn * at);
        const double place = at / static_cast<double>(middle + 1);
        real[i] = sinc * bessel_of_root(beta * beta * (1.0 - place * place));
        sum += (i == 0 ? 1.0 : 2.0) * real[i];
    }
    constexpr double unit = 256.0 * 256.0 / first_gain * 4'294'967'296.0;
    std::array<std::int32_t, middle + 1> made{};
    for (std::size_t i = 0; i <= middle; ++i) {
        const double tap = real[i] / sum * unit;
        made[i] = static_cast<std::int32_t>(tap + (tap < 0.0 ? -0.5 : 0.5));
    }
    return made;
}();

static_assert(256 == 1U << combed_shift);

}  // namespace

std::optional<std::int32_t> Decimator::push(std::uint16_t counts) {
    const std::int64_t deviation = std::int64_t{counts} - std::int64_t{zero_counts_};
    auto sum = static_cast<std::uint64_t>(deviation);
    for (std::uint64_t& it : sums_)
        sum = it += sum;
    if (++first_ < first_factor) return std::nullopt;
    first_ = 0;
    history_[place_] = comb();
    place_ = place_ + 1 == taps ? 0 : place_ + 1;
    if (++second_ < second_factor) return std::nullopt;
    second_ = 0;
    return filtered();
}

std::int32_t Decimator::comb() {
    std::uint64_t now = sums_.back();
    for (std::uint64_t& before : last_) {
        const std::uint64_t difference = now - before;
        before = now;
        now = difference;
    }
    const auto whole = static_cast<std::int64_t>(now);
    return static_cast<std::int32_t>(
        (whole + (std::int64_t{1} << (combed_shift - 1U))) >> combed_shift
    );
}

std::int32_t Decimator::filtered() const {
    std::size_t older = (place_ + middle) % taps;
    std::size_t newer = older;
    std::int64_t sum = std::int64_t{half_taps[0]} * history_[older];
    for (std::size_t i = 1; i <= middle; ++i) {
        older = older == 0 ? taps - 1 : older - 1;
        newer = newer + 1 == taps ? 0 : newer + 1;
        const std::int64_t both = std::int64_t{history_[older]} + history_[newer];
        sum += std::int64_t{half_taps[i]} * both;
    }
    return static_cast<std::int32_t>(
        (sum + (std::int64_t{1} << (filtered_shift - 1U))) >> filtered_shift
    );
}

double Decimator::droop(double hz) {
    constexpr double turn = std::numbers::pi / rate_hz;
    const double one = base::sine(15.0 * turn * hz) / (15.0 * base::sine(turn * hz));
    return one * one * one * one * one;
}

}  // namespace stator::signal
