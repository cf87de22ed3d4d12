#include "transport/adopt/map.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace stator::adopt {
namespace {

constexpr std::string_view good = R"([broker.hall-3]
url = "mqtts://emqx.example:8884"
ca_file = "/etc/stator/hall-3-ca.pem"
username = "stator"
password_file = "/etc/stator/hall-3.password"

[broker.lake]
url = "kafka://k1:9092,k2:9092"

[[source]]
broker = "hall-3"
topic = "plant/{line}/{pump}/state"
device = "{line}-{pump}"
time = "$.ts"
time_unit = "ms"
  [[source.channel]]
  name = "temperature"
  path = "$.motor.temp_f"
  unit = "degF"
  [[source.channel]]
  name = "vibration"
  path = "$.acc[0].rms"
  unit = "m/s2"

[[source]]
broker = "lake"
topic = "pump-scores"
device = "{key}"
inference = "$.score"
threshold = 0.7
)";

asset::Asset watched() {
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "pump-9";
    asset.device = "p9";
    asset.mode = asset::Mode::observe;
    return asset;
}

Outcome<Map> read(std::string_view toml) {
    const std::vector<asset::Asset> assets{watched(), asset::shaded_pole_motor()};
    return read_map(toml, "map.toml", assets);
}

std::string with(std::string_view old, std::string_view wanted) {
    std::string text{good};
    const std::size_t at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    return text.replace(at, old.size(), wanted);
}

std::string error_of(const std::string& toml) {
    const auto map = read(toml);
    EXPECT_FALSE(map) << toml;
    return map ? std::string{} : map.error().what;
}

TEST(Map, SaysOfBrokersAndSourcesWhatTheFileSays) {
    const auto map = read(good);
    ASSERT_TRUE(map) << map.error().what;
    ASSERT_EQ(map->brokers.size(), 2U);
    EXPECT_EQ(map->brokers[0].host, "emqx.example");
    EXPECT_EQ(map->brokers[0].port, 8884);
    EXPECT_TRUE(map->brokers[0].tls);
    EXPECT_EQ(map->brokers[0].client_id, "stator-hall-3");
    EXPECT_EQ(map->brokers[1].protocol, Protocol::kafka);
    EXPECT_EQ(map->brokers[1].brokers, "k1:9092,k2:9092");
    ASSERT_EQ(map->sources.size(), 2U);
    const Source& first = map->sources[0];
    EXPECT_EQ(first.topic.filter(), "plant/+/+/state");
    EXPECT_EQ(first.time_unit, TimeUnit::ms);
    ASSERT_EQ(first.fields.size(), 2U);
    EXPECT_EQ(first.fields[1].from.name, "m/s2");
    EXPECT_EQ(first.fields[1].to.name, "g");
    EXPECT_EQ(first.where, "map.toml:10");
    EXPECT_TRUE(map->sources[1].inference);
    EXPECT_EQ(map->sources[1].threshold, 0.7F);
}

TEST(Map, NamesFileLineAndKeyOfWhatIsWrong) {
    const std::string error = error_of(with("unit = \"degF\"", "unit = \"degX\""));
    EXPECT_TRUE(error.starts_with("map.toml:19: channel: unit \"degX\" is not one of A, mA"))
        << error;
}

