// usage: stator_proof_host MODEL.tflite: runs the proof and prints "name hash" lines.
#include "sense/proof/memory_flash.h"
#include "sense/proof/proof.h"

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

namespace {

using namespace stator;

class Print final : public proof::Report {
  public:
    void value(std::string_view name, std::uint64_t value) override {
        std::printf(
            "value %.*s = %016llx\n",
            static_cast<int>(name.size()),
            name.data(),
            static_cast<unsigned long long>(value)
        );
    }

    void begin() override {}

    void end(std::string_view) override {}
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::ifstream in{argv[1], std::ios::binary};
    const std::vector<char> file{std::istreambuf_iterator<char>{in}, {}};
    std::vector<std::byte> flash_bytes(256U << 10U);
    proof::MemoryFlash flash{flash_bytes};
    Print print;
    const auto proof = std::make_unique<proof::Proof>(flash, std::as_bytes(std::span{file}), print);
    const bool fine = proof->run();
    std::puts(fine ? "proof done" : "proof failed");
    return fine ? 0 : 1;
}
