#include "world/settings/read_toml.h"

#include <gmock/gmock.h>

namespace stator::settings {
namespace {

using testing::StartsWith;

void refused(std::string_view text, std::string_view beginning) {
    const auto read = read_toml(text, "site.toml");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().fault, base::Fault::bad_input);
    EXPECT_THAT(read.error().what, StartsWith(beginning)) << text;
}

TEST(ReadToml, ReadsWhatASiteWrites) {
    const auto read = read_toml(
        "\xEF\xBB\xBF# Pümpe\n[log]\nbytes = 12 # größer\n"
        "title = \"Pümpe €𝄞\\\\\" # \"ä\n"
        "list = [\n  [1, 2],\n  [],  # leer '''\n]\n"
        "[ \"Prüfstand\" ]\na = \"\\\"ü\"\n[[asset]]\n",
        "site.toml"
    );
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ((*read)["log"]["bytes"].value<int>(), 12);
    EXPECT_EQ((*read)["log"]["title"].value<std::string>(), "Pümpe €𝄞\\");
    EXPECT_EQ((*read)["Prüfstand"]["a"].value<std::string>(), "\"ü");
    EXPECT_EQ((*read)["log"]["list"].as_array()->size(), 2U);
}

TEST(ReadToml, NamesTheFileAndTheLineOfWhatIsNoToml) {
    refused("[log]\nbytes = \n", "site.toml:2: ");
    refused("[log\n", "site.toml:1: ");
    refused("a = 1\na = 2\n", "site.toml:2: ");
}

TEST(ReadToml, RefusesWhatTheParserDoesNotSurvive) {
    refused("\n[?]\n", "site.toml:2: after [ a name is expected");
    refused("[[\n", "site.toml:1: after [ a name is expected");
    refused("[[[broker.hall]]]\n", "site.toml:1: after [ a name is expected");
    refused("[ [broker.hall] ]\n", "site.toml:1: after [ a name is expected");
    refused("a = 1\n[broker.halл]\n", "site.toml:2: a letter beyond ASCII");
    refused("prüfstand = 1\n", "site.toml:1: a letter beyond ASCII");
    refused("a = 'ü'\n", "site.toml:1: a letter beyond ASCII may stand in");
    refused("a = 4\"ü\"\n", "site.toml:1: ");
    refused("a = \"\\ü\"\n", "site.toml:1: there is no such escape");
    refused("a = \"\xC3\"\n", "site.toml:1: the bytes are not UTF-8");
    refused("a = \"\"\"b\\\nü\"\"\"\n", "site.toml:1: a text of several lines");
    refused("a = '''b'''\n", "site.toml:1: a text of several lines");
}

}  // namespace
}  // namespace stator::settings
