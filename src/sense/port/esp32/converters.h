// The Converters are the sensors: ADC 1 converting without end into a ring a channel, and I2C.
//
// The DMA goes on while the super-loop is elsewhere; tend() takes what it left. When it was away
// too long and samples were lost, the rings begin again, so a frame never has a hole. A read()
// waits only for what is missing then, at most two frames' time.
//
// What the driver calls the sampling rate is not what the ESP32 does (esp-idf issues 10586, 16768):
// start() counts the conversions against the timer and asks for as much more as they fell short.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "shared/signal/extract.h"

#include <driver/i2c_master.h>
#include <esp_adc/adc_continuous.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::esp32 {

class Converters final : public hal::Adc {
  public:
    // Why it could not; empty when all is well. Takes about a second.
    [[nodiscard]] std::string_view start(const asset::Asset& asset);
    void tend();

    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;

    [[nodiscard]] std::uint32_t holes() const { return holes_; }  // times samples were lost

  private:
    static constexpr std::size_t analogue_max = 5;
    static constexpr std::size_t adc_channels = 16;  // that a result can name

    struct Ring {
        std::array<std::uint16_t, signal::waveform_samples> samples{};
        std::size_t next = 0;
        std::size_t count = 0;
    };

    struct Place {  // of a channel of the asset
        std::int8_t ring = -1;
        i2c_master_dev_handle_t sensor = nullptr;
    };

    static bool overflowed(
        adc_continuous_handle_t handle, const adc_continuous_evt_data_t* data, void* self
    );
    [[nodiscard]] std::string_view place_channels(const asset::Asset& asset);
    [[nodiscard]] std::string_view start_adc();
    [[nodiscard]] bool convert_at(std::uint32_t rate_hz);
    [[nodiscard]] std::uint32_t measured_rate_hz();
    // Results taken in; 0 when none came within `wait_ms`.
    std::size_t take(std::uint32_t wait_ms);
    [[nodiscard]] bool read_tmp102(i2c_master_dev_handle_t sensor, std::span<std::uint16_t> counts)
        const;

    adc_continuous_handle_t adc_ = nullptr;
    i2c_master_bus_handle_t bus_ = nullptr;
    std::array<Place, asset::channels_max> places_{};
    std::array<Ring, analogue_max> rings_{};
    std::array<adc_digi_pattern_config_t, analogue_max> pattern_{};
    std::size_t analogue_ = 0;
    std::array<std::int8_t, adc_channels> ring_of_{};
    std::atomic<bool> overflow_{false};
    std::uint32_t holes_ = 0;
    alignas(4) std::array<std::uint8_t, 1024> results_{};
};

}  // namespace stator::esp32
