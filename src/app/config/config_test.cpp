#include "app/config/config.h"

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

TEST(Config, PortsReadBack) {
    Ports ports;
    ports.mqtts = 45123;
    Config config;
    ASSERT_TRUE(read_toml(config, ports_toml(ports), "ports.toml").has_value());
    EXPECT_EQ(config.ports.mqtts, 45123);
}

}  // namespace
}  // namespace stator::config
