#include "shared/wire/json.h"

#include "shared/wire/decimal.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace stator::wire {
namespace {

TEST(Json, ReadsMembersByNameThroughBlanksAndEscapes) {
    const auto root =
        Value::parse(" { \"a\" : 1 , \"b\\u0063\":[ true,null , \"x\\n\\u20ac\"] } \n");
    ASSERT_TRUE(root);
    EXPECT_EQ(*root->integer("a"), 1);
    const auto list = root->member("bc");
    ASSERT_TRUE(list);
    EXPECT_EQ(list->size(), 3U);
    Elements elements = list->elements();
    Value element;
    ASSERT_TRUE(elements.next(element));
    EXPECT_TRUE(*element.boolean());
    ASSERT_TRUE(elements.next(element));
    EXPECT_EQ(element.kind(), Kind::null);
    ASSERT_TRUE(elements.next(element));
    EXPECT_TRUE(element.is("x\n\xE2\x82\xAC"));
    base::FixedString<5> text;
    EXPECT_TRUE(element.text(text));
    EXPECT_EQ(text.view(), "x\n\xE2\x82\xAC");
    base::FixedString<4> small;
    EXPECT_EQ(element.text(small).error(), base::Fault::full);
    EXPECT_FALSE(elements.next(element));
    EXPECT_EQ(root->member("zz").error(), base::Fault::not_found);
    EXPECT_EQ(root->text("a", text).error(), base::Fault::bad_input);
}

TEST(Json, ComparesWhatAStringStandsForNotHowItIsWritten) {
    const auto is = [](std::string_view json, std::string_view text) {
        const auto value = Value::parse(json);
        return value && value->is(text);
    };
    EXPECT_TRUE(is(R"("seq")", "seq"));
    EXPECT_TRUE(is("\"\\u0073eq\"", "seq"));
    EXPECT_TRUE(is("\"s\\u0065q\"", "seq"));
    EXPECT_TRUE(is(R"("")", ""));
    EXPECT_FALSE(is(R"("a")", ""));
    EXPECT_FALSE(is(R"("")", "a"));
    EXPECT_FALSE(is(R"("seq2")", "seq"));
    EXPECT_FALSE(is(R"("se")", "seq"));
    EXPECT_FALSE(is(R"("\n")", R"(\n)"));
    EXPECT_TRUE(is(R"("\n")", "\n"));
}

std::vector<std::string> shown_of(std::string_view json, bool& good) {
    std::vector<std::string> shown;
    const auto root = Value::parse(
        json,
        json_bytes_max,
        [](void* to, std::string_view name, Value value) {
            static_cast<std::vector<std::string>*>(to)->push_back(
                std::string{name} + "=" + std::string{value.raw()}
            );
        },
        &shown
    );
    good = root.has_value();
    return shown;
}

TEST(Json, ShowsTheOutermostMembersWhileItChecks) {
    bool good = false;
    EXPECT_EQ(
        shown_of(
            R"( {"a":1, "b\u0063" : {"inner":[{"x":1}]} ,"a name of more than eight":"\u0041"} )",
            good
        ),
        (std::vector<std::string>{
            "a=1",
            R"(bc={"inner":[{"x":1}]})",
            R"(a name of more than eight="\u0041")",
        })
    );
    EXPECT_TRUE(good);
    EXPECT_TRUE(shown_of(R"([{"a":1}])", good).empty());
    EXPECT_TRUE(good);
    // As long as it reads, with an escape and without one.
    const std::string longest(shown_name_bytes_max, 'n');
    EXPECT_EQ(shown_of("{\"\\u006e" + longest.substr(1) + "\":1}", good).size(), 1U);
    EXPECT_EQ(shown_of("{\"\\u006e" + longest + "\":1}", good).size(), 0U);
    EXPECT_EQ(shown_of("{\"n" + longest + "\":1}", good).size(), 1U);
    EXPECT_EQ(shown_of(R"({"a":1,"b":2,"a":3})", good).size(), 2U);
    EXPECT_FALSE(good);
}

// Names are told apart eight characters at a time: here at every length, spelled in every way.
TEST(Json, SeesANameTwiceWhateverItsLengthAndSpelling) {
    const auto spelled = [](const std::string& name, std::size_t escaped) {
        std::string text = "\"";
        for (std::size_t i = 0; i < name.size(); ++i) {
            char escape[7];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(name[i]));
            text += i == escaped ? std::string{escape} : std::string{name[i]};
        }
        return text + "\"";
    };
    for (std::size_t size = 0; size < 40; ++size) {
        std::string name;
        for (std::size_t i = 0; i < size; ++i)
            name += static_cast<char>('a' + i % 26);
        for (std::size_t escaped = 0; escaped <= size; ++escaped) {
            const std::string other = spelled(name, escaped);
            const std::string plain = spelled(name, size);
            EXPECT_FALSE(Value::parse("{" + plain + ":1," + other + ":2}")) << other;
            EXPECT_FALSE(Value::parse("{" + other + ":1, " + plain + ":2}")) << other;
            EXPECT_TRUE(Value::parse("{" + plain + ":1," + spelled(name + "z", escaped) + ":2}"));
            if (size == 0) continue;
            std::string differs = name;
            differs[escaped % size] = '-';
            EXPECT_TRUE(Value::parse("{" + plain + ":1," + spelled(differs, size) + ":2}"));
        }
    }
}

