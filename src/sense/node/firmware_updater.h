// The FirmwareUpdater brings a new program into the idle slot, hands it to the boot stage, and, as
// the new program, confirms itself.
//
//   idle -> header -> erasing -> loading -> [checked, proposed] leaving -> restart
//              | refused: told, and what runs runs on           new program: trial -> confirmed
//                                                                  | deadline: restart, the old one
//
// One fetch or one flash sector a step. What is checked before a restart: signature, board, sizes,
// release (must rise), hash. It leaves when the backup is at rest, and has tried to send what waits
// in RAM. The trial ends well when enough readings were taken and the site acknowledged something.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "sense/node/download.h"
#include "sense/node/firmware_bank.h"
#include "sense/node/outbox.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stator::node {

enum class FirmwareUpdate : std::uint8_t { idle, header, erasing, loading, leaving, trial };

class FirmwareUpdater {
  public:
    FirmwareUpdater(hal::Hal& hal, const Config& config, Outbox& outbox);

    // At the start: is this a trial, or the end of one that failed?
    void start(std::int64_t now_us);
    void request(std::string_view file);

    // `fetch_free`: nobody else uses the Fetch door. `at_rest`: no output is on.
    void step(std::int64_t now_us, bool fetch_free, bool at_rest);

    void count_reading() { ++readings_; }

    void count_acknowledgement() { acknowledged_ = true; }

    [[nodiscard]] FirmwareUpdate state() const { return state_; }

    // The Fetch door is its own.
    [[nodiscard]] bool busy() const {
        return state_ != FirmwareUpdate::idle && state_ != FirmwareUpdate::trial;
    }

  private:
    void say(wire::ModelState state, std::string_view reason);
    void refuse(std::string_view reason);
    void begin();
    void fetch();
    void take_header(const hal::FetchReply& reply);
    void header_complete(std::size_t file_bytes);
    void erase();
    void take_image(const hal::FetchReply& reply);
    void propose(std::int64_t now_us);
    void judge_trial(std::int64_t now_us);

    hal::Hal& hal_;
    const Config& config_;
    Outbox& outbox_;
    std::optional<FirmwareBank> bank_;
    Download download_;
    FirmwareUpdate state_ = FirmwareUpdate::idle;
    wire::FileName file_;
    wire::FileName wish_;
    std::array<std::byte, firmware::header_bytes> head_{};
    firmware::Header header_;
    std::uint32_t readings_ = 0;
    bool acknowledged_ = false;
    bool failure_told_ = false;
    std::int64_t end_us_ = 0;  // of the trial, or of leaving
};

}  // namespace stator::node
