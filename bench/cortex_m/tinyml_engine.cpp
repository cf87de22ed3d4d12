// tinyml as the engine.
#include "cortex_m/engine.h"
#include "shared/tinyml/model.h"

#include <array>
#include <optional>

namespace stator::bench {

namespace {

alignas(16) std::array<std::byte, 16384> arena;
std::optional<tinyml::Model> model;

}  // namespace

bool set_up(std::span<const std::byte> tflite) {
    tinyml::Reason reason;
    const auto loaded = tinyml::Model::load(tflite, arena, reason);
    if (!loaded) return false;
    model = *loaded;
    return true;
}

std::size_t arena_bytes() {
    return model->needs().arena_bytes;
}

void run(std::span<const std::int8_t> input, std::span<std::int8_t> output) {
    model->invoke_raw(input, output);
}

}  // namespace stator::bench
