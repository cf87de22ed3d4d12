// Every model of the zoo, with one byte changed or with its end cut off: refused, or run in bounds.
#include "oracle/zoo.h"
#include "shared/tinyml/model.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace stator::tinyml {
namespace {

constexpr std::uint64_t macs_most = 20'000;
constexpr std::size_t arena_most = std::size_t{1} << 16;

struct Tally {
    std::size_t refused = 0;
    std::size_t ran = 0;
};

// Runs what check() accepts, in buffers that are not a byte too large (the sanitizers watch).
void try_file(const std::vector<std::byte>& file, Tally& tally) {
    Reason reason;
    const auto needs = check(file, reason);
    if (!needs) {
        ASSERT_FALSE(reason.empty()) << "refused without a word";
        ++tally.refused;
        return;
    }
    if (needs->macs > macs_most || needs->arena_bytes > arena_most) return;
    ++tally.ran;
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = Model::load(file, arena, reason);
    ASSERT_TRUE(model) << reason.view();
    const std::vector<float> input(needs->input_count, 1.5F);
    std::vector<float> output(needs->output_count);
    model->invoke(input, output);
}

std::map<std::string, std::vector<std::byte>> zoo() {
    std::map<std::string, std::vector<std::byte>> models;
    oracle::make_zoo([&](const std::string& name, const std::string& tflite) {
        const auto bytes = std::as_bytes(std::span{tflite});
        models[name] = {bytes.begin(), bytes.end()};
    });
    return models;
}

TEST(Mutation, every_model_of_the_zoo_runs_as_it_was_written) {
    Tally tally;
    const auto models = zoo();
    EXPECT_GE(models.size(), 100U);
    for (const auto& [name, file] : models) {
        Reason reason;
        EXPECT_TRUE(check(file, reason)) << name << ": " << reason.view();
        try_file(file, tally);
    }
    EXPECT_EQ(tally.refused, 0U);
}

TEST(Mutation, a_changed_byte_is_refused_or_runs_in_bounds) {
    Tally tally;
    for (const auto& [name, file] : zoo()) {
        std::vector<std::byte> changed = file;
        for (std::size_t at = 0; at < file.size(); ++at) {
            for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
                changed[at] = file[at] ^ std::byte{static_cast<unsigned char>(flip)};
                try_file(changed, tally);
            }
            changed[at] = file[at];
        }
    }
    std::cout << tally.refused << " refused, " << tally.ran << " run\n";
    EXPECT_GT(tally.refused, 10'000U);
    EXPECT_GT(tally.ran, 10'000U);  // a weight or a name may be anything
}

TEST(Mutation, a_file_cut_at_any_length_is_refused_or_runs_in_bounds) {
    Tally tally;
    for (const auto& [name, file] : zoo()) {
        for (std::size_t size = 0; size < file.size(); ++size) {
            const auto end = file.begin() + static_cast<std::ptrdiff_t>(size);
            try_file(std::vector<std::byte>{file.begin(), end}, tally);
        }
    }
    EXPECT_GT(tally.refused, 10'000U);
}

}  // namespace
}  // namespace stator::tinyml
