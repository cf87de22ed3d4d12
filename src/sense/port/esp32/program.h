// The Program is this firmware as one that can be replaced: esp_ota's slots, and the way out.
#pragma once

#include "sense/hal/firmware.h"
#include "sense/port/esp32/firmware_flash.h"
#include "sense/port/esp32/partition_flash.h"
#include "sense/port/esp32/settle.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace stator::esp32 {

inline constexpr std::string_view board_name = "esp32";

class Program final : public hal::Firmware, private Loader {
  public:
    // Why it could not; empty when all is well. May restart the chip: see settle().
    [[nodiscard]] std::string_view start();

    [[nodiscard]] bool ready() const { return flash_.has_value(); }

    // After the node has confirmed its trial: the loader goes back no more.
    void confirmed() { keep(); }

    [[nodiscard]] firmware::Version version();
    [[nodiscard]] bool on_trial();

    [[nodiscard]] hal::Flash& flash() override { return *flash_; }

    [[nodiscard]] std::string_view board() const override { return board_name; }

    [[nodiscard]] std::size_t image_offset() const override { return flash_->sector_bytes(); }

    void restart() override;

  private:
    [[nodiscard]] std::uint32_t running_slot() override;
    [[nodiscard]] bool gave_up(std::uint32_t slot) override;
    [[nodiscard]] bool choose(std::uint32_t slot) override;
    void keep() override;

    PartitionFlash small_;
    PartitionFlash slot_0_;
    PartitionFlash slot_1_;
    std::optional<FirmwareFlash> flash_;
};

}  // namespace stator::esp32
