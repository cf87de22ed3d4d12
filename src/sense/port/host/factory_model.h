// The factory model of a device on this machine, and of a board's flash image: a file that nothing
// but the factory writes.
//
//   <directory>/factory_model.bin   docs/formats/factory-page.md
#pragma once

#include "shared/asset/asset.h"
#include "world/doors/doors.h"

#include <cstddef>
#include <string>

namespace stator::host {

inline constexpr std::size_t factory_model_bytes_max = 256U << 10U;

// The bytes for the flash: of the .tflite `file` and `file`.manifest beside it (GET /quantized/NAME
// and /manifest/NAME of the models' registry). Refused when the device would not run it.
[[nodiscard]] Outcome<std::string> make_factory_model(
    doors::Doors& doors,
    const std::string& file,
    const std::string& public_pem,
    const asset::Asset& asset
);
[[nodiscard]] Outcome<void> write_factory_model(
    doors::Doors& doors, const std::string& directory, const std::string& bytes
);
// Empty when the device has none.
[[nodiscard]] Outcome<std::string> factory_model_in(
    doors::Doors& doors, const std::string& directory
);

}  // namespace stator::host
