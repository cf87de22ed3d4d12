#include "app/config/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace stator::config {
namespace {

Config pump() {
    Config config;
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "pump-1";
    asset.title = "Pump 1";
    asset.device = "14333616";
    asset.device_class = "shaded-pole-motor";
    asset.mode = asset::Mode::act;
    asset.effect_flow_min = 8;
    config.assets.push_back(asset);
    return config;
}

TEST(Config, TheDefaultFileReadsBackAsItself) {
    const Config before = pump();
    Config after;
    const auto done = read_toml(after, default_toml(before, true), "stator.toml");
    ASSERT_TRUE(done.has_value()) << done.error().what;
    EXPECT_EQ(default_toml(after, true), default_toml(before, true));
    ASSERT_EQ(after.assets.size(), 1U);
    EXPECT_EQ(after.assets[0].mode, asset::Mode::act);
    EXPECT_EQ(after.assets[0].channels.size(), before.assets[0].channels.size());
}

TEST(Config, AnUnknownKeyIsNamedWithItsLineAndWhatThereIs) {
    Config config;
    const auto done = read_toml(config, "[ingest]\nmax_row = 3\n", "stator.toml");
    ASSERT_FALSE(done.has_value());
    EXPECT_NE(done.error().what.find("stator.toml:2"), std::string::npos);
    EXPECT_NE(done.error().what.find("ingest.max_row"), std::string::npos);
    EXPECT_NE(done.error().what.find("ingest.max_rows"), std::string::npos);
}

TEST(Config, AnUnknownKeyOfAnAssetIsAnError) {
    Config config;
    const auto done = read_toml(
        config,
        "[[asset]]\nid = \"a\"\nprofile = \"shaded-pole-motor\"\nmod = \"act\"\n",
        "stator.toml"
    );
    ASSERT_FALSE(done.has_value());
    EXPECT_NE(done.error().what.find("mod is an unknown key"), std::string::npos);
}

TEST(Config, AnAssetObservesUnlessItSaysAct) {
    Config config;
    ASSERT_TRUE(read_toml(config, "[[asset]]\nid = \"a\"\nprofile = \"shaded-pole-motor\"\n", "f")
                    .has_value());
    EXPECT_EQ(config.assets.at(0).mode, asset::Mode::observe);
}

constexpr std::string_view motor = "[[asset]]\nid = \"a\"\nprofile = \"shaded-pole-motor\"\n";

// What is wrong with an asset of the profile and these lines; empty when nothing is.
std::string wrong_with(const std::string& lines) {
    Config config;
    const auto done = read_toml(config, std::string{motor} + lines, "stator.toml");
    return done ? "" : done.error().what;
}

asset::Asset asset_with(const std::string& lines) {
    Config config;
    const auto done = read_toml(config, std::string{motor} + lines, "stator.toml");
    EXPECT_TRUE(done) << done.error().what;
    return config.assets.at(0);
}

TEST(Config, AChannelOfTheProfileIsCalibratedByItsName) {
    const asset::Asset profile = asset::shaded_pole_motor();
    const asset::Asset made = asset_with(
        "[[asset.channel]]\nname = \"vibration\"\nzero_counts = 2031.5\nunit_per_count = 0.0079\n"
        "plausible_max = 8\nstuck_after_s = 60\n"
    );
    ASSERT_EQ(made.channels.size(), profile.channels.size());
    EXPECT_EQ(asset::feature_set_hash(made), asset::feature_set_hash(profile));
    EXPECT_EQ(made.channels[2].calibration.zero_counts, 2031.5F);
    EXPECT_EQ(made.channels[2].calibration.unit_per_count, 0.0079F);
    EXPECT_EQ(made.channels[2].plausible_max, 8.0F);
    EXPECT_EQ(made.channels[2].stuck_after_s, 60U);
    EXPECT_EQ(made.channels[2].unit, profile.channels[2].unit);
    EXPECT_EQ(made.channels[2].sampling, asset::Sampling::waveform);
    EXPECT_EQ(
        made.channels[3].calibration.unit_per_count, profile.channels[3].calibration.unit_per_count
    );
}

TEST(Config, FurtherStatisticsOfAChannelBecomeFeaturesBehindTheProfiles) {
    const asset::Asset made = asset_with(
        "[[asset.channel]]\nname = \"current\"\nstatistics = [\"rms\", \"crest\", \"peak_hz\"]\n"
        "[[asset.channel]]\nname = \"pressure\"\nunit = \"bar\"\nstatistics = [\"peak\"]\n"
    );
    std::string names;
    for (std::size_t i = 12; i < made.features.size(); ++i)
        names += std::string{asset::feature_name(made, i).view()} + ' ';
    EXPECT_EQ(names, "current_crest current_peak_hz pressure pressure_peak ");
}

TEST(Config, AProfileIsChosenByItsName) {
    for (const auto& [name, made] :
         {std::pair{"condition-monitoring", asset::condition_monitoring()},
          std::pair{"reference", asset::reference()}}) {
        Config before;
        const std::string lines = fmt::format("[[asset]]\nid = \"a\"\nprofile = \"{}\"\n", name);
        ASSERT_TRUE(read_toml(before, lines, "f"));
        EXPECT_EQ(asset::feature_set_hash(before.assets.at(0)), asset::feature_set_hash(made));
        EXPECT_EQ(before.assets.at(0).channels[0].sampling, made.channels[0].sampling);
        const std::string toml = default_toml(before, false);
        EXPECT_NE(toml.find(fmt::format("profile = \"{}\"\n", name)), std::string::npos) << toml;
        Config after;
        ASSERT_TRUE(read_toml(after, toml, "f"));
        EXPECT_EQ(default_toml(after, false), toml);
    }
    Config config;
    const auto done = read_toml(config, "[[asset]]\nid = \"a\"\nprofile = \"pump\"\n", "f");
    ASSERT_FALSE(done);
    EXPECT_EQ(
        done.error().what,
        "f:3: asset: profile is not known; there are shaded-pole-motor, condition-monitoring, "
        "reference"
    );
}

TEST(Config, TheZonesLimitsAreAClasssOrOnesOwn) {
    EXPECT_EQ(asset_with("").zones, asset::ZoneLimits{});
    EXPECT_EQ(asset_with("vibration_class = \"II\"\n").zones.d_mm_per_s, 7.1F);
    const auto own = asset_with("vibration_class = \"III\"\nzone_b_mm_per_s = 1.5\n").zones;
    EXPECT_EQ(
        own, (asset::ZoneLimits{.b_mm_per_s = 1.5F, .c_mm_per_s = 4.5F, .d_mm_per_s = 11.2F})
    );
    EXPECT_EQ(
        wrong_with("vibration_class = \"V\"\n"),
        "stator.toml:4: asset a: vibration_class must be I, II, III or IV (ISO 10816-1)"
    );
    EXPECT_EQ(
        wrong_with("zone_c_mm_per_s = 0.5\n"),
        "stator.toml:4: asset a: zone_c_mm_per_s must be more than zone_b_mm_per_s"
    );
    EXPECT_NE(wrong_with("zone_d_mm_per_s = 1.8\n"), "");
    EXPECT_NE(wrong_with("zone_b_mm_per_s = -1\n"), "");
}

TEST(Config, TheRotorAndTheArithmeticAreKeysOfTheAsset) {
    const asset::Asset plain = asset_with("");
    EXPECT_EQ(plain.rotor.pole_pairs, 1U);
    EXPECT_EQ(plain.arithmetic, asset::Arithmetic::floating);
    const std::string lines = "pole_pairs = 2\nslip_max = 0.1\narithmetic = \"q15\"\n";
    const asset::Asset made = asset_with(lines);
    EXPECT_EQ(made.rotor.pole_pairs, 2U);
    EXPECT_EQ(made.rotor.slip_max, 0.1F);
    EXPECT_EQ(made.arithmetic, asset::Arithmetic::q15);
    Config before;
    before.assets.push_back(made);
    Config after;
    ASSERT_TRUE(read_toml(after, default_toml(before, false), "f"));
    EXPECT_EQ(after.assets.at(0).rotor.pole_pairs, 2U);
    EXPECT_EQ(after.assets.at(0).rotor.slip_max, 0.1F);
    EXPECT_EQ(after.assets.at(0).arithmetic, asset::Arithmetic::q15);
    EXPECT_EQ(
        wrong_with("pole_pairs = 2\nslip_max = 0.2\n"),
        "stator.toml:5: asset a: slip_max must be less than 0.200 with pole_pairs = 2"
    );
    EXPECT_EQ(
        wrong_with("arithmetic = \"int8\"\n"),
        "stator.toml:4: asset a: arithmetic must be float or q15"
    );
}

TEST(Config, AReferencesFrameHasAPeakAndNoBands) {
    const auto with = [](const std::string& statistic) {
        return wrong_with(
            "[[asset.channel]]\nname = \"flow\"\nsampling = \"reference\"\nstatistics = [\"" +
            statistic + "\"]\n"
        );
    };
    EXPECT_EQ(with("peak_hz"), "");
    EXPECT_EQ(
        with("band_low"),
        "stator.toml:7: channel flow: statistics has band_low, which needs a waveform"
    );
    EXPECT_NE(with("line_hz"), "");
}

TEST(Config, WhatIsWrongWithAChannelIsNamedWithFileAndLine) {
    const auto channel = [](const std::string& lines) {
        return wrong_with("[[asset.channel]]\nname = \"sound\"\n" + lines);
    };
    EXPECT_EQ(
        channel("zero_count = 5\n"), "stator.toml:6: channel sound: zero_count is an unknown key"
    );
    EXPECT_EQ(
        channel("zero_counts = \"5\"\n"),
        "stator.toml:6: channel sound: zero_counts must be a number from -1e+30 to 1e+30"
    );
    EXPECT_EQ(
        channel("[[asset.channel]]\nname = \"sound\"\n"),
        "stator.toml:7: channel sound: name is there a second time"
    );
    EXPECT_EQ(
        channel("sampling = \"slow\"\n"),
        "stator.toml:6: channel sound: sampling is waveform in the profile"
    );
    EXPECT_EQ(
        channel("counts_max = 70000\n"),
        "stator.toml:6: channel sound: counts_max must be a whole number from 1 to 65535"
    );
    EXPECT_EQ(
        channel("plausible_max = -1\n"),
        "stator.toml:6: channel sound: plausible_max must be more than plausible_min"
    );
    EXPECT_EQ(
        channel("statistics = [\"rms\", \"crust\"]\n"),
        "stator.toml:6: channel sound: statistics has \"crust\", which is none"
    );
    EXPECT_EQ(
        wrong_with("[[asset.channel]]\nname = \"temperature\"\nstatistics = [\"band_low\"]\n"),
        "stator.toml:6: channel temperature: statistics has band_low, which needs a waveform"
    );
    EXPECT_NE(
        wrong_with("[[asset.channel]]\nunit = \"A\"\n").find("name must be"), std::string::npos
    );
    EXPECT_NE(
        wrong_with("[[asset.channel]]\nname = \"sound_band_mid\"\n")
            .find("two features sound_band_mid"),
        std::string::npos
    );
}

TEST(Config, TheInterlocksLimitsAreKeysOfTheAssetAndHeldToWhatMakesSense) {
    const asset::Asset made = asset_with(
        "backup_min_on_ms = 3000\nbackup_min_off_ms = 60000\nbackup_starts_per_hour = 4\n"
        "backup_dead_man_ms = 0\nbackup_request_expiry_ms = 5000\neffect_timeout_ms = 9000\n"
    );
    const interlock::Rules want{
        .min_on_ms = 3'000,
        .min_off_ms = 60'000,
        .starts_per_hour = 4,
        .dead_man_ms = 0,
        .expiry_ms = 5'000
    };
    EXPECT_EQ(made.interlock, want);
    EXPECT_EQ(made.effect_timeout_ms, 9'000U);
    EXPECT_EQ(
        wrong_with("backup_starts_per_hour = 33\n"),
        "stator.toml:4: asset a: backup_starts_per_hour must be a whole number from 1 to 32"
    );
    EXPECT_EQ(
        wrong_with("backup_dead_man_ms = 500\n"),
        "stator.toml:4: asset a: backup_dead_man_ms must be 0 (none) or at least 1000"
    );
    EXPECT_EQ(
        wrong_with("backup_min_on_ms = 40000\n").substr(0, 57),
        "stator.toml:1: asset a: backup_dead_man_ms is less than b"
    );
    EXPECT_NE(wrong_with("backup_min_off_ms = -1\n"), "");
    EXPECT_NE(wrong_with("backup_request_expiry_ms = 1.5\n"), "");
    EXPECT_NE(wrong_with("severity_imminent = \"high\"\n"), "");
}

TEST(Config, AnAssetThatDiffersFromItsProfileReadsBackAsItself) {
    Config before = pump();
    asset::Asset& asset = before.assets[0];
    asset.interlock = {
        .min_on_ms = 1,
        .min_off_ms = 2,
        .starts_per_hour = 3,
        .dead_man_ms = 4'000,
        .expiry_ms = 500
    };
    asset.severity_imminent = 0.9F;
    asset.channels[2].calibration.offset = 0.25F;
    asset.channels[1].stuck_after_s = 0;
    ASSERT_TRUE(asset.features.push_back({.channel = 0, .statistic = asset::Statistic::crest}));
    asset::Channel flow;
    flow.name = "flow";
    flow.unit = "l/min";
    flow.calibration.unit_per_count = 0.01F;
    ASSERT_TRUE(asset.channels.push_back(flow));
    ASSERT_TRUE(asset.features.push_back({.channel = 4}));
    Config after;
    const std::string toml = default_toml(before, false);
    const auto done = read_toml(after, toml, "stator.toml");
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_EQ(default_toml(after, false), toml);
    const asset::Asset& read = after.assets.at(0);
    EXPECT_EQ(asset::feature_set_hash(read), asset::feature_set_hash(asset));
    EXPECT_EQ(read.interlock, asset.interlock);
    EXPECT_EQ(read.channels[2].calibration.offset, 0.25F);
    EXPECT_EQ(read.channels[1].stuck_after_s, 0U);
    EXPECT_EQ(read.channels[4].calibration.unit_per_count, 0.01F);
}

TEST(Config, BrokenTomlNamesTheLine) {
    Config config;
    const auto done = read_toml(config, "[ingest]\nmax_rows = = 3\n", "stator.toml");
    ASSERT_FALSE(done.has_value());
    EXPECT_NE(done.error().what.find("stator.toml:2"), std::string::npos);
}

TEST(Config, ANumberOutOfRangeIsRefused) {
    Config config;
    EXPECT_FALSE(read_toml(config, "[ports]\nmqtts = 70000\n", "f").has_value());
    EXPECT_FALSE(read_toml(config, "[ports]\nmqtts = -1\n", "f").has_value());
    EXPECT_EQ(config.ports.mqtts, 8883);
}

TEST(Config, TheEnvironmentOverridesInBothSpellings) {
    Config config;
    ASSERT_TRUE(read_environment(config, {{"STATOR_INGEST_MAX_ROWS", "7"}}).has_value());
    EXPECT_EQ(config.ingest_max_rows, 7U);
    ASSERT_TRUE(read_environment(config, {{"MAX_ROWS", "9"}, {"DATA-TOPIC", "t"}}).has_value());
    EXPECT_EQ(config.ingest_max_rows, 9U);
    EXPECT_EQ(config.topics.data, "t");
    ASSERT_TRUE(read_environment(config, {{"DATA_TOPIC", "u"}}).has_value());
    EXPECT_EQ(config.topics.data, "u");
    const auto wrong = read_environment(config, {{"MAX_ROWS", "many"}});
    ASSERT_FALSE(wrong.has_value());
    EXPECT_NE(wrong.error().what.find("MAX_ROWS"), std::string::npos);
}

TEST(Config, TheReferencesContainersOfLevel2AndItsSidecarAreUnderstood) {
    Config config;
    ASSERT_TRUE(read_environment(
                    config,
                    {{"STREAM_GRP_ID", "group-2"}, {"SIDECAR_PORT", "9899"}, {"TOPIC", "readings"}}
    )
                    .has_value());
    EXPECT_EQ(config.level2_group, "group-2");
    EXPECT_EQ(config.sidecar_group, "group-2");
    EXPECT_EQ(config.ports.level2_line, 9899);
    EXPECT_EQ(config.topics.data, "readings");
}

TEST(Config, WhatOneNameMeansIsEachComponentsOwn) {
    const Environment environment{
        {"PORT", "8080"}, {"MODEL_REGISTRY_URL", "https://host:30007/quantized"}
    };
    const auto read_as = [&](const char* component) {
        Config config;
        EXPECT_TRUE(read_environment(config, environment, component).has_value());
        return config;
    };
    EXPECT_EQ(read_as("registry models").ports.models, 8080);
    EXPECT_EQ(read_as("registry datasets").ports.datasets, 8080);
    EXPECT_EQ(read_as("registry devices").ports.devices, 8080);
    EXPECT_EQ(read_as("sidecar").ports.level2_line, 8080);
    EXPECT_EQ(read_as("registry models").ports.devices, 30006);
    EXPECT_EQ(ports_toml(read_as("registry").ports), ports_toml(Ports{}));
    EXPECT_EQ(ports_toml(read_as("").ports), ports_toml(Ports{}));
    EXPECT_EQ(read_as("level2").level2_models_url, "https://host:30007/quantized");
    EXPECT_EQ(read_as("learn").level2_models_url, "");
    EXPECT_EQ(read_as("learn").learn_full_upload_url, "https://host:30007/quantized");
}

TEST(Config, TheReferencesContainerOfTheBridgeIsUnderstood) {
    Config config;
    ASSERT_TRUE(read_environment(
                    config,
                    {{"MQTT-BROKER", "tcp://host:30005"},
                     {"MQTT_ID", "bridge-2"},
                     {"MQTT-TOPIC", "readings"},
                     {"KAFKA-TOPIC", "readings-in-kafka"},
                     {"KAFKA-BROKER", "host:32199"}}
    )
                    .has_value());
    EXPECT_EQ(config.bridge_mqtt_broker, "tcp://host:30005");
    EXPECT_EQ(config.bridge_mqtt_id, "bridge-2");
    EXPECT_EQ(config.topics.data, "readings");
    EXPECT_EQ(config.kafka.data_topic, "readings-in-kafka");
    EXPECT_EQ(config.kafka.bootstrap, "host:32199");
}

TEST(Config, WhatTheClassifierCannotBeToldIsRefusedByName) {
    const auto wrong = [](const std::string& line) {
        Config config;
        const auto done = read_toml(config, "[learn]\n" + line, "stator.toml");
        return done ? "" : done.error().what;
    };
    EXPECT_EQ(wrong("family = \"classifier\"\nepochs = 1\nbatch_size = 1\n"), "");
    EXPECT_EQ(
        wrong("family = \"forest\"\n"),
        "stator.toml:2: learn.family: 'forest' is not one of baseline, classifier"
    );
    EXPECT_EQ(wrong("epochs = 0\n"), "stator.toml:2: learn.epochs: must be at least 1");
    Config config;
    const auto done = read_environment(config, {{"BATCH_SIZE", "0"}});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().what, "environment: BATCH_SIZE: must be at least 1");
}

TEST(Config, PortsReadBack) {
    Ports ports;
    ports.mqtts = 45123;
    Config config;
    ASSERT_TRUE(read_toml(config, ports_toml(ports), "ports.toml").has_value());
    EXPECT_EQ(config.ports.mqtts, 45123);
}

}  // namespace
}  // namespace stator::config
