// tidy: the rules of STYLE.md that no off-the-shelf linter knows. Runs as the test "tidy".
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Words = std::set<std::string>;

// Who may include whom. Stages meet only in shared/wire (messages) and store/ (what lasts).
const std::map<std::string, Words> may_include = {
    {"shared", {"shared"}},
    {"sense", {"shared", "sense"}},
    {"world", {"shared", "world"}},
    {"store", {"shared", "world", "store"}},
    {"transport", {"shared", "world", "store", "transport"}},
    {"learn", {"shared", "world", "store", "learn"}},
    {"decide", {"shared", "world", "store", "decide"}},
    {"act", {"shared", "world", "store", "act"}},
};
const Words no_heap = {"shared", "sense"};  // but for the host port, which has an OS below it
const std::regex heap_words{R"(\b(new|malloc|throw|std::(string|vector|map|function|shared_ptr))\b)"
};
// Pure computation libraries, which do no input or output, may be used outside the doors.
const std::regex system_include{
    R"(^#include <(?!fmt/|nlohmann/|flatbuffers/|Eigen/|zip\.h|toml\+\+/|CLI/)(.*/|[a-z_0-9]+\.h>))"
};
const std::regex own_include{R"re(^#include "([a-z_]+)/)re"};

int main(int argc, char** argv) {
    const fs::path src = argc > 1 ? argv[1] : "src";
    int errors = 0;
    for (const auto& entry : fs::recursive_directory_iterator{src}) {
        const fs::path& file = entry.path();
        if (file.extension() != ".h" && file.extension() != ".cpp") continue;
        const std::string stage = fs::relative(file, src).begin()->string();
        // The one part of the device that stands on an operating system.
        const bool on_host =
            fs::relative(file, src).generic_string().starts_with("sense/port/host");
        // A port is written against its machine and the libraries it has.
        const bool is_port = fs::relative(file, src).generic_string().starts_with("sense/port/");
        // The gate's C entry is written against the broker's and OpenSSL's headers.
        const bool is_entry =
            fs::relative(file, src).generic_string().starts_with("transport/gate/plugin");
        const std::string stem = file.stem().string();
        const bool is_test = stem.ends_with("_test") || stem.ends_with("_fuzz");
        int number = 0;
        const auto complain = [&](const std::string& what) {
            std::cerr << file.string() << ':' << number << ": error: " << what << '\n';
            ++errors;
        };
        std::ifstream in{file};
        for (std::string line; std::getline(in, line);) {
            ++number;
            const std::string code = line.substr(0, line.find("//"));
            if (number == 1 && file.extension() == ".h" && !line.starts_with("// "))
                complain("a header begins with the sentence that says what it is");
            if (line.size() > 100) complain("line exceeds 100 columns");
            if (line.find("FIXME") != std::string::npos) complain("leftover FIXME");
            // <new> has std::launder, too; what a header brings is looked for where it is used.
            if (no_heap.contains(stage) && !on_host && !is_test && !code.starts_with("#include") &&
                std::regex_search(code, heap_words))
                complain(stage + "/ has no heap and no exceptions");
            std::smatch m;
            if (std::regex_search(line, m, own_include) && may_include.contains(stage) &&
                !may_include.at(stage).contains(m[1]) && !(on_host && m[1] == "world"))
                complain(stage + "/ may not include " + m[1].str() + "/");
            // The compiler's own names for instructions; no system stands behind them.
            const bool is_instructions =
                line == "#include <immintrin.h>" || line == "#include <arm_neon.h>";
            if (!is_instructions && stage != "world" && !is_port && !is_test && !is_entry &&
                std::regex_search(line, system_include))
                complain("only world/ includes third-party and system headers");
        }
        if (number > 500) complain("file exceeds 500 lines");
    }
    return errors == 0 ? 0 : 1;
}