// A string's end, and what may not stand in it, are found at every place of a word of eight.
TEST(Json, FindsTheEndOfAStringAndWhatMayNotBeInIt) {
    for (std::size_t before = 0; before < 20; ++before) {
        for (std::size_t after = 0; after < 20; ++after) {
            const std::string a(before, 'a');
            const std::string z(after, 'z');
            for (int byte = 0; byte < 256; ++byte) {
                const std::string json = "[\"" + a + static_cast<char>(byte) + z + "\"]";
                const bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                EXPECT_EQ(Value::parse(json).has_value(), plain) << json;
            }
            EXPECT_TRUE(Value::parse("[\"" + a + "\xE2\x82\xAC" + z + "\\n\"]"));
        }
    }
}

TEST(Json, RefusesWhatRfc8259DoesNotAllow) {
    const std::vector<std::string> refused = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "nul",
        "NaN",
        "Infinity",
        "tru",
        "\"",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "\"\xF4\x90\x80\x80\"",
        "\"\xE2\x82\"",
        "1 2",
        "[1]]",
        "1e999",
        "-1e999",
        "'a'",
        "{\"a\":1 \"b\":2}",
        "/**/1",
        std::string{"1\0", 2},
        "[[[[[[[[[1]]]]]]]]]",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
    };
    for (const auto& text : refused)
        EXPECT_FALSE(Value::parse(text)) << text;
    const std::vector<std::string> accepted = {
        "0",
        "-0",
        "1e308",
        "1E-400",
        "\"\\ud83d\\ude00\"",
        "[[[[[[[[1]]]]]]]]",
        "{}",
        "[]",
        "[ ]",
        "{ }",
        "\"\\u0000\"",
        "{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
    };
    for (const auto& text : accepted)
        EXPECT_TRUE(Value::parse(text)) << text;
    EXPECT_EQ(Value::parse("[1,2,3]", 6).error(), base::Fault::full);
}

TEST(Json, NumbersReadAsTheLibraryReadsThem) {
    std::mt19937_64 random{1};
    for (int i = 0; i < 100'000; ++i) {
        double value = std::bit_cast<double>(random());
        if (!std::isfinite(value)) continue;
        std::array<char, 64> text{};
        const int digits = 1 + static_cast<int>(random() % 18);
        std::snprintf(text.data(), text.size(), "%.*e", digits, value);
        value = std::strtod(text.data(), nullptr);
        const auto read = to_double(text.data());
        ASSERT_EQ(read.has_value(), std::isfinite(value)) << text.data();
        if (read) {
            ASSERT_EQ(std::bit_cast<std::uint64_t>(*read), std::bit_cast<std::uint64_t>(value))
                << text.data();
        }
    }
    for (const char* text :
         {"4.9e-324",
          "2.4703282292062327e-324",
          "2.4703282292062328e-324",
          "1.7976931348623157e308",
          "2.2250738585072014e-308",
          "9007199254740993",
          "0.1",
          "1e23",
          "123456789012345678",
          "0.000001",
          "1e-30",
          "0e99999"})
        EXPECT_EQ(*to_double(text), std::strtod(text, nullptr)) << text;
    EXPECT_FALSE(to_double("1.7976931348623159e308"));
}

