// Any bytes as a header: what is taken is composed to the same bytes again.
#include "shared/firmware/image.h"

#include <algorithm>
#include <cstdlib>

using namespace stator;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span{data, size});
    const auto header = firmware::parse(bytes);
    if (!header) return 0;
    std::array<std::byte, firmware::header_bytes> again{};
    firmware::compose(*header, again);
    if (!std::ranges::equal(again, bytes.first(again.size()))) std::abort();
    return 0;
}
