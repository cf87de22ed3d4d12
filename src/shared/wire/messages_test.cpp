#include "shared/wire/messages.h"

#include "shared/wire/json.h"
#include "shared/wire/leading_device.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace stator::wire {
namespace {

Telemetry example_telemetry() {
    Telemetry telemetry;
    telemetry.device = "14333616";
    for (const auto& [name, value] :
         {std::pair{"current", 0.61F}, {"temperature", 41.2F}, {"vibration", 0.12F}, {"sound", 0.8F}
         })
        EXPECT_TRUE(telemetry.channels.push_back({name, value}));
    EXPECT_TRUE(telemetry.features.push_back({"vibration_crest", 3.1F}));
    telemetry.time_unix_ms = 1669170000000;
    telemetry.boot = 3;
    telemetry.seq = 1001;
    telemetry.clock_synced = true;
    telemetry.feature_set = 0xa1b2c3d4;
    telemetry.inference = 0.12F;
    telemetry.threshold = 0.5F;
    telemetry.model = "2026-11-23-03:00:00-model.tflite";
    telemetry.firmware = "0.1.0";
    return telemetry;
}

template <typename Message>
std::string json_of(const Message& message) {
    std::array<char, message_bytes_max> buffer{};
    const auto json = encode(message, buffer);
    EXPECT_TRUE(json);
    return json ? std::string{*json} : std::string{};
}

TEST(Messages, TelemetryIsWrittenAsTheContractSays) {
    EXPECT_EQ(
        json_of(example_telemetry()),
        R"({"deviceID":"14333616","current":0.61,"temperature":41.2,"vibration":0.12,"sound":0.8,)"
        R"("fft_data":"true","timeStamp":"1669170000000","boot":3,"seq":1001,"clock":"synced",)"
        R"("features":{"vibration_crest":3.1},"featureSet":"a1b2c3d4","inference":0.12,)"
        R"("alarm":false,"threshold":0.5,"model":"2026-11-23-03:00:00-model.tflite",)"
        R"("firmware":"0.1.0"})"
    );
}

TEST(Messages, TelemetryReadsBackWhole) {
    const auto read = decode_telemetry(json_of(example_telemetry()));
    ASSERT_TRUE(read);
    EXPECT_EQ(json_of(*read), json_of(example_telemetry()));
    EXPECT_EQ(find(read->channels, "temperature"), 41.2F);
    EXPECT_EQ(find(read->channels, "threshold"), std::nullopt);
    EXPECT_EQ(read->time_unix_ms, 1669170000000);
}

TEST(Messages, TheReferenceDevicesTelemetryIsTaken) {
    const auto read = decode_telemetry(
        R"({"deviceID":"14333616","current":26.56,"temperature":32.81,"vibration":32.81,)"
        R"("sound":32.81,"fft_data":"true"})"
    );
    ASSERT_TRUE(read);
    EXPECT_EQ(read->channels.size(), 4U);
    EXPECT_FALSE(read->seq);
    EXPECT_FALSE(read->time_unix_ms);
    EXPECT_TRUE(read->filtered);
}

TEST(Messages, UnknownMembersAreIgnoredAndKnownOnesOfTheWrongKindRefused) {
    EXPECT_TRUE(decode_telemetry(R"({"deviceID":"a","x":[1],"y":{"z":null},"w":"s"})"));
    for (const char* wrong :
         {R"({})",
          R"({"deviceID":7})",
          R"({"deviceID":"a/b"})",
          R"({"deviceID":"#"})",
          R"({"deviceID":""})",
          R"({"deviceID":"a","seq":-1})",
          R"({"deviceID":"a","seq":1.5})",
          R"({"deviceID":"a","boot":4294967296})",
          R"({"deviceID":"a","timeStamp":"x"})",
          R"({"deviceID":"a","timeStamp":true})",
          R"({"deviceID":"a","features":7})",
          R"({"deviceID":"a","featureSet":"A1B2C3D4"})",
          R"({"deviceID":"a","alarm":1})",
          R"({"deviceID":"a","inference":"0.5"})",
          R"([])",
          R"(7)",
          "",
          R"({"deviceID":"a","deviceID":"b"})"})
        EXPECT_FALSE(decode_telemetry(wrong)) << wrong;
    EXPECT_EQ(decode_telemetry(std::string(message_bytes_max + 1, ' ')).error(), base::Fault::full);
}

TEST(Messages, CommandsFitTheReferenceDevicesAndUnknownOnesAreNotErrors) {
    const Command download{Order::download_model, "2022-05-06-20:36:11-model.tflite"};
    EXPECT_EQ(
        json_of(download),
        R"({"command":"download-model","payload":"2022-05-06-20:36:11-model.tflite"})"
    );
    EXPECT_LE(json_of(download).size(), 255U);
    for (const auto order :
         {Order::extract_data,
          Order::train_model,
          Order::download_model,
          Order::backup_on,
          Order::backup_off,
          Order::reset,
          Order::lock_out,
          Order::unlock}) {
        const auto read = decode_command(json_of(Command{order, "p"}));
        ASSERT_TRUE(read);
        EXPECT_EQ(read->order, order);
        EXPECT_EQ(read->payload.view(), "p");
    }
    const auto later = decode_command(R"({"command":"dance","payload":{"a":1}})");
    ASSERT_TRUE(later);
    EXPECT_EQ(later->order, Order::unknown);
    EXPECT_FALSE(decode_command(R"({"payload":"x"})"));
    EXPECT_FALSE(decode_command(R"({"command":"reset","payload":7})"));
}

TEST(Messages, AlertReadsBackWhole) {
    Alert alert;
    alert.device = "14333616";
    alert.time_unix_ms = 5;
    alert.inference = 0.93F;
    alert.severity = Severity::imminent;
    alert.alarm = true;
    alert.model = "M.tflite";
    ASSERT_TRUE(alert.contributions.push_back({"vibration", 0.7F}));
    alert.suspected = "imbalance";
    alert.evidence = "vibration_band_low up";
    alert.source = "level2-1";
    alert.boot = 1;
    alert.seq = 9;
    const std::string json = json_of(alert);
    EXPECT_EQ(
        json,
        R"({"deviceID":"14333616","timeStamp":"5","inference":0.93,"severity":"imminent",)"
        R"("threshold":0.5,"alarm":true,"model":"M.tflite","contributions":{"vibration":0.7},)"
        R"("suspected":"imbalance","evidence":"vibration_band_low up",)"
        R"("sourceID":"level2-1","boot":1,"seq":9})"
    );
    const auto read = decode_alert(json);
    ASSERT_TRUE(read);
    EXPECT_EQ(json_of(*read), json);
    EXPECT_FALSE(decode_alert(R"({"deviceID":"a","timeStamp":"1","inference":1,"severity":"bad"})")
    );
}

TEST(Messages, EveryDeviceEventReadsBackWhole) {
    DeviceEvent event;
    event.device = "7";
    event.time_unix_ms = 10;
    event.boot = 2;
    event.seq = 30;
    ActionEvent action{"backup", "c1", ActionState::effect_observed, "", 180, 12.5F};
    const std::vector<decltype(event.what)> all = {
        StartedEvent{"0.1.0", "M", "watchdog"},
        ModelEvent{ModelState::refused, "M", 4, "signature does not verify"},
        action,
        GapEvent{5, 9, "the ring was full"},
        FirmwareEvent{ModelState::trial, "F.bin", "0.2.0", 4, ""},
        SensorEvent{"vibration", SensorFault::stuck},
    };
    for (const auto& what : all) {
        event.what = what;
        const std::string json = json_of(event);
        const auto read = decode_event(json);
        ASSERT_TRUE(read) << json;
        EXPECT_EQ(json_of(*read), json);
    }
    EXPECT_EQ(
        json_of(event),
        R"({"deviceID":"7","timeStamp":"10","boot":2,"seq":30,"event":"sensor-fault",)"
        R"("channel":"vibration","fault":"stuck"})"
    );
    EXPECT_EQ(
        decode_event(R"({"deviceID":"7","event":"later-kind"})").error(), base::Fault::not_found
    );
    EXPECT_EQ(
        decode_event(R"({"deviceID":"7","event":"gap","from":1})").error(), base::Fault::bad_input
    );
}

TEST(Messages, MarkAndPresenceReadBackWhole) {
    EXPECT_EQ(json_of(StoredMark{3, 1001, false}), R"({"boot":3,"seq":1001,"hold":false})");
    const auto mark = decode_stored(R"({"boot":3,"seq":1001,"hold":true})");
    ASSERT_TRUE(mark);
    EXPECT_TRUE(mark->hold);
    EXPECT_FALSE(decode_stored(R"({"boot":3})"));
    const Presence presence{"7", 9, false, "closed"};
    const auto read = decode_presence(json_of(presence));
    ASSERT_TRUE(read);
    EXPECT_EQ(json_of(*read), json_of(presence));
    EXPECT_FALSE(decode_presence(R"({"deviceID":"7","state":"away"})"));
}

TEST(Messages, TheLargestTelemetryFitsMessageBytesMax) {
    Telemetry telemetry = example_telemetry();
    telemetry.channels.clear();
    telemetry.features.clear();
    telemetry.device = std::string(id_bytes_max, 'd').c_str();
    telemetry.model = std::string(128, 'm').c_str();
    const std::string name(32, 'n');
    for (std::size_t i = 0; i < 8; ++i)
        ASSERT_TRUE(telemetry.channels.push_back({name.c_str(), -1.17549435e-38F}));
    for (std::size_t i = 0; i < values_max; ++i)
        ASSERT_TRUE(telemetry.features.push_back({name.c_str(), -1.17549435e-38F}));
    EXPECT_LT(json_of(telemetry).size(), message_bytes_max);
}

TEST(Messages, HeadIsReadFromAnyMessage) {
    const auto head =
        decode_head(R"({"deviceID":"7","boot":1,"seq":2,"event":"gap","alarm":true,"q":[]})");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->device.view(), "7");
    EXPECT_EQ(head->seq, 2U);
    EXPECT_EQ(head->event.view(), "gap");
    EXPECT_TRUE(head->alarm);
    EXPECT_FALSE(head->has_time);
    EXPECT_TRUE(decode_head("{}")->device.empty());
}

