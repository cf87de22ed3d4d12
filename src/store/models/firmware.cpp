#include "store/models/firmware.h"

#include <algorithm>
#include <span>

namespace stator::models {

Outcome<std::string> pack_firmware(
    doors::Doors& doors,
    const FirmwareFacts& facts,
    const std::string& image,
    const std::string& key_pem
) {
    const auto bad = [](const std::string& why) { return fail(base::Fault::bad_input, why); };
    firmware::Header header;
    if (!header.board.assign(facts.board) || !header.version.assign(facts.version))
        return bad("a board's name has at most 16 bytes, a version 32");
    if (facts.release == 0) return bad("a release is 1 or more");
    if (image.empty() || image.size() > (64U << 20U)) return bad("the image is empty or too large");
    header.release = facts.release;
    header.image_bytes = static_cast<std::uint32_t>(image.size());
    header.sha256 = tls::sha256(image);
    std::string head(firmware::header_bytes, '\0');
    const auto bytes = std::as_writable_bytes(std::span{head});
    firmware::compose(header, bytes);
    const auto signature = doors.tls.sign(key_pem, head.substr(0, firmware::signed_bytes));
    if (!signature) return std::unexpected(signature.error());
    header.signature = *signature;
    firmware::compose(header, bytes);
    if (!firmware::parse(bytes)) return bad("a board's name and a version are printable words");
    return head + image;
}

Outcome<firmware::Header> open_firmware(
    doors::Doors& doors,
    const std::string& name,
    const std::string& content,
    const std::string& public_pem
) {
    const auto bad = [&](const char* why) { return fail(base::Fault::bad_input, name + why); };
    const auto header = firmware::parse(std::as_bytes(std::span{content}));
    if (!header) return bad(": no firmware image: `stator firmware pack` makes one");
    if (!doors.tls.verify(public_pem, content.substr(0, firmware::signed_bytes), header->signature))
        return bad(": the site's key did not sign it");
    if (content.size() != firmware::header_bytes + header->image_bytes)
        return bad(": its size is not what its header says");
    if (tls::sha256(std::string_view{content}.substr(firmware::header_bytes)) != header->sha256)
        return bad(": its hash is not its header's");
    return *header;
}

}  // namespace stator::models
