// Converters are a device's ADC that runs all the time, in lock-step with the machine behind it.
//
// take() asks the machine for the next frame of every channel: all of its samples come in, and the
// latest of them stay, as a chip's DMA keeps them; a reading takes its windows from these. Orders
// to the outputs are passed on; what changes is told (Told), with the sample before which it did.
#pragma once

#include "sense/hal/machine.h"
#include "sense/proof/told.h"
#include "shared/asset/asset.h"
#include "shared/signal/extract.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::proof {

inline constexpr std::size_t frame_samples = 262;  // 20 ms, the servo's step; 5 of them a waveform

// The machine's side: one question a frame, however many channels.
class Frames {
  public:
    // `counts`: frame_samples of channel 0, then of channel 1, and so on.
    [[nodiscard]] virtual base::Result<void> next(std::span<std::uint16_t> counts) = 0;

  protected:
    ~Frames() = default;
};

// A machine that is asked channel by channel.
class AdcFrames final : public Frames {
  public:
    explicit AdcFrames(hal::Adc& adc) : adc_{adc} {}

    [[nodiscard]] base::Result<void> next(std::span<std::uint16_t> counts) override;

  private:
    hal::Adc& adc_;
};

class Converters final : public hal::Adc, public hal::Actuators {
  public:
    Converters(Frames& frames, hal::Actuators& actuators, std::size_t channels, Told& told)
        : frames_{frames}, actuators_{actuators}, channels_{channels}, told_{told} {}

    // Fault::io: the machine is gone.
    [[nodiscard]] base::Result<void> take();

    // Of each channel, since the beginning.
    [[nodiscard]] std::uint64_t samples() const { return samples_; }

    // The latest `counts.size()` samples, at most signal::waveform_samples; before the beginning
    // there were zeros.
    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;
    void set_valve_degrees(std::uint8_t degrees) override;
    void set_backup_pump(bool on) override;
    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override;

  private:
    Frames& frames_;
    hal::Actuators& actuators_;
    std::size_t channels_;
    Told& told_;
    std::uint64_t samples_ = 0;
    std::array<std::uint16_t, asset::channels_max * frame_samples> next_{};
    std::array<std::array<std::uint16_t, signal::waveform_samples>, asset::channels_max> latest_{};
    std::optional<std::uint8_t> valve_degrees_;
    std::optional<bool> pump_;
};

}  // namespace stator::proof