TEST(Json, FloatsReadBackAsTheSameFloatAndAreShort) {
    std::mt19937 random{2};
    for (int i = 0; i < 50'000; ++i) {
        const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        if (!std::isfinite(value)) continue;
        std::array<char, number_chars_max> buffer{};
        const auto text = write_float(value, buffer);
        const auto root = Value::parse(text);
        ASSERT_TRUE(root) << text;
        ASSERT_EQ(*root->number_float(), value) << text;
    }
    const auto shown = [](float value) {
        std::array<char, number_chars_max> buffer{};
        return std::string{write_float(value, buffer)};
    };
    EXPECT_EQ(shown(0.1F), "0.1");
    EXPECT_EQ(shown(26.56F), "26.56");
    EXPECT_EQ(shown(-3.0F), "-3");
    EXPECT_EQ(shown(1e9F), "1e9");
    EXPECT_EQ(shown(123456.0F), "123456");
    EXPECT_EQ(shown(0.00012F), "0.00012");
    EXPECT_EQ(shown(1.5e-7F), "1.5e-7");
    EXPECT_EQ(shown(16777216.0F), "16777216");
    EXPECT_EQ(shown(std::nanf("")), "null");
    EXPECT_EQ(shown(0.0F), "0");
}

TEST(Json, IntegersAreWholeAndFit) {
    EXPECT_EQ(*to_integer("9223372036854775807"), 9223372036854775807);
    EXPECT_EQ(*to_integer("-12"), -12);
    EXPECT_FALSE(to_integer("9223372036854775808"));
    EXPECT_FALSE(to_integer("1.0"));
    EXPECT_FALSE(to_integer("1e3"));
    std::array<char, number_chars_max> buffer{};
    EXPECT_EQ(
        write_integer(std::numeric_limits<std::int64_t>::min(), buffer), "-9223372036854775808"
    );
}

// The vectors of RFC 4648.
TEST(Json, WriterMakesBase64) {
    const std::string_view text = "foobar";
    const std::array<std::string_view, 7> made = {
        "\"\"", "\"Zg==\"", "\"Zm8=\"", "\"Zm9v\"", "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""
    };
    for (std::size_t i = 0; i <= text.size(); ++i) {
        std::array<char, 16> into{};
        Writer writer{into};
        writer.base64(std::as_bytes(std::span{text.data(), i}));
        EXPECT_EQ(*writer.finish(), made[i]);
    }
}

TEST(Json, WriterEscapesSeparatesAndNeverPassesItsBuffer) {
    const auto write = [](std::span<char> into) {
        Writer writer{into};
        writer.begin_object().member("id", "a\"\\\n\x01\xFF").member("n", 7).member("ok", true);
        writer.key("list")
            .begin_array()
            .value(1.5F)
            .value("\xC3\xA9")
            .begin_object()
            .end_object()
            .end_array();
        writer.member("last", -1);
        writer.end_object();
        return writer.finish();
    };
    std::array<char, 256> buffer{};
    const auto text = write(buffer);
    ASSERT_TRUE(text);
    EXPECT_EQ(
        *text, R"({"id":"a\"\\\u000a\u0001?","n":7,"ok":true,"list":[1.5,"é",{}],"last":-1})"
    );
    EXPECT_TRUE(Value::parse(*text));
    for (std::size_t size = 0; size < text->size(); ++size) {
        std::vector<char> exact(size);  // the address sanitizer watches its end
        EXPECT_EQ(write(exact).error(), base::Fault::full);
    }
}

TEST(Json, MutatedTextIsRefusedOrReadsWithoutLeavingIt) {
    const std::string seed = R"({"deviceID":"14333616","current":-26.56e-1,"f":{"a\u00e9":)"
                             R"([1,2,{"b":"\ud83d\ude00"}]},"t":true,"n":null})";
    std::mt19937 random{3};
    int accepted = 0;
    for (int i = 0; i < 200'000; ++i) {
        std::string text = seed.substr(0, random() % 8 == 0 ? random() % seed.size() : seed.size());
        for (std::size_t n = random() % 3 + 1; n > 0 && !text.empty(); --n)
            text[random() % text.size()] =
                random() % 4 == 0 ? static_cast<char>(random()) : seed[random() % seed.size()];
        const std::vector<char> exact{text.begin(), text.end()};
        const auto root = Value::parse({exact.data(), exact.size()});
        if (!root) continue;
        ++accepted;
        std::array<char, 128> into{};
        Members members = root->members();
        std::size_t count = 0;
        for (Member member; members.next(member); ++count) {
            EXPECT_TRUE(member.name.text(into));
            static_cast<void>(member.value.number());
            static_cast<void>(member.value.text(into));
        }
        if (root->kind() == Kind::object) {
            EXPECT_EQ(count, root->size());
        }
    }
    EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace stator::wire
