#include "sense/port/esp32/converters.h"

#include "sense/port/esp32/wiring.h"

#include <esp_timer.h>

#include <algorithm>
#include <cstring>

namespace stator::esp32 {
namespace {

using base::Fault;
using base::Result;

constexpr std::uint32_t adc_rate_hz_min = 20'000;  // what the ESP32's digital controller can
constexpr std::uint32_t pool_bytes = 16U << 10U;   // 150 ms of four channels
constexpr std::uint32_t counting_ms = 400;
constexpr std::uint32_t wait_ms_max = 20;
constexpr int i2c_ms_max = 5;
constexpr std::uint32_t i2c_hz = 400'000;

}  // namespace

bool Converters::overflowed(adc_continuous_handle_t, const adc_continuous_evt_data_t*, void* self) {
    static_cast<Converters*>(self)->overflow_.store(true, std::memory_order_relaxed);
    return false;  // no task is to be woken
}

std::string_view Converters::place_channels(const asset::Asset& asset) {
    ring_of_.fill(-1);
    for (std::size_t i = 0; i < asset.channels.size(); ++i) {
        const auto* const source =
            std::ranges::find(sources, asset.channels[i].name.view(), &Source::channel);
        if (source == sources.end()) return "a channel of the asset is not in wiring.h";
        if (source->kind == Source::Kind::tmp102) {
            const i2c_device_config_t device{
                .dev_addr_length = I2C_ADDR_BIT_LEN_7,
                .device_address = source->place,
                .scl_speed_hz = i2c_hz,
                .scl_wait_us = 0,
                .flags = {},
            };
            if (i2c_master_bus_add_device(bus_, &device, &places_[i].sensor) != ESP_OK)
                return "an I2C sensor could not be added";
            continue;
        }
        if (analogue_ == analogue_max) return "too many analogue channels";
        places_[i].ring = static_cast<std::int8_t>(analogue_);
        ring_of_[source->place] = static_cast<std::int8_t>(analogue_);
        pattern_[analogue_++] = {
            .atten = ADC_ATTEN_DB_12,
            .channel = source->place,
            .unit = ADC_UNIT_1,
            .bit_width = ADC_BITWIDTH_12,
        };
    }
    return {};
}

std::string_view Converters::start(const asset::Asset& asset) {
    i2c_master_bus_config_t bus{};
    bus.i2c_port = I2C_NUM_0;
    bus.sda_io_num = static_cast<gpio_num_t>(i2c_data_pin);
    bus.scl_io_num = static_cast<gpio_num_t>(i2c_clock_pin);
    bus.clk_source = I2C_CLK_SRC_DEFAULT;
    bus.glitch_ignore_cnt = 7;
    bus.flags.enable_internal_pullup = 1;
    if (i2c_new_master_bus(&bus, &bus_) != ESP_OK) return "no I2C bus";
    if (const auto why = place_channels(asset); !why.empty()) return why;
    return analogue_ == 0 ? std::string_view{} : start_adc();
}

std::string_view Converters::start_adc() {
    const auto rate_hz = static_cast<std::uint32_t>(analogue_) * hal::sampling_rate_hz;
    if (rate_hz < adc_rate_hz_min) return "the ADC needs two analogue channels at least";
    const adc_continuous_handle_cfg_t storage{
        .max_store_buf_size = pool_bytes,
        .conv_frame_size = static_cast<std::uint32_t>(results_.size()),
        .flags = {},
    };
    if (adc_continuous_new_handle(&storage, &adc_) != ESP_OK) return "no memory for the ADC";
    const adc_continuous_evt_cbs_t callbacks{.on_conv_done = nullptr, .on_pool_ovf = overflowed};
    if (adc_continuous_register_event_callbacks(adc_, &callbacks, this) != ESP_OK)
        return "the ADC takes no callback";
    if (!convert_at(rate_hz)) return "the ADC does not start";
    const std::uint32_t first_hz = measured_rate_hz();
    if (first_hz == 0) return "the ADC gives nothing";
    const auto asked_hz = static_cast<std::uint32_t>(std::uint64_t{rate_hz} * rate_hz / first_hz);
    if (adc_continuous_stop(adc_) != ESP_OK || !convert_at(asked_hz))
        return "the ADC does not start again";
    const std::uint32_t now_hz = measured_rate_hz();
    const std::uint32_t off_hz = now_hz > rate_hz ? now_hz - rate_hz : rate_hz - now_hz;
    return off_hz > rate_hz / 100 ? "the ADC's rate is off by more than 1 %" : "";
}

bool Converters::convert_at(std::uint32_t rate_hz) {
    const adc_continuous_config_t config{
        .pattern_num = static_cast<std::uint32_t>(analogue_),
        .adc_pattern = pattern_.data(),
        .sample_freq_hz = rate_hz,
        .conv_mode = ADC_CONV_SINGLE_UNIT_1,
        .format = ADC_DIGI_OUTPUT_FORMAT_TYPE1,
    };
    return adc_continuous_config(adc_, &config) == ESP_OK && adc_continuous_start(adc_) == ESP_OK;
}

std::uint32_t Converters::measured_rate_hz() {
    for (int i = 0; i < 8; ++i)  // what it was doing before
        static_cast<void>(take(wait_ms_max));
    const std::int64_t begun_us = esp_timer_get_time();
    std::int64_t now_us = begun_us;
    std::uint64_t results = 0;
    while (now_us - begun_us < std::int64_t{counting_ms} * 1000) {
        results += take(wait_ms_max);
        now_us = esp_timer_get_time();
    }
    return static_cast<std::uint32_t>(
        results * 1'000'000U / static_cast<std::uint64_t>(now_us - begun_us)
    );
}

std::size_t Converters::take(std::uint32_t wait_ms) {
    if (overflow_.exchange(false, std::memory_order_relaxed)) {
        ++holes_;
        static_cast<void>(adc_continuous_flush_pool(adc_));
        for (Ring& ring : rings_)
            ring.next = ring.count = 0;
    }
    std::uint32_t bytes = 0;
    const auto most = static_cast<std::uint32_t>(results_.size());
    if (adc_continuous_read(adc_, results_.data(), most, &bytes, wait_ms) != ESP_OK) return 0;
    for (std::size_t at = 0; at + sizeof(adc_digi_output_data_t) <= bytes;
         at += sizeof(adc_digi_output_data_t)) {
        adc_digi_output_data_t result;
        std::memcpy(&result, &results_[at], sizeof result);
        const std::int8_t found = ring_of_[result.type1.channel];
        if (found < 0) continue;
        Ring& ring = rings_[static_cast<std::size_t>(found)];
        ring.samples[ring.next] = result.type1.data;
        ring.next = (ring.next + 1) % ring.samples.size();
        ring.count = std::min(ring.count + 1, ring.samples.size());
    }
    return bytes / sizeof(adc_digi_output_data_t);
}

void Converters::tend() {
    if (analogue_ == 0) return;
    for (std::size_t taken = 0; taken < pool_bytes; taken += results_.size())  // bounded
        if (take(0) == 0) return;
}

bool Converters::read_tmp102(i2c_master_dev_handle_t sensor, std::span<std::uint16_t> counts)
    const {
    constexpr std::uint8_t temperature_register = 0;
    std::array<std::uint8_t, 2> bytes{};
    const esp_err_t done = i2c_master_transmit_receive(
        sensor, &temperature_register, 1, bytes.data(), bytes.size(), i2c_ms_max
    );
    if (done != ESP_OK) return false;
    // 12 bits, two's complement, at the top of 16.
    const unsigned raw = (unsigned{bytes[0]} << 8U | bytes[1]) >> 4U;
    std::ranges::fill(counts, static_cast<std::uint16_t>(raw ^ 0x800U));
    return true;
}

Result<void> Converters::read(std::size_t channel, std::span<std::uint16_t> counts) {
    if (channel >= places_.size()) return std::unexpected{Fault::bad_input};
    const Place& place = places_[channel];
    if (place.sensor != nullptr) {
        if (!read_tmp102(place.sensor, counts)) return std::unexpected{Fault::io};
        return {};
    }
    if (place.ring < 0 || counts.size() > signal::waveform_samples)
        return std::unexpected{Fault::bad_input};
    tend();
    const Ring& ring = rings_[static_cast<std::size_t>(place.ring)];
    const auto frame_us =
        static_cast<std::int64_t>(counts.size()) * 1'000'000 / hal::sampling_rate_hz;
    const std::int64_t end_us = esp_timer_get_time() + 2 * frame_us;
    while (ring.count < counts.size())  // after a hole only
        if (take(wait_ms_max) == 0 && esp_timer_get_time() >= end_us)
            return std::unexpected{Fault::io};
    const std::size_t size = ring.samples.size();
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = ring.samples[(ring.next + size - counts.size() + i) % size];
    return {};
}

}  // namespace stator::esp32
