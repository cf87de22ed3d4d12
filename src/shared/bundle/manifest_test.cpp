#include "shared/bundle/manifest.h"

#include "shared/bundle/compose.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace stator::bundle {
namespace {

Manifest some() {
    Manifest made;
    made.name = "2026-11-23-03:00:00-model.tflite";
    made.device_class = "shaded-pole-motor";
    made.level = 2;
    made.release = 7;
    made.tflite_sha256.fill(0xAB);
    made.tflite_bytes = 2128;
    made.arena_bytes = 535;
    made.feature_set = 0x1A2B3C4D;
    made.keep_state = true;
    made.fold.feature_count = 3;
    made.fold.mean = {1.0F / 3.0F, -2.5F, 1e-30F};
    made.fold.sd = {0.1F, 16777217.0F, 3.4e-5F};
    made.fold.smooth_count = 4;
    made.fold.window_count = 2;
    made.fold.raise_count = 5;
    made.fold.clear_count = 9;
    made.golden.steps = 2;
    made.golden.features[0] = {0.1F, 0.2F, 0.3F};
    made.golden.features[1] = {-1.0F, 1e-7F, 9.0F};
    made.golden.values = {0.125F, 0.9999999F};
    return made;
}

std::string text_of(const Manifest& manifest, std::string_view card = "") {
    std::vector<char> buffer(envelope_bytes_max);
    const auto text = compose(manifest, card, buffer);
    EXPECT_TRUE(text);
    return text ? std::string{*text} : std::string{};
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

void expect_equal(const Manifest& a, const Manifest& b) {
    EXPECT_EQ(a.name.view(), b.name.view());
    EXPECT_EQ(a.device_class.view(), b.device_class.view());
    EXPECT_EQ(a.level, b.level);
    EXPECT_EQ(a.release, b.release);
    EXPECT_EQ(a.tflite_sha256, b.tflite_sha256);
    EXPECT_EQ(a.tflite_bytes, b.tflite_bytes);
    EXPECT_EQ(a.arena_bytes, b.arena_bytes);
    EXPECT_EQ(a.feature_set, b.feature_set);
    EXPECT_EQ(a.keep_state, b.keep_state);
    EXPECT_EQ(a.fold.feature_count, b.fold.feature_count);
    EXPECT_EQ(a.fold.mean, b.fold.mean);
    EXPECT_EQ(a.fold.sd, b.fold.sd);
    EXPECT_EQ(a.fold.smooth_count, b.fold.smooth_count);
    EXPECT_EQ(a.fold.window_count, b.fold.window_count);
    EXPECT_EQ(a.fold.threshold, b.fold.threshold);
    EXPECT_EQ(a.fold.raise_count, b.fold.raise_count);
    EXPECT_EQ(a.fold.clear_count, b.fold.clear_count);
    EXPECT_EQ(a.golden.steps, b.golden.steps);
    EXPECT_EQ(a.golden.features, b.golden.features);
    EXPECT_EQ(a.golden.values, b.golden.values);
}

TEST(Manifest, KeepsEveryNumberBitForBitThroughItsText) {
    const auto back = parse(text_of(some(), R"({"family":"baseline"})"));
    ASSERT_TRUE(back);
    expect_equal(*back, some());
}

TEST(Manifest, IsRefusedWhereAMemberIsAbsentOrOutOfItsRange) {
    const std::string good = text_of(some());
    ASSERT_TRUE(parse(good));
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {R"("format":1)", R"("format":2)"},
        {R"("level":2)", R"("level":3)"},
        {R"("level":2)", R"("level":0)"},
        {R"("release":7)", R"("release":-1)"},
        {R"("release":7)", R"("release":2147483648)"},
        {R"("bytes":2128)", R"("bytes":0)"},
        {R"("bytes":2128)", R"("bytes":67108865)"},
        {R"("arena_bytes":535)", R"("arena_bytes":1.5)"},
        {R"("keep_state":true)", R"("keep_state":1)"},
        {R"("name":"2026)", R"("name":")" + std::string(64, 'x')},
        {"abab", "abag"},
        {"abab", "aba"},
        {"1a2b3c4d", "1a2b3c4"},
        {R"("features":3)", R"("features":0)"},
        {R"("features":3)", R"("features":1000)"},
        {R"("features":3)", R"("features":2)"},
        {R"("window":2)", R"("window":0)"},
        {R"("window":2)", R"("window":1000000)"},
        {R"("smooth":4)", R"("smooth":0)"},
        {R"("raise_count":5)", R"("raise_count":0)"},
        {R"("sd":[0.1)", R"("sd":[0)"},
        {R"("sd":[0.1)", R"("sd":[-0.1)"},
        {R"("values":[)", R"("values":[1,)"},
        {R"("golden":{)", R"("gold":{)"},
        {R"("fold":{)", R"("folded":{)"},
    };
    for (const auto& [what, by] : wrong)
        EXPECT_FALSE(parse(replaced(good, what, by))) << what << " as " << by;
    EXPECT_FALSE(parse(""));
    EXPECT_FALSE(parse(good.substr(0, good.size() - 1)));
    EXPECT_FALSE(parse(good + std::string(envelope_bytes_max, ' ')));
}

TEST(Manifest, AnEnvelopeIsASignatureALineAndTheSignedBytes) {
    const std::string digits = "00ff" + std::string(124, '7');
    const std::string text = digits + "\n{}";
    const auto envelope = open_envelope(text);
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->json, "{}");
    EXPECT_EQ(envelope->signature[0], 0x00);
    EXPECT_EQ(envelope->signature[1], 0xFF);
    EXPECT_EQ(envelope->signature[63], 0x77);
    EXPECT_FALSE(open_envelope(digits + "\n"));
    EXPECT_FALSE(open_envelope(digits + " {}"));
    EXPECT_FALSE(open_envelope("G" + digits.substr(1) + "\n{}"));
    EXPECT_FALSE(open_envelope("A" + digits.substr(1) + "\n{}")) << "lower case only: one text";
    EXPECT_FALSE(open_envelope(digits + "\n" + std::string(envelope_bytes_max, ' ')));
}

TEST(Manifest, WhateverItsBytesAreWhatIsAcceptedIsWithinItsBounds) {
    std::mt19937 random{7};  // NOLINT(cert-msc51-cpp): the same texts each time
    const std::string good = text_of(some(), R"({"family":"baseline"})");
    int accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (std::uint32_t k = 0; k <= random() % 3; ++k) {
            const std::size_t at = random() % text.size();
            if (random() % 2 == 0)
                text[at] = "0123456789-.eE[]{},\":"[random() % 21];
            else
                text.erase(at, 1 + random() % 8);
        }
        const auto manifest = parse(text);
        if (!manifest) continue;
        ++accepted;
        EXPECT_GE(manifest->fold.feature_count, 1U);
        EXPECT_LE(manifest->fold.feature_count, asset::features_max);
        EXPECT_LE(manifest->golden.steps, golden_steps_max);
        EXPECT_GE(manifest->golden.steps, 1U);
        EXPECT_LE(manifest->fold.clear_below, manifest->fold.threshold);
        expect_equal(*manifest, parse(text_of(*manifest)).value());
    }
    EXPECT_GT(accepted, 100) << "else nothing was looked at";
}

}  // namespace
}  // namespace stator::bundle
