// replay: runs one fuzzer over each file of its corpus, as ./test does with all of them.
//
// usage: stator_replay FUZZER FOLDER   (a file's name comes before its run: the last one failed)
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

using Fuzzer = int (*)(const std::uint8_t*, std::size_t);

#define FUZZER(name) extern "C" int name(const std::uint8_t*, std::size_t);
#include "fuzzers.inc"
#undef FUZZER

namespace {

const std::map<std::string, Fuzzer> fuzzers{
#define FUZZER(name) {#name, name},
#include "fuzzers.inc"
#undef FUZZER
};

}  // namespace

int main(int argc, char** argv) {
    const auto fuzzer = argc == 3 ? fuzzers.find(argv[1]) : fuzzers.end();
    if (fuzzer == fuzzers.end()) {
        std::cerr << "usage: stator_replay FUZZER FOLDER, where FUZZER is one of:\n";
        for (const auto& [name, run] : fuzzers)
            std::cerr << "  " << name << '\n';
        return 2;
    }
    std::set<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{argv[2]})
        files.insert(entry.path());
    for (const auto& file : files) {
        std::cout << file.filename().string() << std::endl;
        std::ifstream in{file, std::ios::binary};
        if (!in) return 1;
        // Exactly as long as the file, so that a step beyond it is seen.
        const std::vector<char> read{std::istreambuf_iterator<char>{in}, {}};
        const std::vector<std::uint8_t> bytes{read.begin(), read.end()};
        fuzzer->second(bytes.data(), bytes.size());
    }
    std::cout << files.size() << " inputs of " << argv[2] << '\n';
    return files.empty() ? 1 : 0;
}
