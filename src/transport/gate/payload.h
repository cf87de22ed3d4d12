// scan_payload() is the gate's check of what a message says: strict JSON, and whom it is about.
//
// No heap: it runs between a device's publish and the broker's acknowledgement. A payload that
// names a member twice is refused, for two readers might see two different senders in it.
#pragma once

#include "shared/base/result.h"
#include "shared/wire/topics.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stator::gate {

struct Payload {
    wire::Id device;  // deviceID; empty: absent
    std::optional<std::uint32_t> boot;
    std::optional<std::uint64_t> seq;
    // A gap record: the device declares from..to lost.
    bool is_gap = false;
    std::uint64_t gap_from = 0;
    std::uint64_t gap_to = 0;
};

// Fault::bad_input unless `text` is one JSON object whose deviceID is a valid id, and whose boot
// and seq are whole numbers that are not negative, where they are present. A seq without a boot is
// of boot 0; a boot without a seq is refused.
[[nodiscard]] base::Result<Payload> scan_payload(std::string_view text, std::size_t bytes_max);

// The same object with what was absent: deviceID, boot and seq first. `text` was scanned.
[[nodiscard]] std::string complete_payload(
    std::string_view text,
    const Payload& payload,
    std::string_view device,
    std::uint32_t boot,
    std::uint64_t seq
);

}  // namespace stator::gate
