#include "shared/bundle/manifest.h"

#include "shared/tinyml/model.h"
#include "shared/wire/json.h"

#include <algorithm>
#include <cmath>

namespace stator::bundle {

namespace {

constexpr std::int64_t format_version = 1;
constexpr std::size_t signature_digits = 128;

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> into) {
    if (text.size() != 2 * into.size()) return false;
    for (std::size_t i = 0; i < into.size(); ++i) {
        const int high = digit_of(text[2 * i]);
        const int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        into[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

// Reads members and remembers that one was wrong: the caller asks once, at the end.
class Reader {
  public:
    explicit Reader(const wire::Value& object) : object_{object} {}

    template <std::size_t bytes_max>
    void text(std::string_view name, base::FixedString<bytes_max>& into) {
        fine_ = object_.text(name, into).has_value() && fine_;
    }

    void hex(std::string_view name, std::span<std::uint8_t> into) {
        base::FixedString<64> digits;
        text(name, digits);
        fine_ = read_hex(digits.view(), into) && fine_;
    }

    template <typename Whole>
    void whole(std::string_view name, Whole& into, std::int64_t low, std::int64_t high) {
        const auto number = object_.integer(name);
        fine_ = number && *number >= low && *number <= high && fine_;
        if (fine_) into = static_cast<Whole>(*number);
    }

    void real(std::string_view name, float& into, float low, float high) {
        const auto number = object_.number_float(name);
        fine_ = number && *number >= low && *number <= high && fine_;
        if (fine_) into = *number;
    }

    void flag(std::string_view name, bool& into) {
        const auto value = object_.boolean(name);
        fine_ = value.has_value() && fine_;
        if (fine_) into = *value;
    }

    void reals(std::string_view name, std::span<float> into) {
        const auto list = object_.member(name);
        const auto count = list ? list->numbers(into) : base::Result<std::size_t>{std::size_t{0}};
        fine_ = list && count && *count == into.size() && fine_;
    }

    [[nodiscard]] bool fine() const { return fine_; }

  private:
    const wire::Value& object_;
    bool fine_ = true;
};

bool read_fold(const wire::Value& object, detect::Parameters& into) {
    Reader reader{object};
    reader.whole("features", into.feature_count, 1, asset::features_max);
    if (!reader.fine()) return false;
    reader.reals("mean", std::span{into.mean}.first(into.feature_count));
    reader.reals("sd", std::span{into.sd}.first(into.feature_count));
    reader.whole("smooth", into.smooth_count, 1, detect::smooth_max);
    reader.whole("window", into.window_count, 1, detect::window_max);
    reader.real("range_sd", into.range_sd, 1.0F, 1000.0F);
    reader.real("adapt_rate", into.adapt_rate, 0.0F, 1.0F);
    reader.real("anchor_sd", into.anchor_sd_max, 0.0F, 1000.0F);
    reader.real("ewma_alpha", into.ewma_alpha, 1e-4F, 1.0F);
    reader.real("threshold", into.threshold, 0.0F, 1.0F);
    reader.real("clear_below", into.clear_below, 0.0F, 1.0F);
    reader.whole("raise_count", into.raise_count, 1, 1'000'000);
    reader.whole("clear_count", into.clear_count, 1, 1'000'000);
    constexpr float sd_min = 1e-20F;
    return reader.fine() &&
           std::ranges::all_of(
               std::span{into.sd}.first(into.feature_count), [](float sd) { return sd >= sd_min; }
           ) &&
           into.clear_below <= into.threshold;
}

bool read_golden(const wire::Value& object, std::size_t feature_count, Golden& into) {
    const auto rows = object.member("features");
    if (!rows || rows->size() == 0 || rows->size() > golden_steps_max) return false;
    into.steps = rows->size();
    wire::Elements elements = rows->elements();
    wire::Value row;
    for (std::size_t i = 0; elements.next(row); ++i) {
        const auto count = row.numbers(std::span{into.features[i]}.first(feature_count));
        if (!count || *count != feature_count) return false;
    }
    Reader reader{object};
    reader.reals("values", std::span{into.values}.first(into.steps));
    return reader.fine();
}

std::unexpected<base::Fault> refuse(Refusal& refusal, base::Fault fault, std::string_view why) {
    refusal = Refusal{why};
    return std::unexpected{fault};
}

}  // namespace

base::Result<Envelope> open_envelope(std::string_view text) {
    Envelope made;
    if (text.size() > envelope_bytes_max || text.size() < signature_digits + 2 ||
        text[signature_digits] != '\n' ||
        !read_hex(text.substr(0, signature_digits), made.signature))
        return std::unexpected{base::Fault::bad_input};
    made.json = text.substr(signature_digits + 1);
    return made;
}

base::Result<Manifest> parse(std::string_view json) {
    const auto bad = [] { return base::Result<Manifest>{std::unexpected{base::Fault::bad_input}}; };
    if (json.size() > envelope_bytes_max) return bad();
    const auto root = wire::Value::parse(json);
    if (!root) return bad();
    Manifest made;
    Reader reader{*root};
    std::int64_t format = 0;
    reader.whole("format", format, format_version, format_version);
    reader.text("name", made.name);
    reader.text("class", made.device_class);
    reader.whole("level", made.level, 1, 2);
    reader.whole("release", made.release, 0, 0x7FFFFFFF);
    reader.hex("sha256", made.tflite_sha256);
    reader.whole("bytes", made.tflite_bytes, 1, 64 << 20);
    reader.whole("arena_bytes", made.arena_bytes, 0, 64 << 20);
    std::array<std::uint8_t, 4> hash{};
    reader.hex("feature_set", hash);
    for (const std::uint8_t byte : hash)
        made.feature_set = made.feature_set << 8U | byte;
    reader.flag("keep_state", made.keep_state);
    const auto fold = root->member("fold");
    const auto golden = root->member("golden");
    if (!reader.fine() || !fold || !golden || !read_fold(*fold, made.fold) ||
        !read_golden(*golden, made.fold.feature_count, made.golden))
        return bad();
    return made;
}

base::Result<tinyml::Needs> check_needs(
    const Manifest& manifest, std::span<const std::byte> tflite, Refusal& refusal
) {
    using base::Fault;
    tinyml::Reason reason;
    const auto needs = tinyml::check(tflite, reason);
    if (!needs) return refuse(refusal, Fault::bad_input, reason.view());
    if (needs->input_count != manifest.fold.feature_count * manifest.fold.window_count ||
        needs->output_count != 1)
        return refuse(refusal, Fault::bad_input, "its inputs or outputs are not the manifest's");
    // less may be: the runtime that it was signed with may have needed more
    if (needs->arena_bytes > manifest.arena_bytes)
        return refuse(refusal, Fault::bad_input, "it needs a larger arena than its manifest says");
    return *needs;
}

base::Result<Manifest> check(
    std::string_view envelope_text,
    std::span<const std::byte> tflite,
    const Receiver& receiver,
    Verifier& verifier,
    Refusal& refusal
) {
    using base::Fault;
    const auto envelope = open_envelope(envelope_text);
    if (!envelope) return refuse(refusal, Fault::bad_input, "the manifest is not signed");
    if (!verifier.verify(envelope->json, envelope->signature))
        return refuse(refusal, Fault::denied, "the signature does not verify");
    auto manifest = parse(envelope->json);
    if (!manifest) return refuse(refusal, Fault::bad_input, "the manifest cannot be read");
    if (!receiver.name.empty() && !(manifest->name == receiver.name))
        return refuse(refusal, Fault::not_found, "its manifest is of another model");
    if (!(manifest->device_class == receiver.device_class) || manifest->level != receiver.level)
        return refuse(refusal, Fault::not_found, "it is for another class or level");
    if (manifest->release <= receiver.release)
        return refuse(refusal, Fault::denied, "its release does not rise");
    if (manifest->feature_set != receiver.feature_set)
        return refuse(refusal, Fault::bad_input, "it was made for another feature set");
    if (tflite.size() != manifest->tflite_bytes)
        return refuse(
            refusal, Fault::bad_input, "the file has another size than its manifest says"
        );
    std::array<std::uint8_t, 32> digest{};
    verifier.sha256(tflite, digest);
    if (digest != manifest->tflite_sha256)
        return refuse(refusal, Fault::bad_input, "the file's hash is not its manifest's");
    const auto needs = check_needs(*manifest, tflite, refusal);
    if (!needs) return std::unexpected{needs.error()};
    if (needs->arena_bytes > receiver.arena_bytes_max)
        return refuse(refusal, Fault::full, "it needs a larger arena than there is");
    return manifest;
}

base::Result<void> run_golden(const Manifest& manifest, tinyml::Model& model, Refusal& refusal) {
    detect::State state;
    for (std::size_t i = 0; i < manifest.golden.steps; ++i) {
        const detect::Verdict verdict = detect::step(
            state,
            std::span{manifest.golden.features[i]}.first(manifest.fold.feature_count),
            manifest.fold,
            model
        );
        if (verdict.value != manifest.golden.values[i]) {
            refusal = Refusal{"its golden sequence gives another result here"};
            return std::unexpected{base::Fault::bad_input};
        }
    }
    return {};
}

}  // namespace stator::bundle