TEST(Messages, TheLongestWaveformFitsOneMessageAndOneSampleMoreIsNone) {
    std::vector<std::uint16_t> counts(waveform_samples_max + 1, 0xFFFF);
    Waveform waveform;
    waveform.device = Id{std::string(id_bytes_max, 'd')};
    waveform.time_unix_ms = std::numeric_limits<std::int64_t>::max();
    waveform.boot = std::numeric_limits<std::uint32_t>::max();
    waveform.seq = std::numeric_limits<std::int64_t>::max();
    waveform.clock_synced = true;
    waveform.channel = Word{std::string(32, 'c')};
    waveform.unit = Word{std::string(32, 'u')};
    waveform.rate_hz = std::numeric_limits<std::uint32_t>::max();
    waveform.zero = waveform.scale = waveform.offset = -1.17549435e-38F;
    waveform.counts = std::span{counts}.first(waveform_samples_max);
    std::array<char, message_bytes_max> into{};
    const auto json = encode(waveform, into);
    ASSERT_TRUE(json);
    EXPECT_TRUE(decode_head(*json)->has_time);
    EXPECT_TRUE(json->ends_with("/w==\"}")) << json->substr(json->size() - 8);
    waveform.counts = counts;
    EXPECT_EQ(encode(waveform, into).error(), base::Fault::full);
}

