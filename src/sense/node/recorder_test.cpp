// The node with memory for a raw frame: when one is sent, what it says, and that nothing else
// changes.
#include "sense/node/node_fixture_test.h"
#include "shared/wire/json.h"

#include <array>
#include <string>
#include <vector>

namespace stator::node {
namespace {

class RecorderTest : public NodeTest {
  protected:
    RecorderTest() {
        asset_.channels[0].sampling = asset::Sampling::waveform;
        asset_.channels[0].unit = "g";
        asset::Channel sound = channel("sound");
        sound.sampling = asset::Sampling::waveform;
        EXPECT_TRUE(asset_.channels.push_back(sound));
        machine_.adc.make = [this](std::size_t channel, std::span<std::uint16_t> counts) {
            ++moment_;
            for (std::size_t i = 0; i < counts.size(); ++i)  // no two frames are the same
                counts[i] = static_cast<std::uint16_t>(
                    1'000 + (channel == 1 ? level_ : i % 2) * (channel == 1 ? 1U : 2U * level_) +
                    (i == 0 ? moment_ % 7 : 0)
                );
            last_[channel].assign(counts.begin(), counts.end());
        };
        frame_.resize(signal::waveform_samples);
    }

    void alarm() {
        offer({});
        order(first_name);
        run(4'000);
        ASSERT_EQ(node_->status().model, first_name);
        level_ = 5;
        for (int i = 0; i < 200 && !node_->status().alarm; ++i)
            run(10);
        ASSERT_TRUE(node_->status().alarm);
        raised_ = last_[0];
        run(500);
    }

    void ask(const std::string& channel) {
        machine_.link.deliver(
            "stator/devices/7/command",
            R"({"command":"record-waveform","payload":")" + channel + "\"}"
        );
    }

    std::vector<std::string> waveforms() const {
        std::vector<std::string> all;
        for (const auto& sent : machine_.link.sent)
            if (sent.topic == "stator/devices/7/waveform") all.push_back(sent.payload);
        return all;
    }

    static std::string text(const std::string& json, std::string_view member) {
        wire::FileName into;
        EXPECT_TRUE(wire::Value::parse(json)->text(member, into)) << member;
        return std::string{into.view()};
    }

