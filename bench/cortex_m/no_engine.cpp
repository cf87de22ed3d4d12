// No engine: the size of an image without one.
#include "cortex_m/engine.h"

namespace stator::bench {

bool set_up(std::span<const std::byte> tflite) {
    return !tflite.empty();
}

std::size_t arena_bytes() {
    return 0;
}

void run(std::span<const std::int8_t> input, std::span<std::int8_t> output) {
    output[0] = input[0];
}

}  // namespace stator::bench
