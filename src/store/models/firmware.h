// Firmware images for devices: packed and signed by people, checked wherever they come in.
//
// Format: docs/formats/firmware.md.
#pragma once

#include "shared/firmware/image.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <string>

namespace stator::models {

struct FirmwareFacts {
    std::string board;
    std::string version;
    std::uint32_t release = 0;
};

// The file: header, signed with the PEM key, and image.
[[nodiscard]] Outcome<std::string> pack_firmware(
    doors::Doors& doors,
    const FirmwareFacts& facts,
    const std::string& image,
    const std::string& key_pem
);

// Its header, when it is whole and this key signed it; `name` is for the sentence otherwise.
[[nodiscard]] Outcome<firmware::Header> open_firmware(
    doors::Doors& doors,
    const std::string& name,
    const std::string& content,
    const std::string& public_pem
);

}  // namespace stator::models
