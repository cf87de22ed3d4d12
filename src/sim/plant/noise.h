// Noise and Oscillator are what the simulated motor's signals are made of: deterministic from a
// seed, the same bits everywhere (shared/base/math only).
#pragma once

#include "shared/base/math.h"

#include <cstdint>
#include <numbers>

namespace stator::plant {

class Noise {
  public:
    explicit Noise(std::uint64_t seed) : state_{seed * 0x9E3779B97F4A7C15U + 0x1234567U} {
        for (int i = 0; i < 4; ++i)
            static_cast<void>(bits());
    }

    // xorshift64*
    [[nodiscard]] std::uint64_t bits() {
        state_ ^= state_ >> 12U;
        state_ ^= state_ << 25U;
        state_ ^= state_ >> 27U;
        return state_ * 0x2545F4914F6CDD1DU;
    }

    [[nodiscard]] double uniform() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }

    // Nearly Gaussian, mean 0, deviation 1: the sum of four uniform numbers out of one draw.
    [[nodiscard]] double normal() {
        const std::uint64_t b = bits();
        const auto part = [b](unsigned shift) {
            return static_cast<double>((b >> shift) & 0xFFFFU);
        };
        constexpr double mean = 4.0 * 32767.5;
        constexpr double deviation = 37837.227;  // 65536 sqrt(4 / 12)
        return (part(0) + part(16) + part(32) + part(48) - mean) / deviation;
    }

  private:
    std::uint64_t state_;
};

// A slow wander around zero (Ornstein-Uhlenbeck): deviation and time constant in seconds.
class Wander {
  public:
    Wander(double deviation, double time_constant_s)
        : deviation_{deviation}, time_constant_s_{time_constant_s} {}

    void advance(double duration_s, Noise& noise) {
        const double keep = base::exponential(-duration_s / time_constant_s_);
        // 1 - keep^2 is not negative: keep is in (0, 1].
        const double fresh = 1.0 - keep * keep;
        value_ = keep * value_ + deviation_ * square_root(fresh) * noise.normal();
    }

    [[nodiscard]] double value() const { return value_; }

  private:
    [[nodiscard]] static double square_root(double x) {
        return x <= 0.0 ? 0.0 : base::exponential(0.5 * base::logarithm(x));
    }

    double deviation_;
    double time_constant_s_;
    double value_ = 0.0;
};

// sin(2 pi f t + phase) sample by sample, by rotation.
class Oscillator {
  public:
    Oscillator(double frequency_hz, double rate_hz, double phase)
        : re_{base::cosine(phase)},
          im_{base::sine(phase)},
          turn_re_{base::cosine(2.0 * std::numbers::pi * frequency_hz / rate_hz)},
          turn_im_{base::sine(2.0 * std::numbers::pi * frequency_hz / rate_hz)} {}

    [[nodiscard]] double next() {
        const double value = im_;
        const double re = re_ * turn_re_ - im_ * turn_im_;
        im_ = re_ * turn_im_ + im_ * turn_re_;
        re_ = re;
        return value;
    }

  private:
    double re_;
    double im_;
    double turn_re_;
    double turn_im_;
};

// A structure that rings when it is struck: a two-pole resonance.
class Resonance {
  public:
    Resonance(double frequency_hz, double decay_s, double rate_hz) {
        const double radius = base::exponential(-1.0 / (decay_s * rate_hz));
        a1_ = 2.0 * radius * base::cosine(2.0 * std::numbers::pi * frequency_hz / rate_hz);
        a2_ = -radius * radius;
    }

    [[nodiscard]] double next(double strike) {
        const double value = a1_ * y1_ + a2_ * y2_ + strike;
        y2_ = y1_;
        y1_ = value;
        return value;
    }

  private:
    double a1_ = 0.0;
    double a2_ = 0.0;
    double y1_ = 0.0;
    double y2_ = 0.0;
};

}  // namespace stator::plant
