// The Bench is the machine that the emulated board is wired to: what a chip's converters and output
// pins would be. It is asked over two pipes in the emulator's own folder, by semihosting.
//
//   board -> `bench.ask`:     op u8 | argument u8 | count u16      r: channel, samples   f: flow
//   bench -> `bench.answer`:  r: count x u16    f: float           v: degrees   p: pump 0 or 1
//   a: channels, samples      a: count x u16 of each channel
//   s: three bytes of chance   s: "STAT" and the question
//
// A board that lost its power in the middle leaves an answer in the pipe, which would be taken for
// the next board's: that begins with `s`, and passes over all that lies before its answer.
// The emulation stands still until the bench has answered, as it does for any semihosting call.
// A bench that is gone is a converter that does not answer: Fault::io from then on.
#pragma once

#include "sense/hal/machine.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::cortex_m {

class Bench final : public hal::Adc, public hal::Actuators {
  public:
    void start();

    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;
    // The same number of samples of each of the first channels, one channel after the other.
    [[nodiscard]] base::Result<void> read_all(
        std::size_t channels, std::span<std::uint16_t> counts
    );
    void set_valve_degrees(std::uint8_t degrees) override;
    void set_backup_pump(bool on) override;
    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override;

  private:
    bool ask(char op, std::uint8_t argument, std::uint16_t count);
    [[nodiscard]] bool pass_over_old_answers();
    [[nodiscard]] bool answer(std::span<std::byte> into);

    std::int32_t ask_ = -1;
    std::int32_t answer_ = -1;
};

}  // namespace stator::cortex_m
