#include "app/config/assets.h"

#include "app/config/members.h"
#include "shared/wire/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace stator::config {
namespace {

using asset::Sampling;
using asset::Statistic;

struct Profile {
    std::string_view name;
    asset::Asset (*make)();
};

// One that begins like another stands behind it.
constexpr std::array<Profile, 3> profiles{{
    {"shaded-pole-motor", asset::shaded_pole_motor},
    {"condition-monitoring", asset::condition_monitoring},
    {"reference", asset::reference},
}};

std::optional<Sampling> sampling_named(std::string_view name) {
    for (const Sampling it : {Sampling::slow, Sampling::waveform, Sampling::reference})
        if (asset::name_of(it) == name) return it;
    return std::nullopt;
}

std::optional<Statistic> statistic_named(std::string_view name) {
    for (int i = 0;; ++i) {
        const auto statistic = static_cast<Statistic>(i);
        const std::string_view its = asset::name_of(statistic);
        if (its == name) return statistic;
        if (its == "unknown") return std::nullopt;
    }
}

bool has(const asset::Asset& asset, const asset::Feature& feature) {
    return std::ranges::any_of(asset.features, [&](const asset::Feature& it) {
        return it.channel == feature.channel && it.statistic == feature.statistic;
    });
}

void read_interlock(Members& members, interlock::Rules& rules) {
    using namespace interlock;
    constexpr auto starts = static_cast<std::uint32_t>(starts_per_hour_max);
    members.whole("backup_min_on_ms", rules.min_on_ms, 0U, min_on_ms_max);
    members.whole("backup_min_off_ms", rules.min_off_ms, 0U, min_off_ms_max);
    members.whole("backup_starts_per_hour", rules.starts_per_hour, 1U, starts);
    members.whole("backup_dead_man_ms", rules.dead_man_ms, 0U, dead_man_ms_max);
    members.whole("backup_request_expiry_ms", rules.expiry_ms, expiry_ms_min, expiry_ms_max);
    if (rules.dead_man_ms == 0) return;
    if (rules.dead_man_ms < dead_man_ms_min)
        members.wrong(
            "backup_dead_man_ms", fmt::format("must be 0 (none) or at least {}", dead_man_ms_min)
        );
    if (rules.dead_man_ms < rules.min_on_ms)
        members.wrong("backup_dead_man_ms", "is less than backup_min_on_ms");
}

// Of the velocity RMS, mm/s: ISO 10816-1:1995, table B.1.
struct VibrationClass {
    std::string_view name;
    asset::ZoneLimits limits;
};

constexpr std::array<VibrationClass, 4> vibration_classes{{
    {"I", {.b_mm_per_s = 0.71F, .c_mm_per_s = 1.8F, .d_mm_per_s = 4.5F}},
    {"II", {.b_mm_per_s = 1.12F, .c_mm_per_s = 2.8F, .d_mm_per_s = 7.1F}},
    {"III", {.b_mm_per_s = 1.8F, .c_mm_per_s = 4.5F, .d_mm_per_s = 11.2F}},
    {"IV", {.b_mm_per_s = 2.8F, .c_mm_per_s = 7.1F, .d_mm_per_s = 18.0F}},
}};

void read_zones(Members& members, asset::ZoneLimits& zones) {
    std::string name;
    members.text("vibration_class", name);
    const auto known = std::ranges::find(vibration_classes, name, &VibrationClass::name);
    if (known != vibration_classes.end())
        zones = known->limits;
    else if (!name.empty())
        members.wrong("vibration_class", "must be I, II, III or IV (ISO 10816-1)");
    constexpr float most = 1'000.0F;
    members.number("zone_b_mm_per_s", zones.b_mm_per_s, 0.0F, most);
    members.number("zone_c_mm_per_s", zones.c_mm_per_s, 0.0F, most);
    members.number("zone_d_mm_per_s", zones.d_mm_per_s, 0.0F, most);
    if (zones.c_mm_per_s <= zones.b_mm_per_s)
        members.wrong("zone_c_mm_per_s", "must be more than zone_b_mm_per_s");
    if (zones.d_mm_per_s <= zones.c_mm_per_s)
        members.wrong("zone_d_mm_per_s", "must be more than zone_c_mm_per_s");
}

void read_rotor(Members& members, asset::Rotor& rotor) {
    members.whole("pole_pairs", rotor.pole_pairs, std::uint8_t{1}, std::uint8_t{12});
    members.number("slip_max", rotor.slip_max, 0.01F, 0.3F);
    // Or the sidebands of the slip could lie where those of the rotation are looked for.
    const float most = 1.0F / (2.0F * static_cast<float>(rotor.pole_pairs) + 1.0F);
    if (rotor.slip_max >= most)
        members.wrong(
            "slip_max",
            fmt::format("must be less than {:.3f} with pole_pairs = {}", most, rotor.pole_pairs)
        );
}

void read_arithmetic(Members& members, asset::Arithmetic& arithmetic) {
    std::string name = "float";
    members.text("arithmetic", name);
    if (name != "float" && name != "q15") members.wrong("arithmetic", "must be float or q15");
    arithmetic = name == "q15" ? asset::Arithmetic::q15 : asset::Arithmetic::floating;
}

class ChannelReader {
  public:
    ChannelReader(const toml::table& table, const std::string& file, asset::Asset& asset)
        : members_{table, file, "asset.channel"}, asset_{asset} {}

