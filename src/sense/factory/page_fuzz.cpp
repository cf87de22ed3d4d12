// Any flash as a factory page: what is read lies in it, and writes and reads as the same again. And
// as a factory model, which lies in it, too.
#include "sense/factory/model.h"
#include "sense/factory/page.h"
#include "shared/base/crc32c.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using namespace stator::factory;

// Its magic, size and CRC become right: few inputs would come behind them by themselves.
void put_head(std::vector<std::byte>& flash) {
    const auto bytes = static_cast<std::uint32_t>(flash.size() - 12);
    const std::uint32_t crc = stator::base::crc32c(std::span<const std::byte>{flash}.subspan(12));
    std::memcpy(flash.data(), "STSP", 4);
    std::memcpy(flash.data() + 4, &bytes, 4);
    std::memcpy(flash.data() + 8, &crc, 4);
}

bool ends_with_zero(std::string_view text, const std::vector<std::byte>& flash) {
    const auto* end = reinterpret_cast<const std::byte*>(text.data()) + text.size();
    return end >= flash.data() && end < flash.data() + flash.size() && *end == std::byte{0};
}

void lies_in(const std::vector<std::byte>& flash) {
    const auto model = read_model(flash);
    const auto* envelope = reinterpret_cast<const std::byte*>(model.envelope.data());
    const auto* end = flash.data() + flash.size();
    if (!model.envelope.empty() &&
        (envelope < flash.data() || envelope + model.envelope.size() > end))
        std::abort();
    if (!model.tflite.empty() &&
        (model.tflite.data() < flash.data() || model.tflite.data() + model.tflite.size() > end))
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    std::vector<std::byte> flash(size - 1);
    if (!flash.empty()) std::memcpy(flash.data(), data + 1, flash.size());
    lies_in(flash);
    if (flash.size() >= 4) {
        std::memcpy(flash.data(), "STFM", 4);
        lies_in(flash);
        std::memcpy(flash.data(), data + 1, 4);
    }
    if (data[0] % 2 != 0 && flash.size() >= 12) put_head(flash);
    const auto page = read_page(flash);
    if (!page) return 0;
    for (const std::string_view text :
         {page->ca_pem, page->certificate_pem, page->key_pem, page->model_public_pem})
        if (!ends_with_zero(text, flash)) std::abort();
    std::array<std::byte, 2 * page_bytes_max> once{};
    std::array<std::byte, 2 * page_bytes_max> twice{};
    const auto topics = read_topics(*page);
    if (!topics.can_be()) std::abort();
    const auto written = write_page(*page, once, {}, topics);
    if (!written) return 0;  // numbers may be longer than they were
    const auto again = read_page(*written);
    if (!again) {
        if (written->size() <= page_bytes_max) std::abort();
        return 0;
    }
    const auto same = write_page(*again, twice, {}, read_topics(*again));
    if (!same || !std::ranges::equal(*written, *same)) std::abort();
    return 0;
}
