// The Program is this firmware as one that can be replaced: its slots, its board, the way out.
#pragma once

#include "sense/hal/firmware.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/psram_flash.h"
#include "shared/firmware/image.h"

namespace stator::cortex_m {

class Program final : public hal::Firmware {
  public:
    // `board`: whom its images must be for.
    explicit Program(std::string_view board = board_name) : board_{board} {}

    [[nodiscard]] hal::Flash& flash() override { return flash_; }

    [[nodiscard]] std::string_view board() const override { return board_; }

    void restart() override;

    // Of the slot that runs; for people.
    [[nodiscard]] firmware::Version version();

    [[nodiscard]] bool on_trial();

  private:
    std::string_view board_;
    PsramFlash flash_{psram_begin + firmware_at, firmware_bytes};
};

}  // namespace stator::cortex_m
