// Any bytes: check() refuses them, or the model runs inside its file and its arena, and rows
// together give the bits of rows alone.
#include "shared/tinyml/batch.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

namespace {

using namespace stator::tinyml;

constexpr std::uint64_t macs_most = 200'000;  // so that an execution stays short
constexpr std::size_t arena_most = std::size_t{1} << 20;

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

void run(std::span<const std::byte> file, const Needs& needs, Rounding rounding) {
    // not a byte more than promised, and at an odd address
    std::vector<std::byte> memory(needs.arena_bytes + 1);
    const std::span arena = std::span{memory}.subspan(1);
    Reason reason;
    auto model = Model::load(file, arena, reason, rounding);
    if (!model) std::abort();  // check() said that it loads
    constexpr std::array values{0.0F, -3.5F, 1e30F, std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> inputs;
    std::vector<float> outputs(values.size() * needs.output_count);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::vector<float> input(needs.input_count, values[i]);
        model->invoke(
            input, std::span{outputs}.subspan(i * needs.output_count, needs.output_count)
        );
        inputs.insert(inputs.end(), input.begin(), input.end());
    }
    std::vector<std::byte> room(Batch::room_bytes(*model));
    Batch batch{*model, room};
    std::vector<float> together(outputs.size());
    batch.invoke(inputs, together);
    if (!same_bits(together, outputs)) std::abort();
    const std::span first{outputs.data(), needs.output_count};
    batch.invoke(
        std::span{inputs}.first(needs.input_count), std::span{together}.first(first.size())
    );
    if (!same_bits(std::span{together}.first(first.size()), first)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::byte> file(
        reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size
    );
    Reason reason;
    const auto needs = check(file, reason);
    if (!needs) {
        if (reason.empty()) std::abort();  // a refusal says why
        return 0;
    }
    if (needs->macs > macs_most || needs->arena_bytes > arena_most) return 0;
    run(file, *needs, Rounding::double_);
    run(file, *needs, Rounding::single);
    return 0;
}
