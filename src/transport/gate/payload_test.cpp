#include "transport/gate/payload.h"

#include "world/chance/seeded.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace stator::gate {

namespace {

constexpr std::size_t bytes_max = 64U << 10U;

std::string mutated(std::string text, chance::Chance& chance) {
    constexpr std::array<std::string_view, 9> pieces{
        R"("deviceID")", R"("seq":)", R"("boot":)", "{", "}", R"("\u0000")", "\xff", "1e999", ","
    };
    const auto below = [&](std::size_t bound) {
        return static_cast<std::size_t>(chance.below(bound));
    };
    for (std::size_t left = 1 + below(4); left > 0; --left) {
        const std::size_t at = below(text.size() + 1);
        switch (below(4)) {
            case 0:
                if (at < text.size()) text[at] = static_cast<char>(below(256));
                break;
            case 1:
                text.erase(at, below(8));
                break;
            case 2:
                text.insert(at, pieces[below(pieces.size())]);
                break;
            default:  // a member twice, a value moved
                text.insert(at, text.substr(below(text.size() + 1), below(40)));
        }
    }
    return text;
}

TEST(Payload, what_is_accepted_stays_acceptable_when_completed_whatever_the_mutation) {
    const std::array<std::string, 4> seeds{
        R"({"deviceID":"14333616","current":0.61,"features":{"crest":3.1},"boot":3,"seq":1001})",
        R"({"deviceID":"7","event":"gap","from":4,"to":9,"boot":3,"seq":10})",
        R"({"current":-1.5e-3,"fft_data":"true","list":[1,null,{"deviceID":"8"}]})",
        R"({"deviceID":"a\u002db","note":"\ud83d\ude00 \\ \""})",
    };
    chance::SeededChance chance{17};
    std::size_t accepted = 0;
    std::size_t refused = 0;
    for (int round = 0; round < 50'000; ++round) {
        const std::string text = mutated(seeds[static_cast<std::size_t>(round) % 4], chance);
        const auto payload = scan_payload(text, bytes_max);
        if (!payload) {
            ++refused;
            continue;
        }
        ++accepted;
        const auto again =
            scan_payload(complete_payload(text, *payload, "dev-1", 7, 8), bytes_max + 200);
        ASSERT_TRUE(again) << text;
        ASSERT_FALSE(again->device.empty()) << text;
        ASSERT_TRUE(again->seq && again->boot) << text;
        if (!payload->device.empty()) {
            ASSERT_EQ(again->device.view(), payload->device.view());
        }
        if (payload->seq) {
            ASSERT_EQ(again->seq, payload->seq) << text;
        }
        ASSERT_EQ(again->is_gap, payload->is_gap) << text;
        if (payload->is_gap) {
            ASSERT_LE(payload->gap_from, payload->gap_to) << text;
        }
    }
    EXPECT_GT(accepted, 1000U);
    EXPECT_GT(refused, 25'000U);
}

TEST(Payload, who_it_is_about_cannot_be_said_twice_in_any_spelling) {
    for (const char* twice :
         {R"({"deviceID":"7","deviceID":"8"})",
          R"({"deviceID":"7","device\u0049D":"8"})",
          R"({"\u0064eviceID":"7","deviceID":"7"})",
          R"({"seq":1,"s\u0065q":2,"boot":1})"})
        EXPECT_FALSE(scan_payload(twice, bytes_max)) << twice;
    const auto spelled = scan_payload(R"({"device\u0049D":"\u0037"})", bytes_max);
    ASSERT_TRUE(spelled);
    EXPECT_EQ(spelled->device.view(), "7");
}

}  // namespace

}  // namespace stator::gate
