#include "shared/tinyml/dense.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace stator::tinyml {
namespace {

#if defined(__x86_64__)

struct Layer {
    std::vector<std::int8_t> x, weights, y;
    std::vector<std::int32_t> bias, scale;
    Dense dense;
};

Layer layer_of(std::uint32_t depth, std::uint32_t units, bool each, std::mt19937& chance) {
    const auto within = [&](int low, int high) {
        return std::uniform_int_distribution<int>{low, high}(chance);
    };
    Layer made;
    for (std::uint32_t i = 0; i < depth; ++i)
        made.x.push_back(static_cast<std::int8_t>(within(-128, 127)));
    for (std::uint32_t i = 0; i < depth * units; ++i)
        made.weights.push_back(static_cast<std::int8_t>(within(-128, 127)));
    for (std::uint32_t i = 0; i < units; ++i) {
        const bool wild = within(0, 9) == 0;
        made.bias.push_back(
            wild ? (within(0, 1) == 0 ? std::numeric_limits<std::int32_t>::min()
                                      : std::numeric_limits<std::int32_t>::max())
                 : within(-100'000, 100'000)
        );
    }
    const std::uint32_t channels = each ? units : 1;
    for (std::uint32_t i = 0; i < channels; ++i)
        made.scale.push_back(within(0, 19) == 0 ? 0 : within(1 << 30, 0x7FFFFFFF));
    for (std::uint32_t i = 0; i < channels; ++i)
        made.scale.push_back(within(0, 4) == 0 ? within(shift_min, shift_max) : within(-12, -3));
    made.y.assign(units, 0);
    made.dense = {
        .depth = depth,
        .units = units,
        .channels = channels,
        .x_zero = within(-128, 127),
        .y_zero = within(-128, 127),
        .low = within(-128, 0),
    };
    return made;
}

template <Rounding rounding>
void expect_same_bits() {
    std::mt19937 chance{9};
    for (int round = 0; round < 4000; ++round) {
        const auto depth = static_cast<std::uint32_t>(1 + round % 67);
        Layer layer =
            layer_of(depth, static_cast<std::uint32_t>(1 + chance() % 21), round % 2 == 0, chance);
        Dense dense = layer.dense;
        dense.x = layer.x.data();
        dense.weights = layer.weights.data();
        if (round % 5 != 0) dense.bias = reinterpret_cast<const std::byte*>(layer.bias.data());
        dense.scale = reinterpret_cast<const std::byte*>(layer.scale.data());
        dense.y = layer.y.data();
        dense_portable<rounding>(dense);
        const std::vector<std::int8_t> portable = layer.y;
        std::fill(layer.y.begin(), layer.y.end(), std::int8_t{77});
        dense_avx2(dense, rounding);
        ASSERT_EQ(layer.y, portable) << "round " << round << ", depth " << depth;
    }
}

TEST(Dense, avx2_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
    expect_same_bits<Rounding::double_>();
    expect_same_bits<Rounding::single>();
}

#endif

}  // namespace
}  // namespace stator::tinyml