TEST(Messages, MutatedMessagesAreRefusedOrReadBackTheSame) {
    std::mt19937 random{5};
    const std::vector<std::string> seeds = {
        json_of(example_telemetry()),
        json_of(Command{Order::reset, "x"}),
        json_of(StoredMark{1, 2, true}),
        R"({"deviceID":"7","timeStamp":"10","boot":2,"seq":30,"event":"gap","from":1,"to":2})",
        R"({"deviceID":"7","timeStamp":"1","inference":0.9,"severity":"imminent"})",
    };
    int taken = 0;
    int led = 0;  // by their device
    for (int i = 0; i < 60'000; ++i) {
        std::string text = seeds[random() % seeds.size()];
        for (auto n = random() % 3 + 1; n > 0; --n)
            text[random() % text.size()] = static_cast<char>(
                random() % 3 == 0 ? random() : static_cast<unsigned>(text[random() % text.size()])
            );
        if (const auto telemetry = decode_telemetry(text)) {
            ++taken;
            const std::string json = json_of(*telemetry);
            const auto again = decode_telemetry(json);
            ASSERT_TRUE(again) << text;
            EXPECT_EQ(json_of(*again), json);
        }
        static_cast<void>(decode_command(text));
        static_cast<void>(decode_stored(text));
        static_cast<void>(decode_event(text));
        static_cast<void>(decode_alert(text));
        static_cast<void>(decode_presence(text));
        if (const auto head = decode_head(text)) {
            EXPECT_EQ(decode_device(text)->view(), head->device.view());
            const std::string_view leading = leading_device(text);
            EXPECT_TRUE(leading.empty() || leading == head->device.view()) << text;
            led += leading.empty() ? 0 : 1;
        }
    }
    EXPECT_GT(taken, 500);
    EXPECT_GT(led, 500);
}

TEST(Topics, EachNameIsFoundAgainAndNoIdLeavesItsPlace) {
    const Topics topics;
    EXPECT_EQ(topics.command_of("7").view(), "stator/devices/7/command");
    EXPECT_EQ(topics.stored_of("7").view(), "stator/devices/7/stored");
    EXPECT_EQ(topics.event_of("7").view(), "stator/devices/7/event");
    EXPECT_EQ(topics.presence_of("7").view(), "stator/presence/7");
    const std::vector<std::pair<std::string, TopicKind>> kinds = {
        {"shaded-pole-motor-sensor_data", TopicKind::data},
        {"motor-anomaly-level1-inference", TopicKind::inference},
        {"motor-failure-alert-level2-inference", TopicKind::alert},
        {"control-message", TopicKind::control},
        {"stator/devices/7/command", TopicKind::command},
        {"stator/devices/7/stored", TopicKind::stored},
        {"stator/devices/7/event", TopicKind::event},
        {"stator/devices/7/waveform", TopicKind::waveform},
        {"stator/presence/7", TopicKind::presence},
        {"stator/devices/command", TopicKind::unknown},
        {"stator/devices//command", TopicKind::unknown},
        {"stator/devices/a/b/command", TopicKind::unknown},
        {"stator/devices/+/command", TopicKind::unknown},
        {"stator/presence/", TopicKind::unknown},
        {"", TopicKind::unknown},
    };
    for (const auto& [topic, kind] : kinds)
        EXPECT_EQ(topics.place_of(topic).kind, kind) << topic;
    EXPECT_EQ(topics.place_of("stator/devices/d-1/event").device.view(), "d-1");
    for (const char* id : {"", ".", "..", "a/b", "a b", "+", "#", "\xC3\xA9"})
        EXPECT_FALSE(valid_id(id)) << id;
}

}  // namespace
}  // namespace stator::wire
