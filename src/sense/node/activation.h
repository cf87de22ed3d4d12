// Activation asks the device registry whether this device may work, until the answer is TRUE.
//
// POST /confirmActivation with doubling, jittered pauses. The answer is remembered by the caller in
// flash, so that an activated device works after a restart without a network.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "shared/asset/asset.h"

#include <cstdint>

namespace stator::node {

class Activation {
  public:
    Activation(hal::Hal& hal, const Config& config, std::string_view device, bool known_active);

    [[nodiscard]] bool active() const { return active_; }

    // Still wants the Fetch door; the updater waits.
    [[nodiscard]] bool busy() const { return !confirmed_; }

    // True when the answer changed what active() says.
    bool step(std::int64_t now_us);

    [[nodiscard]] std::uint32_t asked_count() const { return asked_count_; }

  private:
    void wait_longer(std::int64_t now_us);

    hal::Hal& hal_;
    const Config& config_;
    base::FixedString<96> form_;
    bool active_;
    bool confirmed_ = false;
    bool asking_ = false;
    std::uint32_t pause_ms_;
    std::int64_t next_us_ = 0;
    std::uint32_t asked_count_ = 0;
};

}  // namespace stator::node
