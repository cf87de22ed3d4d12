#include "shared/firmware/image.h"

#include <algorithm>

namespace stator::firmware {
namespace {

using base::Fault;

constexpr std::uint32_t magic = 0x57465453;  // "STFW"
constexpr std::uint32_t format = 1;
constexpr std::size_t board_at = 16;
constexpr std::size_t version_at = 32;
constexpr std::size_t sha256_at = 64;
constexpr std::size_t signature_at = signed_bytes;
constexpr std::size_t end_at = signature_at + 64;

void put(std::span<std::byte> at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
        at[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t get(std::span<const std::byte> at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::to_integer<std::uint32_t>(at[i]) << (8 * i);
    return value;
}

// Printable text, then zeros to the end of its place.
template <std::size_t bytes_max>
bool read_text(std::span<const std::byte> from, base::FixedString<bytes_max>& into) {
    const auto place = from.first(bytes_max);
    std::size_t size = 0;
    for (; size < bytes_max && place[size] != std::byte{0}; ++size) {
        const char letter = static_cast<char>(place[size]);
        if (letter <= ' ' || letter > '~' || !into.append({&letter, 1})) return false;
    }
    return size > 0 &&
           std::ranges::all_of(place.subspan(size), [](std::byte b) { return b == std::byte{0}; });
}

void put_text(std::span<std::byte> into, std::string_view text) {
    std::ranges::transform(text, into.begin(), [](char c) { return static_cast<std::byte>(c); });
}

base::Result<Header> refuse(bundle::Refusal& refusal, Fault fault, std::string_view why) {
    refusal = bundle::Refusal{why};
    return std::unexpected{fault};
}

}  // namespace

base::Result<Header> parse(std::span<const std::byte> bytes) {
    const auto bad = [] { return base::Result<Header>{std::unexpected{Fault::bad_input}}; };
    if (bytes.size() < header_bytes || get(bytes) != magic || get(bytes.subspan(4)) != format)
        return bad();
    Header made;
    made.release = get(bytes.subspan(8));
    made.image_bytes = get(bytes.subspan(12));
    const auto blank = [](std::byte b) { return b == std::byte{0xFF}; };
    if (made.release == 0 || made.image_bytes == 0 ||
        !read_text(bytes.subspan(board_at), made.board) ||
        !read_text(bytes.subspan(version_at), made.version) ||
        !std::ranges::all_of(bytes.subspan(end_at, header_bytes - end_at), blank))
        return bad();
    const auto number = [](std::byte b) { return std::to_integer<std::uint8_t>(b); };
    std::ranges::transform(
        bytes.subspan(sha256_at, made.sha256.size()), made.sha256.begin(), number
    );
    std::ranges::transform(
        bytes.subspan(signature_at, made.signature.size()), made.signature.begin(), number
    );
    return made;
}

void compose(const Header& header, std::span<std::byte> into) {
    const auto all = into.first(header_bytes);
    std::ranges::fill(all, std::byte{0});
    put(all, magic);
    put(all.subspan(4), format);
    put(all.subspan(8), header.release);
    put(all.subspan(12), header.image_bytes);
    put_text(all.subspan(board_at), header.board.view());
    put_text(all.subspan(version_at), header.version.view());
    std::ranges::copy(std::as_bytes(std::span{header.sha256}), all.subspan(sha256_at).begin());
    std::ranges::copy(
        std::as_bytes(std::span{header.signature}), all.subspan(signature_at).begin()
    );
    std::ranges::fill(all.subspan(end_at), std::byte{0xFF});
}

base::Result<Header> check(
    std::span<const std::byte> bytes,
    const Receiver& receiver,
    bundle::Verifier& verifier,
    bundle::Refusal& refusal
) {
    auto header = parse(bytes);
    if (!header) return refuse(refusal, Fault::bad_input, "it is no firmware image");
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), signed_bytes};
    if (!verifier.verify(text, header->signature))
        return refuse(refusal, Fault::denied, "the signature does not verify");
    if (header->board.view() != receiver.board)
        return refuse(refusal, Fault::not_found, "it is for another board");
    if (header->image_bytes > receiver.image_bytes_max)
        return refuse(refusal, Fault::full, "it is larger than its slot");
    if (receiver.file_bytes != header_bytes + header->image_bytes)
        return refuse(refusal, Fault::bad_input, "its size is not what its header says");
    if (header->release <= receiver.release)
        return refuse(refusal, Fault::denied, "its release does not rise");
    return header;
}

}  // namespace stator::firmware
