// usage: stator_proof_host MODEL.tflite: runs the proof and prints "name hash" lines.
#include "sense/proof/proof.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

namespace {

using namespace stator;

class MemoryFlash final : public hal::Flash {
  public:
    [[nodiscard]] std::size_t size_bytes() const override { return bytes_.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return 4096; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override {
        return std::span{bytes_}.subspan(offset, size);
    }

    base::Result<void> erase(std::size_t offset) override {
        if (offset % sector_bytes() != 0 || offset >= size_bytes())
            return std::unexpected{base::Fault::bad_input};
        std::ranges::fill(std::span{bytes_}.subspan(offset, sector_bytes()), std::byte{0xFF});
        return {};
    }

    base::Result<void> program(std::size_t offset, std::span<const std::byte> data) override {
        if (offset % hal::flash_program_bytes != 0 || data.size() % hal::flash_program_bytes != 0 ||
            offset > size_bytes() || data.size() > size_bytes() - offset)
            return std::unexpected{base::Fault::bad_input};
        for (std::size_t i = 0; i < data.size(); ++i)
            bytes_[offset + i] &= data[i];
        return {};
    }

  private:
    std::vector<std::byte> bytes_ = std::vector<std::byte>(256 << 10, std::byte{0xFF});
};

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
    MemoryFlash flash;
    Print print;
    const auto proof = std::make_unique<proof::Proof>(flash, std::as_bytes(std::span{file}), print);
    const bool fine = proof->run();
    std::puts(fine ? "proof done" : "proof failed");
    return fine ? 0 : 1;
}
