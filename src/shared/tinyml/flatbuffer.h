// Reads FlatBuffers tables out of untrusted bytes: every offset is checked before it is followed.
//
// A File remembers the first thing that was wrong (`broken()`); after that every read answers zero
// or empty, so a parser reads on without asking each time and asks once at the end of a table.
// Format: https://flatbuffers.dev/internals (little-endian; offsets are relative to where they
// lie).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace stator::tinyml {

inline constexpr std::size_t file_bytes_max = std::size_t{64} << 20;

// Loads a little-endian scalar from any address: a hostile file need not align its numbers.
template <typename T>
[[nodiscard]] inline T load(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

class File {
  public:
    // Of more than file_bytes_max it holds nothing: places in it fit 32 bits, their sums too.
    explicit File(std::span<const std::byte> bytes)
        : bytes_{bytes}, broken_{bytes.size() > file_bytes_max} {}

    [[nodiscard]] bool broken() const { return broken_; }

    [[nodiscard]] std::size_t size() const { return bytes_.size(); }

    [[nodiscard]] const std::byte* data() const { return bytes_.data(); }

    template <typename T>
    [[nodiscard]] T read(std::uint32_t at) {
        if (!holds(at, sizeof(T))) return T{};
        return load<T>(bytes_.data() + at);
    }

    // Follows the relative offset that lies at `at`; 0 when it leads outside.
    [[nodiscard]] std::uint32_t follow(std::uint32_t at) {
        const auto distance = read<std::uint32_t>(at);
        if (broken_ || distance == 0 || distance > bytes_.size() || !holds(at + distance, 4)) {
            broken_ = true;
            return 0;
        }
        return at + distance;
    }

    [[nodiscard]] [[gnu::always_inline]] bool holds(std::uint32_t at, std::uint32_t count) {
        if (broken_ || at > bytes_.size() || count > bytes_.size() - at) broken_ = true;
        return !broken_;
    }

    void condemn() { broken_ = true; }

  private:
    std::span<const std::byte> bytes_;
    bool broken_ = false;
};

// A vector of `size` items, the first at byte `first`. Its whole extent lies inside the file.
struct Vector {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
};

class Table {
  public:
    Table() = default;

    Table(File& file, std::uint32_t at) : file_{&file}, at_{at} {
        if (at == 0) return;
        vtable_ = at - file.read<std::uint32_t>(at);  // signed; below the file's begin it wraps
        if (file.broken() || vtable_ > file.size()) {
            file.condemn();
            return;
        }
        vtable_bytes_ = file.read<std::uint16_t>(vtable_);
        if (vtable_bytes_ < 4 || !file.holds(vtable_, vtable_bytes_)) file.condemn();
    }

    [[nodiscard]] bool present() const { return at_ != 0; }

    template <typename T>
    [[nodiscard]] T scalar(unsigned field, T missing) const {
        const std::uint32_t at = find(field);
        return at == 0 ? missing : file_->read<T>(at);
    }

    [[nodiscard]] Table table(unsigned field) const {
        const std::uint32_t at = find(field);
        if (at == 0) return {};
        return Table{*file_, file_->follow(at)};
    }

    [[nodiscard]] Vector vector(unsigned field, std::uint32_t item_bytes) const {
        const std::uint32_t at = find(field);
        if (at == 0) return {};
        const std::uint32_t head = file_->follow(at);
        const auto size = file_->read<std::uint32_t>(head);
        if (size > file_bytes_max || !file_->holds(head + 4, size * item_bytes)) {
            file_->condemn();
            return {};
        }
        return {head + 4, size};
    }

    // The i-th table of a vector of tables (item_bytes 4).
    [[nodiscard]] Table item(Vector vector, std::uint32_t i) const {
        if (i >= vector.size) {
            file_->condemn();
            return {};
        }
        return Table{*file_, file_->follow(vector.first + 4 * i)};
    }

    template <typename T>
    [[nodiscard]] T number(Vector vector, std::uint32_t i) const {
        if (i >= vector.size) return T{};
        return file_->read<T>(vector.first + std::uint32_t{sizeof(T)} * i);
    }

  private:
    // Where the field's value lies; 0 when the table leaves it out.
    [[nodiscard]] std::uint32_t find(unsigned field) const {
        if (at_ == 0 || file_->broken()) return 0;
        const std::uint32_t slot = 4 + 2 * field;
        if (slot + 2 > vtable_bytes_) return 0;
        const auto offset = load<std::uint16_t>(file_->data() + vtable_ + slot);  // it lies inside
        return offset == 0 ? 0 : at_ + offset;
    }

    File* file_ = nullptr;
    std::uint32_t at_ = 0;
    std::uint32_t vtable_ = 0;
    std::uint16_t vtable_bytes_ = 0;
};

}  // namespace stator::tinyml
