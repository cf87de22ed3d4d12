#include "shared/suspect/suspect.h"

#include <array>
#include <optional>

namespace stator::suspect {

namespace {

using asset::Statistic;

enum class Way : std::uint8_t {
    up,
    down,
    not_up,  // these three keep kinds apart: they are no evidence
    steady,
    behind,  // not half as far up as the rule's first sign
};

struct Sign {
    std::string_view channel;  // empty: no further sign
    Statistic statistic = Statistic::mean;
    Way way = Way::up;
};

struct Rule {
    Suspicion suspicion;
    std::string_view name;
    std::array<Sign, 4> signs;
};

constexpr std::array<Rule, 5> rules{{
    // Rolling over a damaged place strikes the housing, which rings high up. Noise of the water
    // makes
    // vibration less of a sine too, so its kurtosis rises, but that is as loud in the air.
    {Suspicion::bearing_wear,
     "bearing-wear",
     {{{"vibration", Statistic::band_high, Way::up},
       {"vibration", Statistic::kurtosis, Way::up},
       {"sound", Statistic::band_high, Way::behind},
       {"current", Statistic::rms, Way::steady}}}},
    // A rotor out of balance shakes at its own frequency: a sine, so nothing strikes.
    {Suspicion::imbalance,
     "imbalance",
     {{{"vibration", Statistic::velocity_rms, Way::up},
       {"vibration", Statistic::band_low, Way::up},
       {"vibration", Statistic::kurtosis, Way::not_up},
       {"current", Statistic::rms, Way::steady}}}},
    // More torque takes more current, and its losses are heat.
    {Suspicion::overload,
     "overload",
     {{{"current", Statistic::rms, Way::up}, {"temperature", Statistic::mean, Way::up}}}},
    // A pump that moves no water works less, and churns: the noise of cavitation is broad.
    {Suspicion::blocked_flow,
     "blocked-flow",
     {{{"current", Statistic::rms, Way::down}, {"sound", Statistic::band_high, Way::up}}}},
    {Suspicion::blocked_flow_metered, "blocked-flow", {{{"flow", Statistic::mean, Way::down}}}},
}};

std::optional<float> find(
    const asset::Asset& asset, std::span<const float> deviation_sd, const Sign& sign
) {
    for (std::size_t i = 0; i < asset.features.size() && i < deviation_sd.size(); ++i) {
        const asset::Feature& feature = asset.features[i];
        if (feature.statistic == sign.statistic &&
            asset.channels[feature.channel].name == sign.channel)
            return deviation_sd[i];
    }
    return std::nullopt;
}

bool shows(Way way, float deviation_sd, float first_sd) {
    switch (way) {
        case Way::up:
            return deviation_sd >= moved_sd;
        case Way::down:
            return deviation_sd <= -moved_sd;
        case Way::not_up:
            return deviation_sd < moved_sd;
        case Way::steady:
            return deviation_sd < moved_sd && deviation_sd > -moved_sd;
        case Way::behind:
            return deviation_sd < first_sd / 2;
    }
    return false;
}

bool holds(const Rule& rule, const asset::Asset& asset, std::span<const float> deviation_sd) {
    const float first_sd = find(asset, deviation_sd, rule.signs[0]).value_or(0.0F);
    for (const Sign& sign : rule.signs) {
        if (sign.channel.empty()) continue;
        const auto deviation = find(asset, deviation_sd, sign);
        if (!deviation || !shows(sign.way, *deviation, first_sd)) return false;
    }
    return true;
}

const Rule* rule_of(Suspicion suspicion) {
    for (const Rule& rule : rules)
        if (rule.suspicion == suspicion) return &rule;
    return nullptr;
}

}  // namespace

Suspicion suspect(const asset::Asset& asset, std::span<const float> deviation_sd) {
    const Rule* found = nullptr;
    for (const Rule& rule : rules) {
        if (!holds(rule, asset, deviation_sd)) continue;
        if (found != nullptr && found->name != rule.name) return Suspicion::unclear;
        found = &rule;
    }
    return found == nullptr ? Suspicion::unclear : found->suspicion;
}

std::string_view name_of(Suspicion suspicion) {
    if (suspicion == Suspicion::none) return {};
    const Rule* rule = rule_of(suspicion);
    return rule == nullptr ? "unclear" : rule->name;
}

base::FixedString<160> evidence_of(Suspicion suspicion) {
    base::FixedString<160> text;
    const Rule* rule = rule_of(suspicion);
    if (rule == nullptr) return text;
    for (const Sign& sign : rule->signs) {
        const bool counts = sign.way == Way::up || sign.way == Way::down;
        if (sign.channel.empty() || !counts) continue;
        const bool primary = sign.statistic == Statistic::rms || sign.statistic == Statistic::mean;
        // The longest of the table is far below the limit: a test holds it so.
        static_cast<void>(
            text.append(text.empty() ? "" : ", ") && text.append(sign.channel) &&
            (primary || (text.append("_") && text.append(asset::name_of(sign.statistic)))) &&
            text.append(sign.way == Way::up ? " up" : " down")
        );
    }
    return text;
}

}  // namespace stator::suspect
