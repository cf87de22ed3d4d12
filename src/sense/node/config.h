// Config is everything of a node that is a choice and not a fact of the machine.
#pragma once

#include "shared/base/fixed.h"
#include "shared/wire/messages.h"
#include "shared/wire/topics.h"

#include <cstddef>
#include <cstdint>

namespace stator::node {

struct Config {
    wire::Topics topics;
    base::FixedString<32> firmware = STATOR_VERSION;
    wire::Word started_by;  // why it started, where the port knows

    std::uint32_t level = 1;                // of the models that it runs: 1 device, 2 edge
    std::uint32_t interval_ms = 1'000;      // between readings
    std::uint32_t waveform_interval_s = 0;  // between raw frames without another cause; 0: none
    bool listens_to_alerts = true;          // role actor

    std::uint32_t activation_retry_ms_min = 500;  // doubled each time, with jitter
    std::uint32_t activation_retry_ms_max = 60'000;

    std::uint32_t inference_ms_min = 1'000;  // between level-1 messages of one alarm
    std::uint32_t in_flight_max = 16;        // publishes that wait for their acknowledgement
    std::uint32_t publishes_per_step = 8;
    bool stored_marks = true;              // false: a broker without the gate; PUBACK is the end
    std::uint32_t stored_wait_ms = 3'000;  // after connecting, for the mark: one a second may come
    std::uint32_t gap_ms_max = 10'000;     // a gap is declared no later than this

    std::size_t chunk_bytes = 4'096;  // of a model, a fetch; a multiple of flash_program_bytes
    std::uint32_t fetch_retry_ms = 500;
    std::uint32_t fetch_tries = 8;           // in a row without a byte
    std::uint32_t trial_readings = 5;        // with a verdict
    std::uint32_t trial_ms_max = 120'000;    // or back to the old model
    std::uint32_t restart_wait_ms = 10'000;  // for what waits in RAM, before a new firmware
    std::size_t arena_bytes_max = 0;         // 0: what the memory given has

    std::uint32_t valve_ms_per_degree = 20;
    std::uint8_t valve_open_degrees = 180;
};

}  // namespace stator::node
