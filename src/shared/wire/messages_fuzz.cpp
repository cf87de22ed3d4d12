// Every decoder over arbitrary bytes; what is taken must be writable and read back the same.
#include "shared/wire/leading_device.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstdlib>

using namespace stator;

namespace {

template <typename Decode>
void round_trip(std::string_view json, Decode&& decode) {
    const auto message = decode(json);
    if (!message) return;
    std::array<char, 4 * wire::message_bytes_max> first{};
    std::array<char, 4 * wire::message_bytes_max> second{};
    const auto once = wire::encode(*message, first);
    if (!once || once->size() > wire::message_bytes_max) return;
    const auto again = decode(*once);
    if (!again) std::abort();
    const auto twice = wire::encode(*again, second);
    if (!twice || *twice != *once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view json{reinterpret_cast<const char*>(data), size};
    round_trip(json, wire::decode_telemetry);
    round_trip(json, wire::decode_command);
    round_trip(json, wire::decode_alert);
    round_trip(json, wire::decode_event);
    round_trip(json, wire::decode_stored);
    round_trip(json, wire::decode_presence);
    static_cast<void>(wire::decode_head(json));
    const std::string_view leading = wire::leading_device(json);
    if (const auto device = wire::decode_device(json); device && !leading.empty())
        if (leading != device->view()) std::abort();
    return 0;
}
