#include "sense/proof/machine.h"

#include <algorithm>
#include <bit>

namespace stator::proof {

using base::Result;

void Trace::add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
        hash_ = (hash_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
}

void Trace::add(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8)
        hash_ = (hash_ ^ (value >> shift & 0xFFU)) * 0x100000001B3U;
}

void Trace::add(float value) {
    add(std::uint64_t{std::bit_cast<std::uint32_t>(value)});
}

Result<void> Motor::read(std::size_t channel, std::span<std::uint16_t> counts) {
    const std::int32_t loud = fault && channel != 1 ? 3 : 1;
    for (std::uint16_t& count : counts) {
        noise_ = noise_ * 1'664'525U + 1'013'904'223U;
        phase_ += 250 + 131 * static_cast<std::uint32_t>(channel);
        const auto triangle = [](std::uint32_t phase) {
            const auto place = static_cast<std::int32_t>(phase & 0xFFFFU);
            return (place < 0x8000 ? place : 0xFFFF - place) - 0x4000;
        };
        const std::int32_t wave = triangle(phase_) / 64 + triangle(3 * phase_) / 256;
        const auto noise = static_cast<std::int32_t>(noise_ >> 26U) - 32;
        const std::int32_t value = channel == 1 ? 1'100 + noise / 8 : 2'048 + loud * (wave + noise);
        count = static_cast<std::uint16_t>(std::clamp(value, std::int32_t{1}, std::int32_t{4094}));
    }
    return {};
}

void Motor::set_valve_degrees(std::uint8_t degrees) {
    valve_degrees_ = degrees;
    valve_degrees_max_ = std::max(valve_degrees_max_, degrees);
    trace_.add(std::uint64_t{degrees});
}

void Motor::set_backup_pump(bool on) {
    pump_ = on;
    trace_.add(std::uint64_t{on});
}

Result<void> Link::subscribe(std::string_view topic) {
    trace_.add(topic);
    return {};
}

Result<std::uint32_t> Link::publish(std::string_view topic, std::string_view payload) {
    trace_.add(topic);
    trace_.add(payload);
    return ++last_;
}

bool Link::poll(hal::LinkEvent& event) {
    event = {};
    if (!connected_) {
        connected_ = true;
        event.kind = hal::LinkEvent::Kind::connected;
        return true;
    }
    if (!topic_.empty()) {
        event.topic = topic_;
        event.payload = payload_;
        topic_ = {};
        return true;
    }
    if (acknowledged_ == last_) return false;
    event.kind = hal::LinkEvent::Kind::acknowledged;
    event.id = ++acknowledged_;
    return true;
}

Result<void> Fetch::start(const hal::FetchRequest& request) {
    constexpr std::string_view yes = "TRUE";
    offset_ = request.offset;
    bytes_max_ = request.bytes_max;
    if (!request.form.empty())
        whole_ = std::as_bytes(std::span{yes});
    else
        whole_ = request.path.starts_with("/manifest/") ? manifest : tflite;
    return {};
}

Result<hal::FetchReply> Fetch::poll() {
    const auto rest = whole_.subspan(std::min(offset_, whole_.size()));
    return hal::FetchReply{
        .status = 200,
        .bytes = rest.first(std::min(rest.size(), bytes_max_)),
        .file_bytes = whole_.size(),
    };
}

bool Verifier::verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) {
    return std::ranges::equal(sign(bytes), signature);
}

void Verifier::sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    Trace hash;
    hash.add(bytes);
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<std::uint8_t>(hash.hash() >> (8 * (i % 8)));
}

std::array<std::uint8_t, 64> Verifier::sign(std::string_view bytes) {
    std::array<std::uint8_t, 64> signature{};
    Trace hash;
    hash.add(bytes);
    hash.add("signed");
    for (std::size_t i = 0; i < signature.size(); ++i)
        signature[i] = static_cast<std::uint8_t>(hash.hash() >> (8 * (i % 8)));
    return signature;
}

}  // namespace stator::proof
