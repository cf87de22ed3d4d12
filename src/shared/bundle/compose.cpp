#include "shared/bundle/compose.h"

#include "shared/wire/json.h"
#include "shared/wire/messages.h"

namespace stator::bundle {

namespace {

void reals(wire::Writer& writer, std::string_view name, std::span<const float> values) {
    writer.key(name).begin_array();
    for (const float value : values)
        writer.value(value);
    writer.end_array();
}

base::FixedString<64> hex_of(const std::array<std::uint8_t, 32>& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    base::FixedString<64> made;
    for (const std::uint8_t byte : bytes) {
        const char pair[2] = {digits[byte >> 4U], digits[byte & 15U]};
        static_cast<void>(made.append({pair, 2}));
    }
    return made;
}

void write_fold(wire::Writer& writer, const detect::Parameters& fold) {
    writer.key("fold").begin_object();
    writer.member("features", fold.feature_count);
    reals(writer, "mean", std::span{fold.mean}.first(fold.feature_count));
    reals(writer, "sd", std::span{fold.sd}.first(fold.feature_count));
    writer.member("smooth", fold.smooth_count);
    writer.member("window", fold.window_count);
    writer.member("range_sd", fold.range_sd);
    writer.member("adapt_rate", fold.adapt_rate);
    writer.member("anchor_sd", fold.anchor_sd_max);
    writer.member("ewma_alpha", fold.ewma_alpha);
    writer.member("threshold", fold.threshold);
    writer.member("clear_below", fold.clear_below);
    writer.member("raise_count", fold.raise_count);
    writer.member("clear_count", fold.clear_count);
    writer.end_object();
}

void write_golden(wire::Writer& writer, const Golden& golden, std::size_t feature_count) {
    writer.key("golden").begin_object();
    writer.key("features").begin_array();
    for (std::size_t i = 0; i < golden.steps; ++i) {
        writer.begin_array();
        for (std::size_t k = 0; k < feature_count; ++k)
            writer.value(golden.features[i][k]);
        writer.end_array();
    }
    writer.end_array();
    reals(writer, "values", std::span{golden.values}.first(golden.steps));
    writer.end_object();
}

}  // namespace

base::Result<std::string_view> compose(
    const Manifest& manifest, std::string_view card, std::span<char> into
) {
    wire::Writer writer{into};
    writer.begin_object();
    writer.member("format", 1);
    writer.member("name", manifest.name.view());
    writer.member("class", manifest.device_class.view());
    writer.member("level", manifest.level);
    writer.member("release", manifest.release);
    writer.member("sha256", hex_of(manifest.tflite_sha256).view());
    writer.member("bytes", manifest.tflite_bytes);
    writer.member("arena_bytes", manifest.arena_bytes);
    writer.member("feature_set", wire::write_hex32(manifest.feature_set).view());
    writer.member("keep_state", manifest.keep_state);
    write_fold(writer, manifest.fold);
    write_golden(writer, manifest.golden, manifest.fold.feature_count);
    if (!card.empty()) writer.key("card").raw(card);
    writer.end_object();
    return writer.finish();
}

}  // namespace stator::bundle
