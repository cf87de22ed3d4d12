// Whatever a client sends: each cut goes on, an object lies within the bytes and its braces.
#include "decide/line/frame.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace stator::line;
    std::string_view text{reinterpret_cast<const char*>(bytes), size};
    if (const auto value = read_answer(text); value && !(*value >= 0.0F && *value <= 1.0F))
        std::abort();
    while (!text.empty()) {
        const Frame frame = next_frame(text);
        if (frame.begin > frame.end || frame.end > text.size()) std::abort();
        if (frame.cut == Cut::more) return 0;
        if (frame.cut == Cut::object && (text[frame.begin] != '{' || text[frame.end - 1] != '}' ||
                                         frame.end - frame.begin > message_bytes_max))
            std::abort();
        if (frame.end == 0) std::abort();
        text.remove_prefix(frame.end);
    }
    return 0;
}
