// The boot stage: chooses a slot, checks its hash, copies the image to where it runs, and jumps.
//
// It starts the watchdog, so that an image that hangs comes back here; one that was on trial then
// is over. Nothing here can be updated, so as little as can be is done here.
#include "sense/node/firmware_bank.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/digest.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "sense/port/cortex_m/watchdog.h"

#include <cstring>

namespace {

using namespace stator;
using cortex_m::print;

// Its vectors are the image's first words: the stack, and where it begins.
[[noreturn]] void jump() {
    const auto* vectors = reinterpret_cast<const std::uint32_t*>(cortex_m::program_begin);
    *reinterpret_cast<volatile std::uint32_t*>(0xE000'ED08U) = cortex_m::program_begin;  // VTOR
    asm volatile("dsb\n isb\n msr msp, %0\n bx %1" : : "r"(vectors[0]), "r"(vectors[1]) : "memory");
    __builtin_unreachable();
}

}  // namespace

extern "C" void stator_dead() {
    cortex_m::restart();
}

int main() {
    cortex_m::board_start();
    cortex_m::PsramFlash flash{
        cortex_m::psram_begin + cortex_m::firmware_at, cortex_m::firmware_bytes
    };
    node::FirmwareBank bank{flash};
    const node::BootChoice choice = node::choose_firmware(bank, cortex_m::sha256);
    if (!choice.found) {
        print("boot: no whole firmware in either slot\n");
        return 1;
    }
    print(choice.slot == 0 ? "boot: slot 0" : "boot: slot 1");
    print(choice.trial ? ", on trial\n" : "\n");
    const auto header = bank.header(choice.slot);
    const auto image = bank.image(choice.slot, header->image_bytes);
    std::memcpy(reinterpret_cast<void*>(cortex_m::program_begin), image.data(), image.size());
    cortex_m::start_watchdog();
    jump();
}
