// The proof on the board. The model lies in PSRAM behind the flash: its size in 4 bytes, then it.
//
// Under `-icount shift=6` each instruction is 64 ns of the timer's 40 ns ticks: exact counts.
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "sense/proof/proof.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace {

using namespace stator;

constexpr std::size_t flash_bytes = 256U << 10U;
constexpr std::uintptr_t model_at = cortex_m::psram_begin + 0x40'0000;
constexpr std::size_t model_bytes_max = 64U << 10U;

class Print final : public proof::Report {
  public:
    void value(std::string_view name, std::uint64_t value) override {
        cortex_m::print("value ");
        cortex_m::print(name);
        cortex_m::print(" = ");
        cortex_m::print_hex(value);
        cortex_m::print("\n");
    }

    void begin() override { ticks_ = cortex_m::timer_ticks(); }

    void end(std::string_view what) override {
        const std::uint32_t ticks = cortex_m::timer_ticks() - ticks_;
        for (Most& most : most_) {
            if (most.what.empty()) most.what = what;
            if (most.what != what) continue;
            most.ticks = std::max(most.ticks, ticks);
            return;
        }
    }

    void say_costs() const {
        for (const Most& most : most_) {
            if (most.what.empty()) continue;
            cortex_m::print("cost ");
            cortex_m::print(most.what);
            cortex_m::print(" = ");
            cortex_m::print_number(std::uint64_t{most.ticks} * 40 / 64);
            cortex_m::print("\n");
        }
    }

  private:
    struct Most {
        std::string_view what;
        std::uint32_t ticks = 0;
    };

    std::uint32_t ticks_ = 0;
    std::array<Most, 8> most_{};
};

std::optional<proof::Proof> the_proof;  // static: it is larger than the stack

}  // namespace

int main() {
    cortex_m::board_start();
    cortex_m::PsramFlash flash{cortex_m::psram_begin, flash_bytes};
    for (std::size_t sector = 0; sector < flash.size_bytes(); sector += flash.sector_bytes())
        static_cast<void>(flash.erase(sector));
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, reinterpret_cast<const void*>(model_at), sizeof bytes);
    const std::span<const std::byte> tflite{
        reinterpret_cast<const std::byte*>(model_at + sizeof bytes),
        std::min<std::size_t>(bytes, model_bytes_max)
    };
    Print print;
    the_proof.emplace(flash, tflite, print);
    const bool fine = the_proof->run();
    print.say_costs();
    cortex_m::print("cost stack = ");
    cortex_m::print_number(cortex_m::stack_bytes_used());
    cortex_m::print(fine ? "\nproof done\n" : "\nproof failed\n");
    return fine ? 0 : 1;
}
