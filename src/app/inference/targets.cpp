#include "app/inference/targets.h"

#include "decide/level2/models.h"
#include "sense/node/slots.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/esp32/memory.h"
#include "sense/port/host/device.h"
#include "sense/port/host/file_flash.h"

namespace stator::inference {

std::array<Target, 4> targets() {
    const host::DeviceOptions host;
    const level2::ModelOptions edge;
    return {
        {{"device cortex_m (mps2-an386)",
          cortex_m::arena_bytes,
          node::tflite_bytes_max(cortex_m::flash_bytes, cortex_m::sector_bytes)},
         {"device esp32",
          esp32::arena_bytes,
          node::tflite_bytes_max(esp32::node_flash_bytes, esp32::flash_sector_bytes)},
         {"device host",
          host.arena_bytes,
          node::tflite_bytes_max(host.flash_bytes, host::FileFlash::sector_size)},
         {"level 2", edge.arena_bytes_max, level2::model_bytes_max}}
    };
}

}  // namespace stator::inference
