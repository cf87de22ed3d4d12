#include "shared/tinyml/flatbuffer.h"

#include <array>

namespace stator::tinyml {

namespace {

constexpr std::array<std::byte, 8> zeros{};

}  // namespace

Table::Table(File& file, const std::byte* at) : file_{&file}, at_{file.follow(at)} {
    if (at_ == 0) return;
    vtable_ = at_ - load<std::uint32_t>(file.data() + at_);  // signed; below the file it wraps
    if (!file.left_by(vtable_) && !file.left_by(vtable_ + 2)) {
        const std::uint32_t bytes = load<std::uint16_t>(file.data() + vtable_);
        if (bytes < 4) file.condemn();
        if (!file.left_by(vtable_ + bytes)) vtable_bytes_ = bytes;
    }
}

const std::byte* Table::find(unsigned field, std::uint32_t bytes) const {
    const std::uint32_t slot = 4 + 2 * field;
    if (slot + 2 > vtable_bytes_) return nullptr;
    const std::byte* const data = file_->data();
    const std::uint32_t offset = load<std::uint16_t>(data + vtable_ + slot);
    if (offset == 0) return nullptr;
    const bool first = !file_->broken();
    if (file_->left_by(at_ + offset + bytes)) return first ? zeros.data() : nullptr;
    return data + at_ + offset;
}

Table Table::table(unsigned field) const {
    return Table{*file_, find(field, 4)};
}

Vector Table::vector(unsigned field, std::uint32_t item_bytes) const {
    const std::uint32_t head = file_->follow(find(field, 4));
    if (head == 0) return {};
    const auto size = load<std::uint32_t>(file_->data() + head);
    if (file_->left_by(size) || file_->left_by(head + 4 + size * item_bytes)) return {};
    return {head + 4, size};
}

}  // namespace stator::tinyml
