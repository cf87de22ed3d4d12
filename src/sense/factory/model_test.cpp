#include "sense/factory/model.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace stator::factory {
namespace {

constexpr std::string_view envelope = "signed, and some json";
constexpr std::string_view tflite = "TFL3";

std::vector<std::byte> written() {
    std::vector<std::byte> into(512, std::byte{0xFF});
    const hal::FactoryModel model{.envelope = envelope, .tflite = std::as_bytes(std::span{tflite})};
    EXPECT_TRUE(write_model(model, into));
    return into;
}

TEST(FactoryModel, says_what_was_written) {
    const auto flash = written();
    const auto model = read_model(flash);
    EXPECT_EQ(model.envelope, envelope);
    ASSERT_EQ(model.tflite.size(), tflite.size());
    EXPECT_EQ(std::memcmp(model.tflite.data(), tflite.data(), tflite.size()), 0);
    EXPECT_EQ((model.tflite.data() - flash.data()) % 16, 0);
}

// The worked example of docs/formats/factory-page.md.
TEST(FactoryModel, has_the_bytes_of_its_page) {
    const auto flash = written();
    constexpr std::array<std::uint8_t, 16> head = {
        0x53, 0x54, 0x46, 0x4D, 0x15, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0
    };
    EXPECT_EQ(std::memcmp(flash.data(), head.data(), head.size()), 0);
    EXPECT_EQ(std::to_integer<char>(flash[0x10]), 's');
    EXPECT_EQ(flash[0x25], std::byte{0});
    EXPECT_EQ(std::to_integer<char>(flash[0x30]), 'T');
    EXPECT_EQ(flash[0x34], std::byte{0xFF});
}

TEST(FactoryModel, is_none_in_erased_flash_or_with_lengths_beyond_it) {
    const std::vector<std::byte> blank(512, std::byte{0xFF});
    EXPECT_TRUE(read_model(blank).envelope.empty());
    EXPECT_TRUE(read_model({}).envelope.empty());
    const auto whole = written();
    for (std::size_t at = 0; at < 12; ++at) {
        auto flash = whole;
        flash[at] = std::byte{0xFF};
        const auto model = read_model(flash);
        EXPECT_LE(model.envelope.size() + model.tflite.size(), flash.size()) << at;
        if (at != 4 && at != 8) {
            EXPECT_TRUE(model.envelope.empty()) << at;
        }
    }
    for (std::size_t size = 0; size < 0x34; ++size)
        EXPECT_TRUE(read_model(std::span{whole}.first(size)).envelope.empty()) << size;
}

TEST(FactoryModel, that_does_not_fit_is_refused) {
    std::vector<std::byte> into(0x33);
    EXPECT_EQ(
        write_model({.envelope = envelope, .tflite = std::as_bytes(std::span{tflite})}, into)
            .error(),
        base::Fault::full
    );
}

}  // namespace
}  // namespace stator::factory
