#include "shared/tinyml/dense.h"

#include "shared/tinyml/row.h"
#include "shared/tinyml/tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace stator::tinyml {

const TileKernel* emulated_vnni();     // vnni_emulated_test.cpp: none where SIMDe is not installed
const RowKernel* emulated_row_vnni();  // likewise

namespace {

struct Made {
    std::vector<std::int8_t> x, weights, y;
    std::vector<std::int32_t> bias;
    std::vector<Multiplier> scale;
    std::vector<std::byte> packed_scale;  // as it lies in an arena
    Dense dense;
};

Made made_of(std::uint32_t depth, std::uint32_t units, bool each, std::mt19937& chance) {
    const auto within = [&](int low, int high) {
        return std::uniform_int_distribution<int>{low, high}(chance);
    };
    Made made;
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
    made.packed_scale.resize(Multipliers::bytes(channels));
    for (std::uint32_t i = 0; i < channels; ++i) {
        const Multiplier by{
            within(0, 19) == 0 ? 0 : within(1 << 30, 0x7FFFFFFF),
            within(0, 4) == 0 ? within(shift_min, shift_max) : within(-12, -3),
        };
        made.scale.push_back(by);
        std::memcpy(&made.packed_scale[std::size_t{4} * i], &by.significand, 4);
        made.packed_scale[std::size_t{4} * channels + i] = static_cast<std::byte>(by.shift);
    }
    made.y.assign(units, 0);
    made.dense = {
        .depth = depth,
        .units = units,
        .x_zero = within(-128, 127),
        .y_zero = within(-128, 127),
        .low = within(-128, 0),
    };
    return made;
}

// A layer with everything in place; every fifth has no bias.
Made next_layer(int round, std::mt19937& chance) {
    const auto depth = static_cast<std::uint32_t>(1 + round % 67);
    Made made =
        made_of(depth, static_cast<std::uint32_t>(1 + chance() % 21), round % 2 == 0, chance);
    made.dense.weights = made.weights.data();
    if (round % 5 != 0) made.dense.bias = reinterpret_cast<const std::byte*>(made.bias.data());
    made.dense.scale = {made.packed_scale.data(), static_cast<std::uint32_t>(made.scale.size())};
    made.dense.x = made.x.data();
    made.dense.y = made.y.data();
    return made;
}

template <Rounding rounding>
std::int8_t by_definition(const Made& made, std::size_t unit) {
    const Dense& d = made.dense;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < d.depth; ++i) {
        const std::int32_t product = (made.x[i] - d.x_zero) * made.weights[unit * d.depth + i];
        sum += static_cast<std::uint32_t>(product);
    }
    if (d.bias != nullptr) sum += static_cast<std::uint32_t>(made.bias[unit]);
    const Multiplier& by = made.scale[made.scale.size() > 1 ? unit : 0];
    const std::int32_t steps = scaled<rounding>(static_cast<std::int32_t>(sum), by);
    return clamped(wrapped_sum(steps, d.y_zero), d.low, d.high);
}

TEST(Dense, portable_kernel_computes_each_unit_by_its_definition) {
    std::mt19937 chance{8};
    std::size_t units = 0;
    std::size_t between = 0;  // the ends, where every step of the arithmetic shows
    for (int round = 0; round < 1000; ++round) {
        const Made made = next_layer(round, chance);
        dense_portable<Rounding::double_>(made.dense);
        for (std::size_t unit = 0; unit < made.dense.units; ++unit)
            ASSERT_EQ(made.dense.y[unit], by_definition<Rounding::double_>(made, unit));
        dense_portable<Rounding::single>(made.dense);
        for (std::size_t unit = 0; unit < made.dense.units; ++unit)
            ASSERT_EQ(made.dense.y[unit], by_definition<Rounding::single>(made, unit));
        units += made.y.size();
        between += static_cast<std::size_t>(std::ranges::count_if(made.y, [&](std::int8_t y) {
            return y > made.dense.low && y < made.dense.high;
        }));
    }
    EXPECT_GT(between * 4, units);
}

