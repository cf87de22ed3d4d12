// Hal is all of a machine that the node may touch: a port fills it in, simulated or not.
#pragma once

#include "sense/hal/board.h"
#include "sense/hal/fetch.h"
#include "sense/hal/firmware.h"
#include "sense/hal/flash.h"
#include "sense/hal/link.h"
#include "sense/hal/machine.h"
#include "shared/bundle/manifest.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace stator::hal {

// A signed model that lies where nothing that runs can write; empty where there is none.
struct FactoryModel {
    std::string_view envelope;  // of its manifest
    std::span<const std::byte> tflite;
};

struct Hal {
    Adc& adc;
    Actuators& actuators;
    Flash& flash;
    Link& link;
    Fetch& fetch;
    Time& time;
    Entropy& entropy;
    Watchdog& watchdog;
    Log& log;
    bundle::Verifier& verifier;
    Firmware* firmware = nullptr;  // a port whose program is replaced by other means has none
    Flash* backlog = nullptr;      // for what waits for the site; without it RAM alone holds it
    FactoryModel factory_model{};
};

}  // namespace stator::hal
