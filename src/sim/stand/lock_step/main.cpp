// usage, in a folder of its own:
//   stator_lock_step order SEED INTERVAL_MS FRAMES   writes `order`
//   stator_lock_step here SEED [deaf]                runs it in this process
//   stator_lock_step with SEED EMULATOR...           runs it on a board, whose bench this is
// The device's trace goes to `trace.txt`, the motor's to `stand.txt`. deaf: the motor does not hear
// the device's orders.
#include "sense/port/host/bench_pipes.h"
#include "sense/proof/lock_step.h"
#include "sense/proof/memory_flash.h"
#include "sim/stand/commission.h"
#include "sim/stand/stand.h"
#include "world/process/real.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace stator;

class File final : public proof::Record {
  public:
    void write(std::string_view text) override { out_ << text; }

  private:
    std::ofstream out_{"trace.txt", std::ios::binary};
};

int complain(const std::string& what) {
    std::fprintf(stderr, "lock-step: %s\n", what.c_str());
    return 1;
}

int write_order(const stand::Wish& wish) {
    const auto order = stand::commission(wish);
    if (!order) return complain(order.error().what);
    std::ofstream out{"order", std::ios::binary};
    return out << *order && out.flush() ? 0 : complain("order cannot be written");
}

struct Motor {
    explicit Motor(const stand::Options& options) : machine{options, asset, told} {}

    asset::Asset asset = proof::lock_step_asset();
    std::ofstream told{"stand.txt", std::ios::binary};
    stand::Stand machine;
};

int run_here(const stand::Options& options) {
    std::ifstream in{"order", std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
    const auto order = proof::Order::read(std::as_bytes(std::span{bytes}));
    if (!order) return complain("order cannot be read");
    Motor motor{options};
    std::vector<std::byte> flash_bytes(256U << 10U);
    proof::MemoryFlash flash{flash_bytes};
    File file;
    proof::AdcFrames frames{motor.machine};
    const auto run = std::make_unique<proof::LockStep>(flash, frames, motor.machine, *order, file);
    return run->run() ? 0 : complain("the motor did not answer");
}

int run_with(const stand::Options& options, std::vector<std::string> emulator) {
    Motor motor{options};
    auto pipes = host::BenchPipes::make(".", motor.machine, motor.machine);
    if (!pipes) return complain(pipes.error().what);
    process::RealProcesses processes;
    const process::Command command{
        .name = "emulator",
        .arguments = std::move(emulator),
        .environment = {},
        .log_file = "emulator.txt",
    };
    auto board = processes.start(command);
    if (!board) return complain(board.error().what);
    constexpr std::int64_t look_us = 100'000;  // whether it still lives
    for (;;) {
        const auto code = (*board)->exited();
        auto asked = (*pipes)->step();
        if (!asked) return complain(asked.error().what);
        if (*asked) continue;
        if (code) return *code;
        (*pipes)->wait(look_us);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words{argv + 1, argv + argc};
    if (words.size() < 2) return complain("what? main.cpp says how");
    const auto number = [&](std::size_t i) { return std::strtoull(words[i].c_str(), nullptr, 10); };
    const std::uint64_t seed = number(1);
    if (words[0] == "order" && words.size() == 4)
        return write_order(
            {.seed = seed,
             .interval_ms = static_cast<std::uint32_t>(number(2)),
             .frames = static_cast<std::uint32_t>(number(3))}
        );
    if (words[0] == "here")
        return run_here({.seed = seed, .hears = words.size() < 3 || words[2] != "deaf"});
    if (words[0] == "with" && words.size() > 2)
        return run_with({.seed = seed}, {words.begin() + 2, words.end()});
    return complain("what? main.cpp says how");
}