    static std::vector<std::uint16_t> counts_of(const std::string& json) {
        const auto root = wire::Value::parse(json);
        std::vector<char> digits(8'192);
        const auto base64 = root->member("counts")->text(std::span{digits});
        EXPECT_TRUE(base64);
        const std::string_view alphabet =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::vector<unsigned> bytes;
        unsigned bits = 0;
        unsigned held = 0;
        for (const char c : *base64) {
            if (c == '=') break;
            bits = bits << 6U | static_cast<unsigned>(alphabet.find(c));
            held += 6;
            if (held >= 8) bytes.push_back(bits >> (held -= 8) & 0xFFU);
        }
        std::vector<std::uint16_t> counts;
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
            counts.push_back(static_cast<std::uint16_t>(bytes[i] | bytes[i + 1] << 8U));
        EXPECT_EQ(root->integer("samples"), static_cast<std::int64_t>(counts.size()));
        return counts;
    }

    unsigned moment_ = 0;
    std::array<std::vector<std::uint16_t>, 3> last_;
    std::vector<std::uint16_t> raised_;
};

TEST_F(RecorderTest, TheFrameThatRaisedAnAlarmIsSentAsItWas) {
    ASSERT_NO_FATAL_FAILURE(alarm());
    ASSERT_EQ(waveforms().size(), 1U);
    const std::string json = waveforms()[0];
    EXPECT_EQ(text(json, "deviceID"), "7");
    EXPECT_EQ(text(json, "channel"), "vibration");
    EXPECT_EQ(text(json, "unit"), "g");
    EXPECT_EQ(text(json, "cause"), "alarm");
    const auto root = wire::Value::parse(json);
    EXPECT_EQ(root->integer("rate_hz"), 13'095);
    EXPECT_EQ(root->integer("zero"), 1'000);
    EXPECT_EQ(root->integer("scale"), 1);
    EXPECT_EQ(counts_of(json), raised_);
    run(3'000);
    EXPECT_EQ(waveforms().size(), 1U) << "once an alarm, however long it lasts";
}

// The same story, told by a device that has no memory for frames.
class Story final : public RecorderTest {
  public:
    explicit Story(bool records) {
        if (!records) frame_.clear();
        alarm();
        level_ = 1;
        run(2'000);
    }

    void TestBody() override {}

    // All but waveforms, and without the numbers that these took.
    [[nodiscard]] std::vector<std::string> said() const {
        std::vector<std::string> all;
        for (const auto& sent : machine_.link.sent) {
            if (sent.topic == "stator/devices/7/waveform") continue;
            std::string text = sent.topic + ' ' + sent.payload;
            const auto at = text.find("\"seq\"");
            if (at != std::string::npos) text.erase(at, text.find(',', at) - at);
            all.push_back(text);
        }
        return all;
    }

    using RecorderTest::waveforms;
};

TEST(Recorder, WhatIsJudgedAndSaidIsTheSameWithoutIt) {
    const Story with{true};
    const Story without{false};
    EXPECT_EQ(with.waveforms().size(), 1U);
    EXPECT_TRUE(without.waveforms().empty());
    EXPECT_EQ(with.said(), without.said());
    EXPECT_GT(with.said().size(), 60U);
}

TEST_F(RecorderTest, AskedForItSendsTheNextFrameOfThatChannelAndOfTheUsualOneByDefault) {
    run(500);
    EXPECT_TRUE(waveforms().empty()) << "nobody has asked";
    ask("sound");
    run(100);
    ASSERT_EQ(waveforms().size(), 1U);
    EXPECT_EQ(text(waveforms()[0], "channel"), "sound");
    EXPECT_EQ(text(waveforms()[0], "cause"), "order");
    EXPECT_EQ(counts_of(waveforms()[0]), last_[2]);
    mark(node_->status().seq);
    ask("temperature");  // has no waveform
    run(200);
    ASSERT_EQ(waveforms().size(), 2U);
    EXPECT_EQ(text(waveforms()[1], "channel"), "vibration");
    machine_.link.deliver("control-message", R"({"command":"record-waveform","payload":""})");
    mark(node_->status().seq);
    run(500);
    EXPECT_EQ(waveforms().size(), 2U) << "a broadcast asks nobody";
}

TEST_F(RecorderTest, TheIntervalIsKeptFromTheFirstReadingOn) {
    config_.waveform_interval_s = 2;
    run(100);
    EXPECT_EQ(waveforms().size(), 1U);
    for (int second = 0; second < 10; ++second) {
        run(1'000);
        mark(node_->status().seq);
    }
    EXPECT_EQ(waveforms().size(), 6U);
    EXPECT_EQ(text(waveforms()[5], "cause"), "interval");
}

TEST_F(RecorderTest, WhatWaitsForLessGivesWayToTheFrameOfAnAlarmAndIsDeclared) {
    offer({});
    order(first_name);
    run(4'000);
    mark(node_->status().seq);
    run(10);
    machine_.link.lose();
    run(100);
    ask("sound");
    run(200);
    level_ = 5;
    for (int i = 0; i < 200 && !node_->status().alarm; ++i)
        run(10);
    run(200);
    EXPECT_EQ(node_->status().waveforms_shed, 1U);
    machine_.link.connect();
    run(500);
    ASSERT_EQ(waveforms().size(), 1U);
    EXPECT_EQ(text(waveforms()[0], "cause"), "alarm");
    const auto all = seqs();
    std::vector<bool> there(node_->status().seq + 1);
    for (const auto seq : all)
        there[seq] = true;
    EXPECT_EQ(std::count(there.begin() + 1, there.end(), false), 1) << "the other frame";
    const bool declared = std::ranges::any_of(machine_.link.sent, [](const auto& sent) {
        return sent.payload.find("\"event\":\"gap\"") != std::string::npos;
    });
    EXPECT_TRUE(declared);
}

TEST_F(RecorderTest, OnHoldNothingIsRecordedAndAWishDoesNotOutliveTenSeconds) {
    run(200);
    machine_.link.deliver("stator/devices/7/stored", R"({"boot":1,"seq":0,"hold":true})");
    run(100);
    ask("");
    run(11'000);
    machine_.link.deliver(
        "stator/devices/7/stored",
        R"({"boot":1,"seq":)" + std::to_string(node_->status().seq) + R"(,"hold":false})"
    );
    run(1'000);
    EXPECT_TRUE(waveforms().empty());
    EXPECT_EQ(node_->status().waveforms_shed, 0U);
}

TEST_F(RecorderTest, AnAssetWithoutWaveformChannelsRecordsNothing) {
    asset_.channels[0].sampling = asset::Sampling::slow;
    asset_.channels[2].sampling = asset::Sampling::slow;
    config_.waveform_interval_s = 1;
    run(500);
    ask("vibration");
    run(3'000);
    EXPECT_TRUE(waveforms().empty());
}

}  // namespace
}  // namespace stator::node
