#include "sense/port/esp32/outputs.h"

#include "sense/port/esp32/wiring.h"

#include <driver/gpio.h>
#include <driver/ledc.h>

#include <esp_timer.h>

#include <algorithm>

namespace stator::esp32 {
namespace {

using base::Fault;
using base::Result;

constexpr std::uint32_t servo_hz = 50;
constexpr std::uint32_t servo_period_us = 1'000'000 / servo_hz;
constexpr std::uint32_t duty_steps = 1U << 16U;
constexpr std::uint8_t degrees_max = 180;
constexpr int pulses_max = 30'000;             // the counter's limit
constexpr std::uint32_t glitch_ns = 10'000;    // shorter pulses are noise
constexpr std::int64_t counting_us = 500'000;  // over which a flow is taken
constexpr std::int64_t stale_us = 2'000'000;   // a longer one says little about now

std::uint32_t duty_of(std::uint8_t degrees) {
    const std::uint32_t asked = std::min(degrees, degrees_max);
    const std::uint32_t pulse_us =
        servo_us_min + (servo_us_max - servo_us_min) * asked / degrees_max;
    return pulse_us * duty_steps / servo_period_us;
}

std::string_view start_servo() {
    const ledc_timer_config_t timer{
        .speed_mode = LEDC_LOW_SPEED_MODE,
        .duty_resolution = LEDC_TIMER_16_BIT,
        .timer_num = LEDC_TIMER_0,
        .freq_hz = servo_hz,
        .clk_cfg = LEDC_AUTO_CLK,
        .deconfigure = false,
    };
    if (ledc_timer_config(&timer) != ESP_OK) return "no timer for the servo";
    ledc_channel_config_t channel{};
    channel.gpio_num = servo_pin;
    channel.speed_mode = LEDC_LOW_SPEED_MODE;
    channel.channel = LEDC_CHANNEL_0;
    channel.timer_sel = LEDC_TIMER_0;
    channel.duty = duty_of(0);
    return ledc_channel_config(&channel) == ESP_OK ? "" : "no channel for the servo";
}

bool start_pump() {
    constexpr auto pin = static_cast<gpio_num_t>(pump_pin);
    return gpio_reset_pin(pin) == ESP_OK && gpio_set_level(pin, 0) == ESP_OK &&
           gpio_set_direction(pin, GPIO_MODE_OUTPUT) == ESP_OK;
}

bool start_contact() {
    constexpr auto pin = static_cast<gpio_num_t>(exclusion_pin);
    if (exclusion_pin < 0) return true;
    return gpio_reset_pin(pin) == ESP_OK && gpio_set_pull_mode(pin, GPIO_PULLUP_ONLY) == ESP_OK &&
           gpio_set_direction(pin, GPIO_MODE_INPUT) == ESP_OK;
}

bool start_meter(pcnt_unit_handle_t& meter) {
    pcnt_unit_config_t unit{};
    unit.low_limit = -1;
    unit.high_limit = pulses_max;
    pcnt_chan_config_t edge{};
    edge.edge_gpio_num = flow_pin;
    edge.level_gpio_num = -1;
    pcnt_channel_handle_t channel = nullptr;
    const pcnt_glitch_filter_config_t filter{.max_glitch_ns = glitch_ns};
    return pcnt_new_unit(&unit, &meter) == ESP_OK &&
           pcnt_unit_set_glitch_filter(meter, &filter) == ESP_OK &&
           pcnt_new_channel(meter, &edge, &channel) == ESP_OK &&
           pcnt_channel_set_edge_action(
               channel, PCNT_CHANNEL_EDGE_ACTION_INCREASE, PCNT_CHANNEL_EDGE_ACTION_HOLD
           ) == ESP_OK &&
           pcnt_unit_enable(meter) == ESP_OK && pcnt_unit_clear_count(meter) == ESP_OK &&
           pcnt_unit_start(meter) == ESP_OK;
}

}  // namespace

std::string_view Outputs::start() {
    if (!start_pump()) return "no pin for the pump";
    if (!start_contact()) return "no pin for the exclusion's contact";
    if (const auto why = start_servo(); !why.empty()) return why;
    if (!start_meter(meter_)) return "no counter for the flow meter";
    counted_us_ = esp_timer_get_time();
    fine_ = true;
    return {};
}

void Outputs::set_valve_degrees(std::uint8_t degrees) {
    const bool done =
        ledc_set_duty(LEDC_LOW_SPEED_MODE, LEDC_CHANNEL_0, duty_of(degrees)) == ESP_OK &&
        ledc_update_duty(LEDC_LOW_SPEED_MODE, LEDC_CHANNEL_0) == ESP_OK;
    fine_ = fine_ && done;
}

void Outputs::set_backup_pump(bool on) {
    const bool done = gpio_set_level(static_cast<gpio_num_t>(pump_pin), on ? 1 : 0) == ESP_OK;
    fine_ = fine_ && done;
}

// An output that did not take an order has no effect that could be believed.
Result<float> Outputs::backup_flow_l_per_min() {
    if (!fine_) return std::unexpected{Fault::io};
    const std::int64_t now_us = esp_timer_get_time();
    const std::int64_t passed_us = now_us - counted_us_;
    if (passed_us < counting_us) return flow_l_per_min_;
    int pulses = 0;
    if (pcnt_unit_get_count(meter_, &pulses) != ESP_OK || pcnt_unit_clear_count(meter_) != ESP_OK)
        return std::unexpected{Fault::io};
    counted_us_ = now_us;
    if (passed_us > stale_us) return flow_l_per_min_ = 0.0F;
    const float minutes = static_cast<float>(passed_us) / 60e6F;
    flow_l_per_min_ = static_cast<float>(pulses) / flow_pulses_per_l / minutes;
    return flow_l_per_min_;
}

bool Outputs::excluded() {
    return exclusion_pin >= 0 && gpio_get_level(static_cast<gpio_num_t>(exclusion_pin)) != 0;
}

}  // namespace stator::esp32
