// Every int8 model of the zoo by tiles of rows, and row by row: the same bytes.
#include "shared/tinyml/batch.h"

#include "oracle/zoo.h"
#include "shared/tinyml/tile.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace stator::tinyml {
namespace {

struct Tally {
    std::size_t models = 0;
    std::size_t by_tiles = 0;
};

constexpr std::array<std::size_t, 4> row_counts{0, 1, 16, 37};

// Real values, some of them no numbers, by the bits of Model::invoke().
void compare_reals(const std::string& name, Model& model, Batch& batch) {
    const std::size_t width = model.needs().input_count;
    const std::size_t height = model.needs().output_count;
    std::mt19937 chance{6};
    std::normal_distribution<float> usual{0.0F, 3.0F};
    for (const std::size_t rows : row_counts) {
        std::vector<float> in(rows * width);
        for (float& value : in) {
            value = usual(chance);
            if (chance() % 50 == 0) value = std::numeric_limits<float>::quiet_NaN();
            if (chance() % 50 == 0) value = std::numeric_limits<float>::infinity();
        }
        std::vector<float> out(rows * height, 77.0F);
        std::vector<float> expected(out.size());
        batch.invoke(in, out);
        for (std::size_t i = 0; i < rows; ++i)
            model.invoke(
                std::span{in}.subspan(i * width, width),
                std::span{expected}.subspan(i * height, height)
            );
        if (!out.empty()) {
            ASSERT_EQ(std::memcmp(out.data(), expected.data(), 4 * out.size()), 0) << name;
        }
    }
}

void compare(const std::string& name, const std::string& tflite, Rounding rounding, Tally& tally) {
    const auto file = std::as_bytes(std::span{tflite});
    Reason reason;
    const auto needs = check(file, reason);
    ASSERT_TRUE(needs) << name << ": " << reason.view();
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = Model::load(file, arena, reason, rounding);
    ASSERT_TRUE(model) << name;
    std::vector<std::byte> room(Batch::room_bytes(*model));  // not a byte too large
    Batch batch{*model, room};
    ++tally.models;
    if (!room.empty()) ++tally.by_tiles;
    compare_reals(name, *model, batch);
    if (needs->input_type != Type::int8 || needs->output_type != Type::int8) return;
    std::mt19937 chance{5};
    for (const std::size_t rows : row_counts) {
        std::vector<std::int8_t> in(rows * needs->input_count);
        for (std::int8_t& value : in)
            value = static_cast<std::int8_t>(chance());
        std::vector<std::int8_t> out(rows * needs->output_count, std::int8_t{77});
        std::vector<std::int8_t> expected(out.size());
        batch.invoke_raw(in, out);
        for (std::size_t i = 0; i < rows; ++i) {
            model->invoke_raw(
                std::span{in}.subspan(i * needs->input_count, needs->input_count),
                std::span{expected}.subspan(i * needs->output_count, needs->output_count)
            );
        }
        ASSERT_EQ(out, expected) << name << ", " << rows << " rows";
    }
}

TEST(Batch, gives_every_model_of_the_zoo_the_bytes_of_single_rows) {
    Tally tally;
    oracle::make_zoo([&](const std::string& name, const std::string& tflite) {
        compare(name, tflite, Rounding::double_, tally);
        compare(name, tflite, Rounding::single, tally);
    });
    EXPECT_GE(tally.models, 100U);
    EXPECT_GE(tally.by_tiles, tile_kernel() != nullptr ? 20U : 0U);
    RecordProperty("models", static_cast<int>(tally.models));
    RecordProperty("by_tiles", static_cast<int>(tally.by_tiles));
}

}  // namespace
}  // namespace stator::tinyml
