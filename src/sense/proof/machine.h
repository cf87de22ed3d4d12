// A machine made of memory, without a heap: the same motor, site and time on every processor.
//
// Signals are integer arithmetic, so that nothing but the core's own code decides what comes out.
#pragma once

#include "sense/hal/hal.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::proof {

// FNV-1a over whatever happens, in its order.
class Trace {
  public:
    void add(std::span<const std::byte> bytes);

    void add(std::string_view text) { add(std::as_bytes(std::span{text})); }

    void add(std::uint64_t value);
    void add(float value);

    [[nodiscard]] std::uint64_t hash() const { return hash_; }

  private:
    std::uint64_t hash_ = 0xCBF29CE484222325U;
};

class Time final : public hal::Time {
  public:
    std::int64_t monotonic_us() override { return now_us; }

    std::int64_t unix_ms() override { return 1'669'170'000'000 + now_us / 1000; }

    bool synced() override { return true; }

    std::int64_t now_us = 0;
};

class Entropy final : public hal::Entropy {
  public:
    std::uint32_t next() override { return state_ = state_ * 1'664'525U + 1'013'904'223U; }

  private:
    std::uint32_t state_ = 7;
};

class Log final : public hal::Log {
  public:
    explicit Log(Trace& trace) : trace_{trace} {}

    void info(std::string_view text) override { trace_.add(text); }

    void warn(std::string_view text) override { trace_.add(text); }

  private:
    Trace& trace_;
};

// A motor whose every waveform channel is a triangle, its third harmonic and noise; `fault` makes
// it louder.
class Motor final : public hal::Adc, public hal::Actuators {
  public:
    explicit Motor(Trace& trace) : trace_{trace} {}

    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;
    void set_valve_degrees(std::uint8_t degrees) override;
    void set_backup_pump(bool on) override;

    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override {
        return pump_ && valve_degrees_ >= 90 ? 12.0F : 0.0F;
    }

    [[nodiscard]] std::uint8_t valve_degrees_max() const { return valve_degrees_max_; }

    bool fault = false;

  private:
    Trace& trace_;
    std::uint32_t noise_ = 1;
    std::uint32_t phase_ = 0;
    std::uint8_t valve_degrees_ = 0;
    std::uint8_t valve_degrees_max_ = 0;
    bool pump_ = false;
};

// A broker that acknowledges at once, and says one thing when asked to.
class Link final : public hal::Link {
  public:
    explicit Link(Trace& trace) : trace_{trace} {}

    [[nodiscard]] base::Result<void> subscribe(std::string_view topic) override;
    [[nodiscard]] base::Result<std::uint32_t> publish(
        std::string_view topic, std::string_view payload
    ) override;
    [[nodiscard]] bool poll(hal::LinkEvent& event) override;

    void say(std::string_view topic, std::string_view payload) {  // outlive the next poll()
        topic_ = topic;
        payload_ = payload;
    }

    [[nodiscard]] std::uint32_t published() const { return last_; }

  private:
    Trace& trace_;
    std::string_view topic_;
    std::string_view payload_;
    std::uint32_t last_ = 0;
    std::uint32_t acknowledged_ = 0;
    bool connected_ = false;
};

// A registry with one model, which activates everyone.
class Fetch final : public hal::Fetch {
  public:
    [[nodiscard]] base::Result<void> start(const hal::FetchRequest& request) override;
    [[nodiscard]] base::Result<hal::FetchReply> poll() override;

    std::span<const std::byte> manifest;
    std::span<const std::byte> tflite;

  private:
    std::span<const std::byte> whole_;
    std::size_t offset_ = 0;
    std::size_t bytes_max_ = 0;
};

// Signs and checks with a hash that nobody but a test may trust.
class Verifier final : public bundle::Verifier {
  public:
    [[nodiscard]] bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature)
        override;
    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override;

    [[nodiscard]] static std::array<std::uint8_t, 64> sign(std::string_view bytes);
};

}  // namespace stator::proof
