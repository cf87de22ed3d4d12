#include "shared/asset/asset.h"

#include "shared/base/crc32c.h"

#include <array>
#include <cassert>

namespace stator::asset {

std::string_view name_of(Sampling sampling) {
    switch (sampling) {
        case Sampling::slow:
            return "slow";
        case Sampling::waveform:
            return "waveform";
        case Sampling::reference:
            return "reference";
    }
    return "unknown";
}

std::string_view name_of(Statistic statistic) {
    switch (statistic) {
        case Statistic::mean:
            return "mean";
        case Statistic::rms:
            return "rms";
        case Statistic::peak:
            return "peak";
        case Statistic::crest:
            return "crest";
        case Statistic::kurtosis:
            return "kurtosis";
        case Statistic::peak_hz:
            return "peak_hz";
        case Statistic::band_low:
            return "band_low";
        case Statistic::band_mid:
            return "band_mid";
        case Statistic::band_high:
            return "band_high";
        case Statistic::velocity_rms:
            return "velocity_rms";
        case Statistic::line_hz:
            return "line_hz";
        case Statistic::line_rms:
            return "line_rms";
        case Statistic::rotation_sideband_db:
            return "rotation_sideband_db";
        case Statistic::slip_sideband_db:
            return "slip_sideband_db";
    }
    return "unknown";
}

base::FixedString<2 * name_bytes_max> feature_name(const Asset& asset, std::size_t feature) {
    const Feature& it = asset.features[feature];
    const Channel& channel = asset.channels[it.channel];
    base::FixedString<2 * name_bytes_max> name{channel.name.view()};
    if (it.statistic == primary_of(channel.sampling)) return name;
    const bool fits = name.append("_") && name.append(name_of(it.statistic));
    assert(fits);
    static_cast<void>(fits);
    return name;
}

std::string_view unit_of(const Asset& asset, std::size_t feature) {
    const Feature& it = asset.features[feature];
    switch (it.statistic) {
        case Statistic::crest:
        case Statistic::kurtosis:
            return {};
        case Statistic::peak_hz:
        case Statistic::line_hz:
            return "Hz";
        case Statistic::velocity_rms:
            return "mm/s";
        case Statistic::rotation_sideband_db:
        case Statistic::slip_sideband_db:
            return "dB";
        default:
            return asset.channels[it.channel].unit.view();
    }
}

bool needs_long_window(const Asset& asset, std::size_t channel) {
    for (const Feature& feature : asset.features)
        if (feature.channel == channel && needs_long_window(feature.statistic)) return true;
    return false;
}

std::uint32_t feature_set_hash(const Asset& asset) {
    std::uint32_t hash = 0;
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        auto line = feature_name(asset, i);
        base::FixedString<2 * name_bytes_max + 1> text{line.view()};
        const bool fits = text.append("\n");
        assert(fits);
        static_cast<void>(fits);
        hash = base::crc32c(std::as_bytes(std::span{text.view()}), hash);
    }
    return hash;
}

namespace {

constexpr float adc_volt = 3.3F;
constexpr float adc_steps = 4096.0F;
constexpr float volt_per_count = adc_volt / adc_steps;
constexpr float mid_rail_counts = 2048.0F;

Channel waveform(std::string_view name, std::string_view unit, float unit_per_volt, float limit) {
    Channel channel;
    channel.name = name;
    channel.unit = unit;
    channel.sampling = Sampling::waveform;
    channel.calibration = {
        .zero_counts = mid_rail_counts, .unit_per_count = unit_per_volt * volt_per_count
    };
    channel.plausible_min = 0.0F;
    channel.plausible_max = limit;
    return channel;
}

}  // namespace

Asset shaded_pole_motor() {
    Asset asset;
    asset.device_class = "shaded-pole-motor";
    // SCT-013: 2200 turns into a 25.78 ohm burden, biased to mid-rail by two 10 kohm resistors. Of
    // the reference's 0..100 A a shaded-pole motor draws about one: the primary passes the clamp 20
    // times, which multiplies what the burden sees.
    constexpr float turns = 2200.0F;
    constexpr float burden_ohm = 25.78F;
    constexpr float primary_passes = 20.0F;
    bool fits = asset.channels.push_back(
        waveform("current", "A", turns / (burden_ohm * primary_passes), 7.0F)
    );
    // A linear sensor of 10 mV/K with 500 mV at 0 degC (TMP36), on the frame.
    Channel temperature;
    temperature.name = "temperature";
    temperature.unit = "degC";
    temperature.calibration = {
        .zero_counts = 0.5F / volt_per_count, .unit_per_count = 100.0F * volt_per_count
    };
    temperature.plausible_min = -40.0F;
    temperature.plausible_max = 150.0F;
    fits = asset.channels.push_back(temperature) && fits;
    // Ceramic piezo behind a charge amplifier of 100 mV/g; MAX4465 at 250 mV/Pa.
    fits = asset.channels.push_back(waveform("vibration", "g", 10.0F, 16.0F)) && fits;
    fits = asset.channels.push_back(waveform("sound", "Pa", 4.0F, 6.5F)) && fits;

    constexpr std::array<Feature, 12> features{{
        {0, Statistic::rms},
        {1, Statistic::mean},
        {2, Statistic::rms},
        {3, Statistic::rms},
        {2, Statistic::crest},
        {2, Statistic::kurtosis},
        {2, Statistic::band_low},
        {2, Statistic::band_mid},
        {2, Statistic::band_high},
        {2, Statistic::velocity_rms},
        {3, Statistic::band_mid},
        {3, Statistic::band_high},
    }};
    for (const Feature& feature : features)
        fits = asset.features.push_back(feature) && fits;
    assert(fits);
    static_cast<void>(fits);
    asset.effect_flow_min = 6.0F;
    return asset;
}

Asset condition_monitoring() {
    Asset asset = shaded_pole_motor();
    bool fits = true;
    for (const Statistic statistic :
         {Statistic::line_hz,
          Statistic::line_rms,
          Statistic::rotation_sideband_db,
          Statistic::slip_sideband_db})
        fits = asset.features.push_back({.channel = 0, .statistic = statistic}) && fits;
    assert(fits);
    static_cast<void>(fits);
    return asset;
}

Asset reference() {
    Asset asset = shaded_pole_motor();
    asset.features = {};
    bool fits = true;
    for (std::uint8_t i = 0; i < asset.channels.size(); ++i) {
        Channel& channel = asset.channels[i];
        if (channel.sampling == Sampling::waveform) channel.sampling = Sampling::reference;
        fits =
            asset.features.push_back({.channel = i, .statistic = primary_of(channel.sampling)}) &&
            fits;
    }
    for (std::uint8_t i = 0; i < asset.channels.size(); ++i)
        if (asset.channels[i].sampling == Sampling::reference)
            fits =
                asset.features.push_back({.channel = i, .statistic = Statistic::peak_hz}) && fits;
    assert(fits);
    static_cast<void>(fits);
    return asset;
}

}  // namespace stator::asset