template <Rounding rounding>
void expect_the_portable_bits(const TileKernel& kernel, int rounds) {
    std::mt19937 chance{10};
    for (int round = 0; round < rounds; ++round) {
        Made made = next_layer(round, chance);
        Dense& dense = made.dense;
        std::vector<std::int8_t> planes(std::size_t{dense.depth} * tile_rows);
        for (std::int8_t& value : planes)
            value = static_cast<std::int8_t>(chance());
        std::vector<std::byte> wide(kernel.wide_bytes(dense.depth));
        std::vector<std::byte> packed(kernel.packed_bytes(dense.depth, dense.units));
        std::vector<std::int8_t> y(std::size_t{dense.units} * tile_rows, std::int8_t{77});
        pack(kernel, dense, packed.data());
        kernel.widen(planes.data(), dense.depth, wide.data());
        const Tile tile{
            .wide = wide.data(),
            .packed = packed.data(),
            .scale = dense.scale,
            .y = y.data(),
            .words = kernel.words(dense.depth),
            .units = dense.units,
            .y_zero = dense.y_zero,
            .low = dense.low,
            .high = dense.high,
        };
        kernel.run(tile, rounding);
        for (std::size_t row = 0; row < tile_rows; ++row) {
            for (std::size_t i = 0; i < dense.depth; ++i)
                made.x[i] = planes[i * tile_rows + row];
            dense_portable<rounding>(dense);
            for (std::size_t unit = 0; unit < dense.units; ++unit) {
                ASSERT_EQ(y[unit * tile_rows + row], made.y[unit])
                    << kernel.name << ", round " << round << ", row " << row << ", unit " << unit;
            }
        }
    }
}

void expect_the_portable_bits_in_both_roundings(const TileKernel& kernel, int rounds = 2000) {
    expect_the_portable_bits<Rounding::double_>(kernel, rounds);
    expect_the_portable_bits<Rounding::single>(kernel, rounds);
}

#if defined(__x86_64__)

template <Rounding rounding>
void expect_same_bits() {
    std::mt19937 chance{9};
    for (int round = 0; round < 4000; ++round) {
        Made layer = next_layer(round, chance);
        dense_portable<rounding>(layer.dense);
        const std::vector<std::int8_t> portable = layer.y;
        std::fill(layer.y.begin(), layer.y.end(), std::int8_t{77});
        dense_avx2(layer.dense, rounding);
        ASSERT_EQ(layer.y, portable) << "round " << round << ", depth " << layer.dense.depth;
    }
}

TEST(Dense, avx2_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
    expect_same_bits<Rounding::double_>();
    expect_same_bits<Rounding::single>();
}

template <Rounding rounding>
void expect_the_portable_bits_of_a_row(const RowKernel& kernel) {
    std::mt19937 chance{12};
    for (int round = 0; round < 4000; ++round) {
        Made layer = next_layer(round, chance);
        dense_portable<rounding>(layer.dense);
        const std::vector<std::int8_t> portable = layer.y;
        const Dense& dense = layer.dense;
        std::vector<std::byte> packed(kernel.packed_bytes(dense.depth, dense.units));
        std::vector<std::byte> wide(kernel.wide_bytes(dense.depth));
        kernel.pack(dense, rounding, packed.data());
        layer.x.resize(layer.x.size() + RowKernel::read_beyond, std::int8_t{-93});
        std::fill(layer.y.begin(), layer.y.end(), std::int8_t{77});
        Dense alone = dense;
        alone.weights = nullptr;
        alone.bias = nullptr;
        alone.scale = {};
        alone.x = layer.x.data();
        kernel.run(alone, rounding, packed.data(), {.input = wide.data()});
        ASSERT_EQ(layer.y, portable) << "round " << round << ", depth " << dense.depth;
    }
}

TEST(Row, avx2_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
    expect_the_portable_bits_of_a_row<Rounding::double_>(row_avx2);
    expect_the_portable_bits_of_a_row<Rounding::single>(row_avx2);
}

TEST(Row, vnni_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_vnni()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
    expect_the_portable_bits_of_a_row<Rounding::double_>(row_vnni);
    expect_the_portable_bits_of_a_row<Rounding::single>(row_vnni);
}

TEST(Row, vnni_emulated_gives_the_portable_kernels_bits_in_both_roundings) {
    if (emulated_row_vnni() == nullptr) GTEST_SKIP() << "libsimde-dev is not installed";
    expect_the_portable_bits_of_a_row<Rounding::double_>(*emulated_row_vnni());
    expect_the_portable_bits_of_a_row<Rounding::single>(*emulated_row_vnni());
}

TEST(Tile, avx2_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
    expect_the_portable_bits_in_both_roundings(tile_avx2);
}

TEST(Tile, vnni_gives_the_portable_kernels_bits_in_both_roundings) {
    if (!has_vnni()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
    expect_the_portable_bits_in_both_roundings(tile_vnni);
}

TEST(Tile, vnni_emulated_gives_the_portable_kernels_bits_in_both_roundings) {
    if (emulated_vnni() == nullptr) GTEST_SKIP() << "libsimde-dev is not installed";
    expect_the_portable_bits_in_both_roundings(*emulated_vnni(), 300);
}

#elif defined(__aarch64__)

TEST(Tile, neon_gives_the_portable_kernels_bits_in_both_roundings) {
    expect_the_portable_bits_in_both_roundings(tile_neon);
}

#endif

}  // namespace
}  // namespace stator::tinyml
