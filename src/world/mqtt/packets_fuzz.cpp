// Whatever a broker sends: cutting and reading its packets ends, within the bytes that are there.
#include "world/mqtt/packets.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator::mqtt;
    std::string_view rest{reinterpret_cast<const char*>(bytes), size};
    for (;;) {
        const auto packet = cut_packet(rest, 1U << 16U);
        if (!packet || !*packet) return 0;
        for (const int version : {4, 5}) {
            const auto publish = parse_publish(**packet, version);
            if (publish && publish->topic.size() + publish->payload.size() > (*packet)->size)
                std::abort();
            (void)parse_connack(**packet, version);
            (void)parse_suback(**packet, version);
        }
        rest.remove_prefix((*packet)->size);
    }
}
