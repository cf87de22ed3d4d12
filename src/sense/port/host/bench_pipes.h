// BenchPipes lets an emulated board be wired to a machine of this process: its converters and its
// outputs, over two pipes in the folder in which the emulator runs (the board's side, and the
// bytes: sense/port/cortex_m/bench.h).
#pragma once

#include "sense/hal/machine.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::host {

class BenchPipes {
  public:
    // Makes `bench.ask` and `bench.answer` in `folder`.
    [[nodiscard]] static Outcome<std::unique_ptr<BenchPipes>> make(
        const std::string& folder, hal::Adc& adc, hal::Actuators& actuators
    );
    ~BenchPipes();
    BenchPipes(const BenchPipes&) = delete;
    BenchPipes& operator=(const BenchPipes&) = delete;

    // Answers what was asked; true when there was something.
    [[nodiscard]] Outcome<bool> step();
    void wait(std::int64_t timeout_us);  // for a question

    [[nodiscard]] std::uint64_t questions() const { return questions_; }

  private:
    BenchPipes(hal::Adc& adc, hal::Actuators& actuators) : adc_{adc}, actuators_{actuators} {}

    [[nodiscard]] Outcome<void> answer(const std::uint8_t* question);
    [[nodiscard]] Outcome<void> write_all(const void* bytes, std::size_t size);

    hal::Adc& adc_;
    hal::Actuators& actuators_;
    int ask_ = -1;
    int answer_ = -1;
    std::uint64_t questions_ = 0;
    std::vector<std::uint16_t> counts_;
};

}  // namespace stator::host
