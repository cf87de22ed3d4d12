#include "sense/factory/model.h"

#include "shared/bundle/manifest.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace stator::factory {
namespace {

using Head = std::array<std::uint32_t, 4>;

constexpr std::uint32_t magic = 0x4D465453;  // "STFM"
static_assert(std::endian::native == std::endian::little);

constexpr std::size_t round_up(std::size_t bytes) {
    return (bytes + 15) / 16 * 16;
}

}  // namespace

base::Result<std::span<const std::byte>> write_model(
    const hal::FactoryModel& model, std::span<std::byte> into
) {
    const std::size_t tflite_at = sizeof(Head) + round_up(model.envelope.size());
    if (model.envelope.size() > bundle::envelope_bytes_max || tflite_at > into.size() ||
        model.tflite.size() > into.size() - tflite_at)
        return std::unexpected{base::Fault::full};
    const Head head = {
        magic,
        static_cast<std::uint32_t>(model.envelope.size()),
        static_cast<std::uint32_t>(model.tflite.size()),
        0
    };
    const auto all = into.first(tflite_at + model.tflite.size());
    std::ranges::fill(all, std::byte{0});
    std::memcpy(all.data(), head.data(), sizeof head);
    std::memcpy(&all[sizeof head], model.envelope.data(), model.envelope.size());
    std::ranges::copy(model.tflite, all.begin() + static_cast<std::ptrdiff_t>(tflite_at));
    return all;
}

hal::FactoryModel read_model(std::span<const std::byte> flash) {
    Head head{};
    if (flash.size() < sizeof head) return {};
    std::memcpy(head.data(), flash.data(), sizeof head);
    const std::size_t tflite_at = sizeof head + round_up(head[1]);
    if (head[0] != magic || head[1] > bundle::envelope_bytes_max || tflite_at > flash.size() ||
        head[2] > flash.size() - tflite_at)
        return {};
    return {
        .envelope = {reinterpret_cast<const char*>(flash.data()) + sizeof head, head[1]},
        .tflite = flash.subspan(tflite_at, head[2]),
    };
}

}  // namespace stator::factory