    Outcome<void> read(std::vector<std::string>& named) {
        asset::Name name;
        members_.text("name", name);
        // It becomes a member of JSON and a column of CSV.
        if (!wire::valid_id(name.view()))
            members_.wrong("name", "must be 1 to 32 of A-Z a-z 0-9 . _ -");
        members_.rename(fmt::format("channel {}", name.view()));
        if (std::ranges::find(named, name.view()) != named.end())
            members_.wrong("name", "is there a second time");
        named.emplace_back(name.view());
        std::size_t index = 0;
        while (index < asset_.channels.size() && !(asset_.channels[index].name == name))
            ++index;
        const bool is_new = index == asset_.channels.size();
        asset::Channel channel;
        if (!is_new) channel = asset_.channels[index];
        channel.name = name;
        read_sampling(channel, is_new);
        read_calibration(channel);
        if (!is_new)
            asset_.channels[index] = channel;
        else if (!asset_.channels.push_back(channel))
            members_.wrong(
                "name", fmt::format("is one too many: {} channels", asset::channels_max)
            );
        if (members_.fine()) read_statistics(static_cast<std::uint8_t>(index));
        return members_.finish();
    }

  private:
    void read_sampling(asset::Channel& channel, bool is_new) {
        const std::string was{asset::name_of(channel.sampling)};
        std::string name = was;
        members_.text("sampling", name);
        const auto sampling = sampling_named(name);
        if (!sampling) return members_.wrong("sampling", "must be slow, waveform or reference");
        if (!is_new && name != was) members_.wrong("sampling", "is " + was + " in the profile");
        channel.sampling = *sampling;
    }

    void read_calibration(asset::Channel& channel) {
        members_.text("unit", channel.unit);
        members_.number("zero_counts", channel.calibration.zero_counts);
        members_.number("unit_per_count", channel.calibration.unit_per_count);
        if (channel.calibration.unit_per_count == 0.0F)
            members_.wrong("unit_per_count", "must not be 0");
        members_.number("offset", channel.calibration.offset);
        members_.whole("counts_max", channel.counts_max, std::uint16_t{1});
        members_.number("plausible_min", channel.plausible_min);
        members_.number("plausible_max", channel.plausible_max);
        if (channel.plausible_min >= channel.plausible_max)
            members_.wrong("plausible_max", "must be more than plausible_min");
        members_.whole("stuck_after_s", channel.stuck_after_s);
    }

    void add(const asset::Feature& feature, const char* key) {
        if (has(asset_, feature)) return;
        if (!asset_.features.push_back(feature))
            members_.wrong(
                key, fmt::format("makes one feature too many: {} are held", asset::features_max)
            );
    }

    void read_statistics(std::uint8_t index) {
        const Sampling sampling = asset_.channels[index].sampling;
        add({.channel = index, .statistic = asset::primary_of(sampling)}, "name");
        const toml::node* node = members_.find("statistics");
        if (node == nullptr) return;
        const toml::array* list = node->as_array();
        if (list == nullptr) return members_.wrong("statistics", "must be a list of texts");
        for (const toml::node& item : *list) {
            const std::string name = item.value_or(std::string{});
            const auto statistic = statistic_named(name);
            if (!statistic)
                return members_.wrong("statistics", "has \"" + name + "\", which is none");
            if (!asset::offers(sampling, *statistic))
                return members_.wrong("statistics", "has " + name + ", which needs a waveform");
            add({.channel = index, .statistic = *statistic}, "statistics");
        }
    }

