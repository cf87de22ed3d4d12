// Counts what an Engine costs, in instructions, and prints what it gives.
//
//   PSRAM at 0x21400000:  | model bytes u32 | rows u32 | inputs u32 | outputs u32 | model | rows |
//                         (the model padded to 16 bytes)
//   UART:                 cost <what> = <number>; row <hex of its outputs>; done
//
// Under `-icount shift=6` each instruction is 64 ns of the timer's 40 ns ticks: exact counts.
#include "cortex_m/engine.h"
#include "sense/port/cortex_m/board.h"

#include <array>
#include <cstring>

namespace {

using namespace stator;

constexpr std::uintptr_t job_at = cortex_m::psram_begin + 0x40'0000;
constexpr std::size_t outputs_max = 1024;

struct Job {
    std::uint32_t model_bytes;
    std::uint32_t rows;
    std::uint32_t inputs;
    std::uint32_t outputs;
};

std::uint64_t instructions(std::uint64_t ticks) {
    return ticks * 40 / 64;
}

void say(std::string_view what, std::uint64_t cost) {
    cortex_m::print("cost ");
    cortex_m::print(what);
    cortex_m::print(" = ");
    cortex_m::print_number(cost);
    cortex_m::print("\n");
}

void say_row(std::span<const std::int8_t> row) {
    cortex_m::print("row ");
    for (const std::int8_t value : row) {
        const auto byte = static_cast<std::uint8_t>(value);
        const std::array<char, 2> digits = {
            "0123456789abcdef"[byte >> 4U], "0123456789abcdef"[byte & 15U]
        };
        cortex_m::print({digits.data(), digits.size()});
    }
    cortex_m::print("\n");
}

template <typename Work>
std::uint32_t ticks_of(Work&& work) {
    const std::uint32_t begin = cortex_m::timer_ticks();
    work();
    return cortex_m::timer_ticks() - begin;
}

}  // namespace

int main() {
    cortex_m::board_start();
    Job job;
    std::memcpy(&job, reinterpret_cast<const void*>(job_at), sizeof job);
    const auto* model = reinterpret_cast<const std::byte*>(job_at + sizeof job);
    const auto* in = reinterpret_cast<const std::int8_t*>(model + ((job.model_bytes + 15U) & ~15U));
    static std::array<std::int8_t, outputs_max> out;
    if (job.outputs > out.size()) return 1;
    const std::span output{out.data(), job.outputs};

    const std::uint32_t nothing = ticks_of([] {});
    bool ready = false;
    const std::uint32_t set_up = ticks_of([&] { ready = bench::set_up({model, job.model_bytes}); });
    if (!ready) return 1;
    const std::size_t stack = cortex_m::stack_bytes_used();
    std::uint64_t runs = 0;
    for (std::uint32_t row = 0; row < job.rows; ++row, in += job.inputs) {
        runs += ticks_of([&] { bench::run({in, job.inputs}, output); }) - nothing;
        say_row(output);
    }
    say("set-up", instructions(set_up - nothing));
    say("inference", job.rows == 0 ? 0 : instructions(runs) / job.rows);
    say("arena", bench::arena_bytes());
    say("stack", stack);
    cortex_m::print("done\n");
    return 0;
}
