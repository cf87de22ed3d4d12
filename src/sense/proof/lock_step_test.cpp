#include "sense/proof/lock_step.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stator::proof {
namespace {

class Text final : public Record {
  public:
    void write(std::string_view text) override { whole += text; }

    std::string whole;
};

// Its n-th sample of a channel is 1000 * channel + n.
class Counter final : public hal::Adc, public hal::Actuators {
  public:
    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override {
        if (gone) return std::unexpected{base::Fault::io};
        for (std::uint16_t& count : counts)
            count = static_cast<std::uint16_t>(1000 * channel + given.at(channel)++);
        return {};
    }

    void set_valve_degrees(std::uint8_t degrees) override { valve = degrees; }

    void set_backup_pump(bool on) override { pump = on; }

    base::Result<float> backup_flow_l_per_min() override { return 1.5F; }

    bool gone = false;
    std::array<std::size_t, 2> given{};
    int valve = -1;
    bool pump = false;
};

struct Wired {
    Counter machine;
    Text text;
    Told told{text};
    AdcFrames frames{machine};
    Converters converters{frames, machine, 2, told};
};

TEST(Converters, GiveTheLatestSamplesOfEachChannelAndLeaveNoneOut) {
    Wired it;
    for (int i = 0; i < 7; ++i)
        ASSERT_TRUE(it.converters.take());
    EXPECT_EQ(it.converters.samples(), 7 * frame_samples);
    std::vector<std::uint16_t> counts(signal::waveform_samples);
    for (const std::size_t channel : {0U, 1U}) {
        EXPECT_EQ(it.machine.given.at(channel), 7 * frame_samples);
        ASSERT_TRUE(it.converters.read(channel, counts));
        for (std::size_t i = 0; i < counts.size(); ++i)
            ASSERT_EQ(counts[i], 1000 * channel + 7 * frame_samples - counts.size() + i);
        ASSERT_TRUE(it.converters.read(channel, std::span{counts}.first(64)));
        EXPECT_EQ(counts[63], 1000 * channel + 7 * frame_samples - 1) << "a short window ends now";
    }
    EXPECT_FALSE(it.converters.read(2, counts));
    it.machine.gone = true;
    EXPECT_FALSE(it.converters.take());
}

TEST(Converters, TellWhatChangesWithTheSampleBeforeWhichItDid) {
    Wired it;
    it.converters.set_valve_degrees(0);
    ASSERT_TRUE(it.converters.take());
    it.converters.set_valve_degrees(0);
    it.converters.set_valve_degrees(1);
    it.converters.set_backup_pump(true);
    it.converters.set_backup_pump(true);
    EXPECT_EQ(it.text.whole, "0 valve 0\n262 valve 1\n262 pump 1\n");
    EXPECT_EQ(it.machine.valve, 1);
    EXPECT_TRUE(it.machine.pump);
}

TEST(Told, AReadingsLineHasAllThatEverHappenedInIt) {
    Text text;
    Text other;
    Told told{text};
    Told more{other};
    more.chain().add(1.5F);
    told.reading(0.5F, true);
    more.reading(0.5F, true);
    EXPECT_TRUE(text.whole.starts_with("0 reading 3f000000 1 ")) << text.whole;
    EXPECT_NE(text.whole, other.whole);
    EXPECT_EQ(text.whole.size(), other.whole.size());
}

std::vector<std::byte> order_of(std::array<std::uint32_t, 4> words, std::size_t rest) {
    std::vector<std::byte> bytes;
    for (const std::uint32_t word : words)
        for (unsigned i = 0; i < 4; ++i)
            bytes.push_back(static_cast<std::byte>(word >> 8 * i & 0xFFU));
    bytes.resize(bytes.size() + rest);
    return bytes;
}

TEST(Order, IsReadWholeOrNotAtAll) {
    const auto bytes = order_of({100, 30'000, 5, 7}, 12);
    const auto order = Order::read(bytes);
    ASSERT_TRUE(order);
    EXPECT_EQ(order->interval_ms, 100U);
    EXPECT_EQ(order->frames, 30'000U);
    EXPECT_EQ(order->envelope.data(), bytes.data() + Order::head_bytes);
    EXPECT_EQ(order->envelope.size(), 5U);
    EXPECT_EQ(order->tflite.size(), 7U);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(Order::read(std::span{bytes}.first(size))) << size;
    EXPECT_FALSE(Order::read(order_of({0, 30'000, 5, 7}, 12)));
    EXPECT_FALSE(Order::read(order_of({100, 1, 0xFFFF'FFFF, 2}, 12)));
    EXPECT_FALSE(Order::read(order_of({100, 1, 2, 0xFFFF'FFFF}, 12)));
}

}  // namespace
}  // namespace stator::proof