    Members members_;
    asset::Asset& asset_;
};

Outcome<void> read_channels(Members& members, asset::Asset& asset, const std::string& file) {
    const toml::node* node = members.find("channel");
    if (node == nullptr) return {};
    const toml::array* list = node->as_array();
    if (list == nullptr) {
        members.wrong("channel", "must be a table: write [[asset.channel]]");
        return {};
    }
    std::vector<std::string> named;
    for (const toml::node& item : *list) {
        const toml::table* table = item.as_table();
        if (table == nullptr) {
            members.wrong("channel", "must be a table: write [[asset.channel]]");
            return {};
        }
        if (auto done = ChannelReader{*table, file, asset}.read(named); !done) return done;
    }
    // "vibration_crest" may be a channel's primary feature, and another channel's crest.
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (asset::feature_name(asset, i) == asset::feature_name(asset, j))
                members.wrong(
                    "channel",
                    fmt::format("makes two features {}", asset::feature_name(asset, i).view())
                );
    return {};
}

// Channels and features of the profile, in their order, before any others.
bool begins_like(const asset::Asset& asset, const asset::Asset& profile) {
    if (asset.channels.size() < profile.channels.size() ||
        asset.features.size() < profile.features.size())
        return false;
    for (std::size_t i = 0; i < profile.channels.size(); ++i)
        if (!(asset.channels[i].name == profile.channels[i].name) ||
            asset.channels[i].sampling != profile.channels[i].sampling)
            return false;
    for (std::size_t i = 0; i < profile.features.size(); ++i)
        if (asset.features[i].channel != profile.features[i].channel ||
            asset.features[i].statistic != profile.features[i].statistic)
            return false;
    return true;
}

// The longest it begins like; null when it is none's.
const Profile* profile_of(const asset::Asset& asset) {
    const Profile* best = nullptr;
    for (const Profile& profile : profiles)
        if (begins_like(asset, profile.make())) best = &profile;
    return best;
}

// What differs from what it would be without a word.
std::string channel_toml(
    const asset::Asset& asset, std::size_t index, const asset::Channel& base, std::size_t known
) {
    const asset::Channel& it = asset.channels[index];
    std::string text;
    const auto say = [&text](const char* key, const auto& value, const auto& usual) {
        if (value != usual) text += fmt::format("{} = {}\n", key, value);
    };
    if (!(it.unit == base.unit)) text += fmt::format("unit = \"{}\"\n", it.unit.view());
    if (it.sampling != base.sampling)
        text += fmt::format("sampling = \"{}\"\n", asset::name_of(it.sampling));
    say("zero_counts", it.calibration.zero_counts, base.calibration.zero_counts);
    say("unit_per_count", it.calibration.unit_per_count, base.calibration.unit_per_count);
    say("offset", it.calibration.offset, base.calibration.offset);
    say("counts_max", it.counts_max, base.counts_max);
    say("plausible_min", it.plausible_min, base.plausible_min);
    say("plausible_max", it.plausible_max, base.plausible_max);
    say("stuck_after_s", it.stuck_after_s, base.stuck_after_s);
    std::string statistics;
    for (std::size_t i = known; i < asset.features.size(); ++i) {
        const asset::Feature& feature = asset.features[i];
        if (feature.channel != index || feature.statistic == asset::primary_of(it.sampling))
            continue;
        statistics += fmt::format(
            "{}\"{}\"", statistics.empty() ? "" : ", ", asset::name_of(feature.statistic)
        );
    }
    if (!statistics.empty()) text += fmt::format("statistics = [{}]\n", statistics);
    return text;
}

}  // namespace

