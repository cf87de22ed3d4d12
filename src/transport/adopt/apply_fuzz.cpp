// Whatever a foreign broker delivers: the mapper ends, and what it makes is telemetry.
#include "shared/wire/messages.h"
#include "transport/adopt/apply.h"

#include <cstdint>
#include <cstdlib>

namespace {

constexpr std::string_view map_text = R"([broker.b]
url = "mqtt://h"
[[source]]
broker = "b"
topic = "plant/{line}/+/#"
device_path = "$.id"
time = "$.ts"
time_unit = "iso8601"
seq = "$.n"
boot = "$.b"
inference = "$.p"
  [[source.channel]]
  name = "temperature"
  path = "$.t[0]['x y']"
  unit = "degF"
  [[source.channel]]
  name = "sound"
  path = "$.s"
  unit = "dB_SPL"
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator;
    static const auto map = adopt::read_map(map_text, "map.toml", {});
    if (!map) std::abort();
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    const std::size_t cut = text.find('\n');
    const auto reading = adopt::apply(
        map->sources.front(),
        {.topic = text.substr(0, cut),
         .key = {},
         .payload = cut == std::string_view::npos ? text : text.substr(cut + 1),
         .receive_unix_ms = 1}
    );
    if (reading && !wire::decode_telemetry(adopt::render(*reading, {1, 2}, "b/1"))) std::abort();
    return 0;
}
