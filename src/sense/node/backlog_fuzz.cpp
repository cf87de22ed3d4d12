// The backlog's flash, of any bytes: looking ends, what is sent decodes, and writing goes on.
#include "sense/node/backlog.h"
#include "sense/node/outbox.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

using namespace stator;

namespace {

constexpr std::size_t sector = 512;
constexpr std::size_t sectors = 8;

class Memory final : public hal::Flash {
  public:
    [[nodiscard]] std::size_t size_bytes() const override { return bytes.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return sector; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override {
        if (offset > bytes.size() || size > bytes.size() - offset) std::abort();
        return std::span<const std::byte>{bytes}.subspan(offset, size);
    }

    base::Result<void> erase(std::size_t offset) override {
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), sector, std::byte{0xFF});
        return {};
    }

    base::Result<void> program(std::size_t offset, std::span<const std::byte> data) override {
        if (offset > bytes.size() || data.size() > bytes.size() - offset) std::abort();
        for (std::size_t i = 0; i < data.size(); ++i)
            bytes[offset + i] &= data[i];
        return {};
    }

    std::vector<std::byte> bytes = std::vector<std::byte>(sectors * sector, std::byte{0xFF});
};

// A story of a boot, told by the input, on top of what is there.
void live(Memory& flash, std::uint32_t boot, std::span<const std::uint8_t> story) {
    std::array<node::WaitingReading, 4> readings{};
    std::array<node::WaitingDeviceEvent, 2> events{};
    std::array<wire::FileName, 8> models{};
    const node::BacklogFacts facts{
        .device = "7", .firmware = "0.1", .feature_set = 5, .feature_count = 2, .models = models
    };
    node::Outbox outbox{readings, events};
    outbox.start(boot);
    node::Backlog backlog{flash, boot, facts, outbox.shed()};
    outbox.use(backlog);
    node::Key last;
    std::int64_t now_ms = 0;
    for (const std::uint8_t what : story) {
        switch (what % 8) {
            case 0:
                outbox.push(wire::SensorEvent{}, 3);
                break;
            case 1:
                if (const auto item = outbox.next(9)) {
                    if (item->reading == nullptr && item->event == nullptr && item->json.empty())
                        std::abort();
                    last = item->key;
                    outbox.mark_sent(last);
                }
                break;
            case 2:
                outbox.mark_stored({last.boot, last.seq}, (what & 64U) != 0);
                break;
            case 3:
                outbox.connection_lost();
                break;
            case 4:
                outbox.tend((what & 64U) != 0, now_ms += what * 100);
                break;
            default: {
                node::Reading reading;
                reading.kind = static_cast<node::ReadingKind>(what / 8 % 3);
                outbox.push(reading);
                break;
            }
        }
        static_cast<void>(outbox.declare_gap(0, what, 100));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> input{data, size};
    const std::size_t half = size / 2;
    Memory flash;
    live(flash, 1, input.first(half));
    // Then its bytes are damaged: a place and a value at a time.
    for (std::size_t i = half; i + 2 < size; i += 3) {
        const std::size_t at = (input[i] * 256U + input[i + 1]) % flash.bytes.size();
        flash.bytes[at] ^= static_cast<std::byte>(input[i + 2]);
    }
    live(flash, 2, input);
    Memory raw;
    std::copy_n(
        reinterpret_cast<const std::byte*>(data),
        std::min(size, raw.bytes.size()),
        raw.bytes.begin()
    );
    live(raw, 3, input);
    return 0;
}