Outcome<asset::Asset> read_asset(const toml::table& table, const std::string& file) {
    Members members{table, file, "asset"};
    asset::Asset made;
    std::string profile;
    members.text("profile", profile);
    const auto known = std::ranges::find(profiles, profile, &Profile::name);
    if (known != profiles.end())
        made = known->make();
    else if (!profile.empty())
        members.wrong(
            "profile", "is not known; there are shaded-pole-motor, condition-monitoring, reference"
        );
    members.text("id", made.id);
    if (made.id.empty()) members.wrong("id", "is missing");
    members.rename(fmt::format("asset {}", made.id.view()));
    members.text("title", made.title);
    members.text("device", made.device);
    members.text("class", made.device_class);
    std::string mode = "observe";
    members.text("mode", mode);
    if (mode != "act" && mode != "observe") members.wrong("mode", "must be observe or act");
    made.mode = mode == "act" ? asset::Mode::act : asset::Mode::observe;
    members.number("effect_flow_min_l_per_min", made.effect_flow_min, 0.0F);
    members.whole("effect_timeout_ms", made.effect_timeout_ms, 100U, 3'600'000U);
    members.number("severity_potential", made.severity_potential, 0.0F, 1.0F);
    members.number("severity_imminent", made.severity_imminent, 0.0F, 1.0F);
    read_interlock(members, made.interlock);
    read_zones(members, made.zones);
    read_rotor(members, made.rotor);
    read_arithmetic(members, made.arithmetic);
    if (auto done = read_channels(members, made, file); !done) return std::unexpected(done.error());
    if (auto done = members.finish(); !done) return std::unexpected(done.error());
    return made;
}

std::string asset_toml(const asset::Asset& asset) {
    const Profile* const its = profile_of(asset);
    const bool known = its != nullptr;
    const asset::Asset profile = known ? its->make() : asset::Asset{};
    const interlock::Rules& rules = asset.interlock;
    std::string text = fmt::format(
        "\n[[asset]]\nid = \"{}\"\ntitle = \"{}\"\ndevice = \"{}\"\nclass = \"{}\"\n{}"
        "mode = \"{}\"  # observe: never actuates; act: may open the valve and start the pump\n"
        "effect_flow_min_l_per_min = {}\n"
        "effect_timeout_ms = {}  # by then the flow must have been measured\n"
        "severity_potential = {}\nseverity_imminent = {}\n"
        "backup_min_on_ms = {}\nbackup_min_off_ms = {}\nbackup_starts_per_hour = {}\n"
        "backup_dead_man_ms = {}  # without being asked for again; 0: none\n"
        "backup_request_expiry_ms = {}  # an older request starts nothing\n"
        "zone_b_mm_per_s = {}  # velocity RMS from which on the vibration is in ISO 20816's zone "
        "B\n"
        "zone_c_mm_per_s = {}\nzone_d_mm_per_s = {}\n",
        asset.id.view(),
        asset.title.view(),
        asset.device.view(),
        asset.device_class.view(),
        known ? fmt::format("profile = \"{}\"\n", its->name) : "",
        asset.mode == asset::Mode::act ? "act" : "observe",
        asset.effect_flow_min,
        asset.effect_timeout_ms,
        asset.severity_potential,
        asset.severity_imminent,
        rules.min_on_ms,
        rules.min_off_ms,
        rules.starts_per_hour,
        rules.dead_man_ms,
        rules.expiry_ms,
        asset.zones.b_mm_per_s,
        asset.zones.c_mm_per_s,
        asset.zones.d_mm_per_s
    );
    if (asset.rotor.pole_pairs != profile.rotor.pole_pairs)
        text += fmt::format("pole_pairs = {}\n", asset.rotor.pole_pairs);
    if (asset.rotor.slip_max != profile.rotor.slip_max)
        text += fmt::format("slip_max = {}\n", asset.rotor.slip_max);
    if (asset.arithmetic == asset::Arithmetic::q15) text += "arithmetic = \"q15\"\n";
    for (std::size_t i = 0; i < asset.channels.size(); ++i) {
        const bool of_profile = known && i < profile.channels.size();
        const std::string lines = channel_toml(
            asset,
            i,
            of_profile ? profile.channels[i] : asset::Channel{},
            known ? profile.features.size() : 0
        );
        if (of_profile && lines.empty()) continue;
        text += fmt::format("[[asset.channel]]\nname = \"{}\"\n", asset.channels[i].name.view());
        text += lines;
    }
    return text;
}

}  // namespace stator::config
