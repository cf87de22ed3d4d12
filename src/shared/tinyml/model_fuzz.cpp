// Any bytes: check() refuses them, or the model runs inside its file and its arena.
#include "shared/tinyml/model.h"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using namespace stator::tinyml;

constexpr std::uint64_t macs_most = 200'000;  // so that an execution stays short
constexpr std::size_t arena_most = std::size_t{1} << 20;

void run(std::span<const std::byte> file, const Needs& needs, Rounding rounding) {
    // not a byte more than promised, and at an odd address
    std::vector<std::byte> memory(needs.arena_bytes + 1);
    const std::span arena = std::span{memory}.subspan(1);
    Reason reason;
    auto model = Model::load(file, arena, reason, rounding);
    if (!model) std::abort();  // check() said that it loads
    std::vector<float> output(needs.output_count);
    for (const float value : {0.0F, -3.5F, 1e30F, 0.0F / 1.0F}) {
        const std::vector<float> input(needs.input_count, value);
        model->invoke(input, output);
    }
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
