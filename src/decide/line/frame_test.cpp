#include "decide/line/frame.h"

#include "world/chance/seeded.h"

#include <gtest/gtest.h>

#include <vector>

namespace stator::line {
namespace {

std::vector<std::string> objects(std::string_view text) {
    std::vector<std::string> made;
    for (;;) {
        const Frame frame = next_frame(text);
        if (frame.cut == Cut::nothing || frame.cut == Cut::more) return made;
        if (frame.cut == Cut::object) {
            made.emplace_back(text.substr(frame.begin, frame.end - frame.begin));
        } else {
            made.emplace_back("!");
        }
        text.remove_prefix(frame.end);
    }
}

TEST(Frame, a_message_ends_with_its_object_whatever_lies_between) {
    using All = std::vector<std::string>;
    EXPECT_EQ(objects(R"({"a":1})"), (All{R"({"a":1})"}));
    EXPECT_EQ(objects("{\"a\":1}\r\n{\"b\":{}}  {}\n"), (All{R"({"a":1})", R"({"b":{}})", "{}"}));
    EXPECT_EQ(objects(R"({"a":"}{\"}"}{"b":"\\"})"), (All{R"({"a":"}{\"}"})", R"({"b":"\\"})"}));
    EXPECT_EQ(objects("GET / HTTP/1.1\n{}"), (All{"!", "{}"}));
    EXPECT_EQ(objects("}"), (All{"!"}));
    EXPECT_EQ(objects(R"({"a":{)"), (All{}));
    EXPECT_EQ(objects(R"({"a":"\)"), (All{}));
    EXPECT_EQ(objects(" \n\t"), (All{}));
}

TEST(Frame, an_object_has_a_longest_length) {
    std::string text = R"({"a":")";
    text.resize(message_bytes_max - 2, 'x');
    EXPECT_EQ(next_frame(text + "\"}").cut, Cut::object);
    EXPECT_EQ(next_frame(text + "x\"}").cut, Cut::too_long);
    EXPECT_EQ(next_frame(text).cut, Cut::more);
}

TEST(Frame, an_answer_is_read_as_it_was_written_and_nothing_else_is_one) {
    for (const float value : {0.0F, 1.0F, 0.93F, 1e-8F})
        EXPECT_EQ(read_answer(write_answer(value)), value);
    EXPECT_EQ(read_answer("inference value from the edge tpu = 0.5"), 0.5F);
    for (const char* other :
         {"inference value from the edge tpu = ",
          "inference value from the edge tpu = x",
          "inference value from the edge tpu = 0.5x",
          "inference value from the edge tpu = 1.5",
          "inference value from the edge tpu = -1",
          "inference value from the edge tpu = nan",
          "error: 0.5",
          ""})
        EXPECT_FALSE(read_answer(other)) << other;
    EXPECT_EQ(write_error("a\nb"), "error: a b\n");
    EXPECT_EQ(write_error(std::string(5000, 'x')).size(), answer_bytes_max);
}

// However a valid stream is changed or cut into pieces, the cuts stay within it and go on.
TEST(Frame, mutated_streams_are_cut_within_their_bounds) {
    chance::SeededChance dice{9};
    const std::string valid =
        R"({"deviceID":"7","current":0.5,"features":{"a":1}} {"deviceID":"\"8\\","x":[{"y":2}]})"
        "\n{}\nnonsense\n";
    int cuts = 0;
    for (int round = 0; round < 50'000; ++round) {
        std::string text = valid;
        for (std::uint64_t change = dice.below(6); change > 0; --change) {
            const auto at = static_cast<std::size_t>(dice.below(text.size()));
            constexpr std::string_view likely = "{}\"\\\n a";
            if (dice.below(3) == 0) {
                text.erase(at, 1 + static_cast<std::size_t>(dice.below(8)));
            } else {
                text[at] = dice.below(2) == 0
                               ? likely[static_cast<std::size_t>(dice.below(likely.size()))]
                               : static_cast<char>(dice.below(256));
            }
            if (text.empty()) break;
        }
        std::string_view rest{text};
        while (!rest.empty()) {
            const Frame frame = next_frame(rest);
            ASSERT_LE(frame.begin, frame.end);
            ASSERT_LE(frame.end, rest.size());
            if (frame.cut == Cut::more) break;
            ASSERT_GT(frame.end, 0U);
            if (frame.cut == Cut::object) {
                ASSERT_EQ(rest[frame.begin], '{');
                ASSERT_EQ(rest[frame.end - 1], '}');
                // In pieces it is the same object: no shorter piece of it is one.
                const auto whole = rest.substr(frame.begin, frame.end - frame.begin);
                ASSERT_EQ(next_frame(whole.substr(0, whole.size() - 1)).cut, Cut::more);
            }
            ++cuts;
            rest.remove_prefix(frame.end);
        }
    }
    EXPECT_GT(cuts, 100'000);
}

}  // namespace
}  // namespace stator::line
