// Whatever stands in a map: reading it ends, and what it accepts can be applied to anything.
#include "shared/wire/messages.h"
#include "transport/adopt/apply.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator;
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    const auto map = adopt::read_map(text, "map.toml", {});
    if (!map) {
        if (!map.error().what.starts_with("map.toml:")) std::abort();
        return 0;
    }
    for (const adopt::Source& source : map->sources) {
        const auto reading = adopt::apply(
            source,
            {.topic = source.topic.text(), .key = "k", .payload = "{}", .receive_unix_ms = 1}
        );
        if (reading && !wire::decode_telemetry(adopt::render(*reading, {1, 2}, "b/1")))
            std::abort();
    }
    return 0;
}
