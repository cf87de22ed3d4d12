// The shape of a dynamic batch, joined out of its parts by CONCATENATION: done at load, or refused.
#include "learn/quantise/tflite_writer.h"
#include "shared/tinyml/model.h"

#include <gmock/gmock.h>

#include <vector>

namespace stator::tinyml {
namespace {

using quantise::OperatorSpec;
using quantise::Option;
using quantise::TensorSpec;
using quantise::TfliteWriter;
using testing::ElementsAre;
using testing::HasSubstr;

using Shape = std::vector<std::int32_t>;

constexpr std::int32_t rows = 1;
constexpr std::int32_t columns = 2;
constexpr std::int32_t depth = 3;

// in [1,2,3] -> RESHAPE to what the joined vector says, [1,6] -> RELU -> out
struct Joined {
    Joined() : in{writer.add(TensorSpec{.name = "in", .shape = {rows, columns, depth}})} {}

    std::int32_t numbers(const std::vector<std::int32_t>& values) {
        TensorSpec spec{.name = "n", .kind = Kind::int32};
        spec.shape = {static_cast<std::int32_t>(values.size())};
        spec.data.assign(
            reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int32_t)
        );
        return writer.add(spec);
    }

    std::int32_t computed(std::int32_t count) {
        return writer.add(TensorSpec{.name = "c", .kind = Kind::int32, .shape = {count}});
    }

    // The batch as a vector of one: SHAPE and its first number, as a converter has it.
    std::int32_t batch() {
        const std::int32_t shape = computed(3);
        writer.add({.op = Op::shape, .inputs = {in}, .outputs = {shape}});
        const std::int32_t made = computed(1);
        OperatorSpec slice{.op = Op::strided_slice, .options_type = 32};
        slice.inputs = {shape, numbers({0}), numbers({1}), numbers({1})};
        slice.outputs = {made};
        writer.add(slice);
        return made;
    }

    std::string join(
        const std::vector<std::int32_t>& parts,
        std::int32_t count,
        const std::vector<Option>& options = {}
    ) {
        const std::int32_t wanted = computed(count);
        OperatorSpec op{.op = Op::concatenation, .options_type = 10};
        op.inputs = parts;
        op.outputs = {wanted};
        op.options = options;
        writer.add(op);
        const Shape flat_shape{rows, columns * depth};
        const std::int32_t flat = writer.add(TensorSpec{.name = "flat", .shape = flat_shape});
        writer.add({.op = Op::reshape, .inputs = {in, wanted}, .outputs = {flat}});
        const std::int32_t out = writer.add(TensorSpec{.name = "out", .shape = flat_shape});
        writer.add({.op = Op::relu, .inputs = {flat}, .outputs = {out}});
        return writer.finish(in, out, "");
    }

    TfliteWriter writer;
    std::int32_t in;
};

std::string refusal(const std::string& file) {
    Reason reason;
    return check(std::as_bytes(std::span{file}), reason) ? "none" : std::string{reason.view()};
}

std::vector<float> run(const std::string& file) {
    Reason reason;
    const auto bytes = std::as_bytes(std::span{file});
    const auto needs = check(bytes, reason);
    EXPECT_TRUE(needs) << reason.view();
    if (!needs) return {};
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = Model::load(bytes, arena, reason);
    EXPECT_TRUE(model) << reason.view();
    std::vector<float> out(needs->output_count);
    model->invoke(std::vector<float>{1, -2, 3, -4, 5, -6}, out);
    return out;
}

TEST(Concatenation, of_two_constant_vectors_is_folded_at_load) {
    Joined it;
    const auto first = it.numbers({1});
    const auto second = it.numbers({6});
    EXPECT_THAT(run(it.join({first, second}, 2)), ElementsAre(1, 0, 3, 0, 5, 0));
}

TEST(Concatenation, of_a_folded_vector_and_a_constant_is_folded_at_load) {
    Joined it;
    const auto batch = it.batch();
    const auto rest = it.numbers({6});
    EXPECT_THAT(run(it.join({batch, rest}, 2)), ElementsAre(1, 0, 3, 0, 5, 0));
}

TEST(Concatenation, keeps_the_order_of_its_parts) {
    Joined it;
    const auto first = it.numbers({6});
    const auto second = it.numbers({1});
    EXPECT_THAT(
        refusal(it.join({first, second}, 2)), HasSubstr("does not have the shape it asks for")
    );
}

TEST(Concatenation, of_more_numbers_than_a_shape_may_have_is_refused) {
    Joined it;
    const auto first = it.numbers({1, 6, 1, 1, 1, 1, 1, 1});
    const auto second = it.numbers({1});
    EXPECT_EQ(refusal(it.join({first, second}, 9)), "op CONCATENATION: too many numbers");
}

TEST(Concatenation, of_fewer_numbers_than_its_output_holds_is_refused) {
    Joined it;
    const auto first = it.numbers({1});
    const auto second = it.numbers({6});
    EXPECT_EQ(
        refusal(it.join({first, second}, 3)),
        "op CONCATENATION: its output does not hold its 2 numbers"
    );
}

TEST(Concatenation, along_another_axis_is_refused) {
    Joined it;
    const auto first = it.numbers({1});
    const auto second = it.numbers({6});
    EXPECT_EQ(
        refusal(it.join({first, second}, 2, {{0, Option::Width::word, 1}})),
        "op CONCATENATION: only supported along the first axis"
    );
}

TEST(Concatenation, with_an_activation_is_refused) {
    Joined it;
    const auto first = it.numbers({1});
    const auto second = it.numbers({-1});  // RELU would make it 0
    EXPECT_EQ(
        refusal(it.join({first, second}, 2, {{1, Option::Width::byte, 1}})),
        "op CONCATENATION: fused activation 1 not supported"
    );
}

TEST(Concatenation, of_data_is_refused) {
    Joined it;
    const auto first = it.numbers({1});
    EXPECT_EQ(refusal(it.join({first, it.in}, 2)), "op CONCATENATION: only supported on constants");
}

}  // namespace
}  // namespace stator::tinyml
