// Whatever a device sends: the scan ends, and what it accepts stays acceptable when completed.
#include "transport/gate/payload.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator::gate;
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    const auto payload = scan_payload(text, 64U << 10U);
    if (!payload) return 0;
    const auto again =
        scan_payload(complete_payload(text, *payload, "dev-1", 7, 8), (64U << 10U) + 200U);
    if (!again || again->device.empty() || !again->seq || !again->boot) std::abort();
    if (!payload->device.empty() && again->device.view() != payload->device.view()) std::abort();
    if (payload->seq && again->seq != payload->seq) std::abort();
    return 0;
}