TEST(Map, RefusesEachKeyThatItCannotMean) {
    const auto refused = [](std::string_view old, std::string_view wanted, std::string_view says) {
        const std::string error = error_of(with(old, wanted));
        EXPECT_NE(error.find(says), std::string::npos) << error;
        EXPECT_TRUE(error.starts_with("map.toml:")) << error;
    };
    refused("broker = \"hall-3\"", "broker = \"hall-4\"", "source: broker \"hall-4\" has no");
    refused("url = \"mqtts:", "url = \"http:", "broker.hall-3: url must begin with");
    refused(":8884", ":99999", "port");
    refused("ca_file = \"/etc/stator/hall-3-ca.pem\"", "", "ca_file is missing");
    refused("password_file = \"/etc/stator/hall-3.password\"", "", "password_file come together");
    refused("{line}/{pump}", "{line}/{line}", "topic {line} stands twice");
    refused("\"{line}-{pump}\"", "\"{hall}\"", "device {hall} is not in the topic");
    refused("device = \"{line}-{pump}\"", "", "device is said once");
    refused("device = \"{line}-{pump}\"", "asset = \"pump-8\"", "is no [[asset]]");
    refused("time_unit = \"ms\"", "time_unit = \"fortnight\"", "time_unit must be one of");
    refused("\"$.ts\"", "\"ts\"", "time \"ts\": a path begins with $");
    refused("unit = \"degF\"", "unit = 3", "unit must be a text");
    refused("unit = \"degF\"", "unit = \"degF\"\nto = \"bar\"", "temperature, but temperature");
    refused("name = \"temperature\"", "name = \"seq\"", "\"seq\" has a meaning of its own");
    refused("name = \"vibration\"", "name = \"temperature\"", "stands twice");
    refused("threshold = 0.7", "threshold = 7", "threshold must be a number from 0 to 1");
    refused("threshold = 0.7", "treshold = 0.7", "treshold is an unknown key");
    refused("\"pump-scores\"", "\"pump/+\"", "topic of Kafka is one name");
    refused("[[source]]", "[source", "map.toml:");
    refused("[[source]]", "[[?source]]", "map.toml:10: after [ a name is expected");
}

TEST(Map, AUrlSaysHostPortAndTls) {
    const auto host_of = [&](std::string_view url) {
        const auto map = read(with("mqtts://emqx.example:8884", url));
        return map ? fmt::format("{} {}", map->brokers[0].host, map->brokers[0].port)
                   : map.error().what;
    };
    EXPECT_EQ(host_of("mqtts://h"), "h 8883");
    EXPECT_EQ(host_of("mqtts://[::1]:99/"), "::1 99");
    EXPECT_EQ(host_of("mqtts://[fe80::1]"), "fe80::1 8883");
    EXPECT_NE(host_of("mqtts://me:secret@h").find("and nothing else"), std::string::npos);
}

TEST(Map, AnAssetGivesDeviceAndUnitsOfItsChannels) {
    const auto map = read(with("device = \"{line}-{pump}\"", "asset = \"pump-9\""));
    ASSERT_TRUE(map) << map.error().what;
    EXPECT_EQ(map->sources[0].device->fill({}), "p9");
    EXPECT_EQ(map->sources[0].fields[0].to.name, "degC");
    const std::string unknown = error_of(
        with("device = \"{line}-{pump}\"", "asset = \"pump-9\"")
            .replace(
                with("device = \"{line}-{pump}\"", "asset = \"pump-9\"").find("\"temperature\""),
                13,
                "\"pressure\""
            )
    );
    EXPECT_NE(unknown.find("is no channel of pump-9"), std::string::npos) << unknown;
}

TEST(Map, AnAssetThatActsIsNotToBeFedByAnotherBroker) {
    std::vector<asset::Asset> assets{watched()};
    assets[0].mode = asset::Mode::act;
    const auto map =
        read_map(with("device = \"{line}-{pump}\"", "asset = \"pump-9\""), "map.toml", assets);
    ASSERT_FALSE(map);
    EXPECT_NE(map.error().what.find("acts: what another broker vouches for"), std::string::npos)
        << map.error().what;
}

TEST(Map, AMutatedFileIsRefusedWithItsNameOrIsWhole) {
    std::mt19937 random{11};
    int taken = 0;
    for (int i = 0; i < 3000; ++i) {
        std::string text{good};
        for (auto n = random() % 3 + 1; n > 0; --n)
            text[random() % text.size()] =
                random() % 2 == 0 ? static_cast<char>(random()) : text[random() % text.size()];
        const auto map = read(text);
        if (!map) {
            ASSERT_TRUE(map.error().what.starts_with("map.toml:")) << map.error().what;
            continue;
        }
        ++taken;
        for (const Source& source : map->sources) {
            ASSERT_LT(source.broker, map->brokers.size());
            ASSERT_TRUE(source.inference || !source.fields.empty());
            for (const Field& field : source.fields)
                ASSERT_EQ(field.from.quantity, field.to.quantity);
        }
    }
    EXPECT_GT(taken, 20);
}

}  // namespace
}  // namespace stator::adopt
