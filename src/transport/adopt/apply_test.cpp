#include "transport/adopt/apply.h"

#include "shared/wire/messages.h"

#include <gtest/gtest.h>

#include <random>

namespace stator::adopt {
namespace {

constexpr std::string_view plant = R"([broker.b]
url = "mqtt://h"
[[source]]
broker = "b"
topic = "plant/{line}/{pump}/state"
device = "{line}-{pump}"
time = "$.ts"
time_unit = "iso8601"
seq = "$.n"
  [[source.channel]]
  name = "temperature"
  path = "$.motor['temp f']"
  unit = "degF"
  [[source.channel]]
  name = "vibration"
  path = "$.acc[1].rms"
  unit = "m/s2"
  [[source.channel]]
  name = "current"
  path = "$.i"
  unit = "mA"
)";

constexpr std::string_view payload =
    R"({"ts":"2026-11-23T06:40:00.250+01:00","n":17,"motor":{"temp f":"212"},)"
    R"("acc":[{"rms":0},{"rms":19.6133}],"i":610,"other":null})";

Source source_of(std::string_view toml) {
    auto map = read_map(toml, "map.toml", {});
    EXPECT_TRUE(map) << map.error().what;
    return std::move(map->sources.front());
}

Arrived arrived(std::string_view text, std::string_view topic = "plant/l1/p7/state") {
    return {.topic = topic, .key = {}, .payload = text, .receive_unix_ms = 1'700'000'000'123};
}

TEST(Apply, AForeignMessageBecomesAReadingInOurUnits) {
    const auto reading = apply(source_of(plant), arrived(payload));
    ASSERT_TRUE(reading) << reading.error().what;
    EXPECT_EQ(reading->device, "l1-p7");
    EXPECT_EQ(reading->time_unix_ms, 1'795'412'400'250);
    EXPECT_EQ(reading->seq, 17U);
    ASSERT_EQ(reading->channels.size(), 3U);
    EXPECT_FLOAT_EQ(reading->channels[0].second, 100.0F);
    EXPECT_FLOAT_EQ(reading->channels[1].second, 2.0F);
    EXPECT_FLOAT_EQ(reading->channels[2].second, 0.61F);
}

TEST(Apply, TheRenderedReadingIsTelemetryOfTheContract) {
    const auto reading = apply(source_of(plant), arrived(payload));
    ASSERT_TRUE(reading);
    const std::string text = render(*reading, {.boot = 3, .seq = 9}, "b/17/0011223344556677");
    const auto telemetry = wire::decode_telemetry(text);
    ASSERT_TRUE(telemetry) << text;
    EXPECT_EQ(telemetry->device.view(), "l1-p7");
    EXPECT_EQ(telemetry->boot, 3U);
    EXPECT_EQ(telemetry->seq, 9U);
    EXPECT_EQ(telemetry->time_unix_ms, 1'795'412'400'250);
    EXPECT_FLOAT_EQ(wire::find(telemetry->channels, "vibration").value_or(0), 2.0F);
    EXPECT_EQ(telemetry->channels.size(), 3U);
}

TEST(Apply, AMissingFieldLeavesItsChannelOutAndNoFieldIsAnError) {
    const Source source = source_of(plant);
    const auto some = apply(source, arrived(R"({"ts":"2026-11-23T06:40:00Z","n":1,"i":"x"})"));
    ASSERT_FALSE(some);
    EXPECT_NE(some.error().what.find("none of the map's channels"), std::string::npos);
    const auto one = apply(source, arrived(R"({"ts":"2026-11-23T06:40:00Z","n":1,"i":5})"));
    ASSERT_TRUE(one);
    EXPECT_EQ(one->channels.size(), 1U);
}

TEST(Apply, WhatCannotBeMeantIsAnErrorThatNamesTheField) {
    const Source source = source_of(plant);
    const auto refused = [&](std::string_view text, std::string_view topic, std::string_view says) {
        const auto reading = apply(source, arrived(text, topic));
        ASSERT_FALSE(reading) << text;
        EXPECT_NE(reading.error().what.find(says), std::string::npos) << reading.error().what;
    };
    refused("{", "plant/l/p/state", "not JSON");
    refused("\xff", "plant/l/p/state", "not JSON");
    refused(R"({"ts":5,"n":1,"i":5})", "plant/l/p/state", "$.ts is not a time");
    refused(R"({"ts":"2026-13-01T00:00:00Z","n":1,"i":5})", "plant/l/p/state", "$.ts");
    refused(R"({"ts":"2026-11-23T06:40:00Z","n":-1,"i":5})", "plant/l/p/state", "$.n is not");
    refused(R"({"ts":"2026-11-23T06:40:00Z","n":1.5,"i":5})", "plant/l/p/state", "$.n is not");
    refused(payload, "plant/l 1/p/state", "its device \"l 1-p\"");
    refused(payload, "plant/l/p/other", "another topic");
}

TEST(Apply, AnInferenceSaysByTheMapsThresholdWhetherItIsAnAlarm) {
    const Source source = source_of(R"([broker.b]
url = "kafka://h:1"
[[source]]
broker = "b"
topic = "scores"
device = "{key}"
inference = "$"
threshold = 0.7
)");
    Arrived at = arrived("0.75", "scores");
    at.key = "p9";
    const auto high = apply(source, at);
    ASSERT_TRUE(high) << high.error().what;
    const auto alarm = wire::decode_telemetry(render(*high, {1, 2}, "b/0/1"));
    ASSERT_TRUE(alarm);
    EXPECT_TRUE(alarm->alarm);
    EXPECT_EQ(alarm->device.view(), "p9");
    EXPECT_EQ(alarm->time_unix_ms, 1'700'000'000'123);
    at.payload = "0.5";
    const auto low = wire::decode_telemetry(render(apply(source, at).value(), {1, 3}, "b/0/2"));
    ASSERT_TRUE(low);
    EXPECT_FALSE(low->alarm);
    EXPECT_EQ(low->event.view(), "cleared");
}

TEST(Apply, Iso8601IsReadWithAndWithoutOffset) {
    EXPECT_EQ(parse_iso8601("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_iso8601("2024-02-29 12:00:00"), 1'709'208'000'000);
    EXPECT_EQ(parse_iso8601("2024-02-29T12:00:00.1234567-0230"), 1'709'217'000'123);
    EXPECT_EQ(parse_iso8601("2024-02-29T12:00:00,5+01"), 1'709'204'400'500);
    for (const std::string_view bad :
         {"2023-02-29T12:00:00Z",
          "2024-02-29T24:00:00Z",
          "2024-02-29",
          "2024-02-29T12:00:00.Z",
          "2024-02-29T12:00:00+1",
          "2024-02-29T12:00:00Zx",
          ""})
        EXPECT_FALSE(parse_iso8601(bad)) << bad;
}

TEST(Pattern, MatchesAsMqttDoesAndCaptures) {
    const auto match = [](std::string_view pattern, std::string_view topic) {
        Captures captures;
        const auto made = Pattern::parse(pattern);
        if (!made || !made->match(topic, captures)) return std::string{"no"};
        std::string all;
        for (const auto& [name, value] : captures)
            all += name + "=" + value + ";";
        return all;
    };
    EXPECT_EQ(match("a/{x}/c", "a/b/c"), "x=b;");
    EXPECT_EQ(match("a/{x}/c", "a/b/d"), "no");
    EXPECT_EQ(match("a/{x}", "a/b/c"), "no");
    EXPECT_EQ(match("a/{x}/#", "a/b/c/d"), "x=b;");
    EXPECT_EQ(match("a/{x}/#", "a/b"), "x=b;");
    EXPECT_EQ(match("a/+/{x}", "a//"), "x=;");
    EXPECT_EQ(match("{x}/a", "$SYS/a"), "no");
    EXPECT_EQ(match("a/", "a"), "no");
    EXPECT_FALSE(Pattern::parse("a/#/b"));
    EXPECT_FALSE(Pattern::parse("a/b+"));
    EXPECT_FALSE(Pattern::parse("a/{b c}"));
    EXPECT_FALSE(Pattern::parse(""));
}

TEST(Units, ConvertToAndFroByDefinition) {
    const auto between = [](double value, std::string_view from, std::string_view to) {
        return convert(value, *find_unit(from), *find_unit(to));
    };
    EXPECT_NEAR(between(212.0, "degF", "degC"), 100.0, 1e-9);
    EXPECT_NEAR(between(0.0, "degC", "K"), 273.15, 1e-9);
    EXPECT_NEAR(between(-40.0, "degC", "degF"), -40.0, 1e-9);
    EXPECT_NEAR(between(9.80665, "m/s2", "g"), 1.0, 1e-12);
    EXPECT_NEAR(between(1.0, "in/s", "mm/s"), 25.4, 1e-12);
    EXPECT_NEAR(between(610.0, "mA", "A"), 0.61, 1e-12);
    EXPECT_NEAR(between(94.0, "dB_SPL", "Pa"), 1.0023744672545447, 1e-9);
    EXPECT_NEAR(between(1.0, "Pa", "dB_SPL"), 93.9794000867204, 1e-9);
    EXPECT_NEAR(between(3000.0, "rpm", "Hz"), 50.0, 1e-12);
    EXPECT_NEAR(between(14.503773773, "psi", "bar"), 1.0, 1e-9);
}

TEST(Apply, AMutatedPayloadIsRefusedOrStaysTelemetry) {
    std::mt19937 random{5};
    const Source source = source_of(plant);
    int taken = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text{payload};
        for (auto n = random() % 3 + 1; n > 0; --n)
            text[random() % text.size()] =
                random() % 2 == 0 ? static_cast<char>(random()) : text[random() % text.size()];
        const auto reading = apply(source, arrived(text));
        if (!reading) continue;
        ++taken;
        const std::string made = render(*reading, {1, 2}, "b/1/0");
        ASSERT_TRUE(wire::decode_telemetry(made)) << made;
    }
    EXPECT_GT(taken, 500);
}

}  // namespace
}  // namespace stator::adopt
