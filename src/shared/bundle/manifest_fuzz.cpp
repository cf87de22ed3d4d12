// Whatever stands in an envelope: what is accepted is within its bounds and keeps its numbers.
#include "shared/bundle/compose.h"
#include "shared/bundle/manifest.h"

#include <array>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator::bundle;
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    const auto envelope = open_envelope(text);
    const auto manifest = parse(envelope ? envelope->json : text);
    if (!manifest) return 0;
    static std::array<char, 2 * envelope_bytes_max> buffer;
    const auto again = compose(*manifest, "", buffer);
    // Shorter numbers may be written at greater length: only then may it be too long.
    if (!again) std::abort();
    const auto back = parse(*again);
    if (!back && again->size() <= envelope_bytes_max) std::abort();
    if (back &&
        (back->fold.mean != manifest->fold.mean || back->golden.values != manifest->golden.values))
        std::abort();
    return 0;
}
