// The lock-step on the board: its machine is the bench (bench.h), its order lies in PSRAM behind
// the flash, and its trace goes to `trace.txt` in the emulator's folder. No network.
#include "sense/port/cortex_m/bench.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "sense/proof/lock_step.h"

#include <algorithm>
#include <array>
#include <optional>

namespace {

using namespace stator;
using cortex_m::print;

constexpr std::size_t flash_bytes = 256U << 10U;
constexpr std::uintptr_t order_at = cortex_m::psram_begin + 0x40'0000;

class File final : public proof::Record {
  public:
    [[nodiscard]] bool open() {
        constexpr std::string_view name = "trace.txt";
        constexpr std::uint32_t to_write_anew = 5;  // "wb"
        const std::array<std::uint32_t, 3> arguments = {
            address(name.data()), to_write_anew, static_cast<std::uint32_t>(name.size())
        };
        file_ = cortex_m::semihost(cortex_m::sys_open, arguments.data());
        return file_ >= 0;
    }

    void write(std::string_view text) override {
        for (const char letter : text) {
            if (size_ == buffer_.size()) flush();
            buffer_[size_++] = letter;
        }
    }

    void flush() {
        const std::array<std::uint32_t, 3> arguments = {
            static_cast<std::uint32_t>(file_),
            address(buffer_.data()),
            static_cast<std::uint32_t>(size_)
        };
        const std::int32_t left = cortex_m::semihost(cortex_m::sys_write, arguments.data());
        whole_ = whole_ && left == 0;
        size_ = 0;
    }

    [[nodiscard]] bool whole() const { return whole_; }

  private:
    static std::uint32_t address(const void* at) {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(at));
    }

    std::int32_t file_ = -1;
    bool whole_ = true;
    std::size_t size_ = 0;
    std::array<char, 4096> buffer_{};
};

class BenchFrames final : public proof::Frames {
  public:
    explicit BenchFrames(cortex_m::Bench& bench) : bench_{bench} {}

    [[nodiscard]] base::Result<void> next(std::span<std::uint16_t> counts) override {
        return bench_.read_all(counts.size() / proof::frame_samples, counts);
    }

  private:
    cortex_m::Bench& bench_;
};

// Static: they are larger than the stack.
File file;
cortex_m::Bench bench;
BenchFrames frames{bench};
std::optional<proof::LockStep> lock_step;

bool end(std::string_view why) {
    print(why);
    print("\n");
    return why.empty();
}

bool run() {
    cortex_m::PsramFlash flash{cortex_m::psram_begin, flash_bytes};
    for (std::size_t sector = 0; sector < flash.size_bytes(); sector += flash.sector_bytes())
        static_cast<void>(flash.erase(sector));
    const auto order =
        proof::Order::read({reinterpret_cast<const std::byte*>(order_at), proof::Order::bytes_max});
    if (!order) return end("no order");
    if (!file.open()) return end("trace.txt cannot be written");
    bench.start();
    lock_step.emplace(flash, frames, bench, *order, file);
    const bool whole = lock_step->run().has_value();
    file.flush();
    if (!whole) return end("the bench is gone");
    return file.whole() || end("trace.txt is not whole");
}

}  // namespace

int main() {
    cortex_m::board_start();
    const bool fine = run();
    print(fine ? "lock-step done\n" : "lock-step failed\n");
    return fine ? 0 : 1;
}
