// Whatever stands in a segment: the record parser keeps within the bytes, and what it accepts it
// writes again just so. The CRC is put right for half of the work, or nothing would come through.
#include "store/log/format.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace stator::log;

void put_crc(std::vector<std::byte>& bytes, std::size_t size, std::uint64_t position) {
    const std::uint32_t crc = record_crc(Bytes{bytes}.first(size), position);
    for (std::size_t i = 0; i < 4; ++i)
        bytes[i] = static_cast<std::byte>(crc >> (8 * i));
}

void check(const std::vector<std::byte>& bytes, std::uint64_t position) {
    const Parsed parsed = parse_record(bytes, position);
    if (parsed.kind == Parsed::Kind::more && parsed.size <= bytes.size()) std::abort();
    if (parsed.kind != Parsed::Kind::record) return;
    if (parsed.size > bytes.size() || parsed.size % 8 != 0) std::abort();
    std::vector<std::byte> again(parsed.size + 8);
    RecordHeader header = parsed.header;
    header.flags = static_cast<std::uint8_t>(header.flags & ~RecordHeader::identity_bits);
    const std::size_t size = encode(parsed.view, header, position, again);
    if (size != parsed.size) std::abort();
    const std::size_t padding = size - record_header_bytes - parsed.view.topic.size() -
                                parsed.view.sender.size() - parsed.view.payload.size();
    for (std::size_t i = 1; i <= padding; ++i)
        if (bytes[size - i] != std::byte{0}) return;  // ours is zeros, so the CRC is another
    if (std::memcmp(again.data(), bytes.data(), size) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 8) return 0;
    std::uint64_t position = 0;
    std::memcpy(&position, data, 8);
    std::vector<std::byte> bytes(size - 8);
    if (!bytes.empty()) std::memcpy(bytes.data(), data + 8, bytes.size());
    check(bytes, position);
    const Parsed parsed = parse_record(bytes, position);
    if (parsed.kind == Parsed::Kind::bad && parsed.size >= record_header_bytes &&
        parsed.size <= bytes.size()) {
        put_crc(bytes, parsed.size, position);
        if (parse_record(bytes, position).kind != Parsed::Kind::record) std::abort();
        check(bytes, position);
    }
    if (const auto marks = decode_snapshot(bytes)) {
        const auto snapshot = encode_snapshot(*marks);
        if (decode_snapshot(snapshot) != marks) std::abort();
    }
    return 0;
}
