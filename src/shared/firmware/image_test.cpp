#include "shared/firmware/image.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stator::firmware {
namespace {

Header example() {
    Header header;
    header.release = 2;
    header.image_bytes = 4;
    header.board = "mps2-an386";
    header.version = "0.2.0";
    for (std::size_t i = 0; i < header.sha256.size(); ++i)
        header.sha256[i] = static_cast<std::uint8_t>(0xA0 + i);
    header.signature.fill(0x51);
    return header;
}

std::vector<std::byte> bytes_of(const Header& header) {
    std::vector<std::byte> bytes(header_bytes);
    compose(header, bytes);
    return bytes;
}

class Anyone final : public bundle::Verifier {  // takes any signature but an empty one
  public:
    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override {
        over = bytes.size();
        return signature[0] != 0;
    }

    void sha256(std::span<const std::byte>, std::span<std::uint8_t, 32>) override {}

    std::size_t over = 0;
};

TEST(FirmwareImage, AHeaderHasTheBytesOfItsPage) {  // docs/formats/firmware.md
    const auto bytes = bytes_of(example());
    std::string hex;
    for (std::size_t i = 0; i < 48; ++i) {
        hex += "0123456789ABCDEF"[std::to_integer<unsigned>(bytes[i]) >> 4U];
        hex += "0123456789ABCDEF"[std::to_integer<unsigned>(bytes[i]) & 15U];
    }
    EXPECT_EQ(
        hex,
        "53544657010000000200000004000000"
        "6D7073322D616E333836000000000000"
        "302E322E300000000000000000000000"
    );
    EXPECT_EQ(bytes[64], std::byte{0xA0});
    EXPECT_EQ(bytes[96], std::byte{0x51});
    EXPECT_EQ(bytes[159], std::byte{0x51});
    EXPECT_EQ(bytes[160], std::byte{0xFF});
}

TEST(FirmwareImage, WhatIsComposedIsParsedAgain) {
    const auto read = parse(bytes_of(example()));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->release, 2U);
    EXPECT_EQ(read->image_bytes, 4U);
    EXPECT_EQ(read->board.view(), "mps2-an386");
    EXPECT_EQ(read->version.view(), "0.2.0");
    EXPECT_EQ(read->sha256, example().sha256);
    EXPECT_EQ(read->signature, example().signature);
}

TEST(FirmwareImage, AShortOneAnUnnamedOneOrAnotherFormatIsNoHeader) {
    auto bytes = bytes_of(example());
    EXPECT_FALSE(parse(std::span{bytes}.first(header_bytes - 1)));
    const auto changed = [&](std::size_t at, unsigned value) {
        auto copy = bytes;
        copy[at] = static_cast<std::byte>(value);
        return copy;
    };
    EXPECT_FALSE(parse(changed(0, 'X')));
    EXPECT_FALSE(parse(changed(4, 2)));
    EXPECT_FALSE(parse(changed(8, 0)));      // no release
    EXPECT_FALSE(parse(changed(12, 0)));     // no image
    EXPECT_FALSE(parse(changed(16, 0)));     // no board
    EXPECT_FALSE(parse(changed(17, '\n')));  // not a name
    EXPECT_FALSE(parse(changed(31, 'x')));   // something behind the name's end
    EXPECT_FALSE(parse(changed(200, 0)));    // something behind the signature
}

// Every single bit: it is refused, or it is read as what is signed and so is judged by the
// signature.
TEST(FirmwareImage, AnyFlippedBitIsRefusedOrLiesUnderTheSignature) {
    const auto bytes = bytes_of(example());
    int read = 0;
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto copy = bytes;
        copy[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        if (!parse(copy)) continue;
        EXPECT_LT(bit / 8, signed_bytes + 64) << bit;
        ++read;
    }
    EXPECT_GT(read, 96 * 8);  // of the hash and the signature every one
}

TEST(FirmwareImage, TheSignatureGoesOverTheFirst96BytesAndIsAskedFirst) {
    Anyone verifier;
    bundle::Refusal refusal;
    Header header = example();
    const Receiver receiver{
        .board = "mps2-an386", .release = 1, .image_bytes_max = 4, .file_bytes = header_bytes + 4
    };
    EXPECT_TRUE(check(bytes_of(header), receiver, verifier, refusal));
    EXPECT_EQ(verifier.over, signed_bytes);
    header.signature.fill(0);
    header.board = "another";  // two faults: who cannot sign is told no more
    EXPECT_FALSE(check(bytes_of(header), receiver, verifier, refusal));
    EXPECT_EQ(refusal.view(), "the signature does not verify");
}

}  // namespace
}  // namespace stator::firmware
