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
        : data_{bytes.data()},
          size_{bytes.size() > file_bytes_max ? 0 : static_cast<std::uint32_t>(bytes.size())} {}

    [[nodiscard]] bool broken() const { return size_ == 0; }

    [[nodiscard]] std::uint32_t size() const { return size_; }  // 0 once it is broken

    [[nodiscard]] const std::byte* data() const { return data_; }

    // Whether `end`, a sum of what was read, leads out of the file, which is broken then.
    [[nodiscard]] [[gnu::always_inline]] bool left_by(std::uint32_t end) {
        if (end <= size_) [[likely]]
            return false;
        condemn();
        return true;
    }

    // Follows the relative offset that lies at `at`, inside the file, to 4 bytes or more; 0 when it
    // leads outside, or when there is none (null).
    [[nodiscard]] [[gnu::always_inline]] std::uint32_t follow(const std::byte* at) {
        if (at == nullptr) return 0;
        const auto distance = load<std::uint32_t>(at);
        if (distance == 0 || left_by(distance)) {
            condemn();
            return 0;
        }
        const std::uint32_t to = static_cast<std::uint32_t>(at - data_) + distance;
        return left_by(to + 4) ? 0 : to;
    }

    void condemn() { size_ = 0; }

  private:
    const std::byte* data_;
    std::uint32_t size_;
};

// A vector of `size` items, the first at byte `first`. Its whole extent lies inside the file.
struct Vector {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
};

// A table's fields. One that is not there is as empty as one whose fields are all left out.
class Table {
  public:
    Table() = default;

    // The table that the offset at `at`, inside the file, leads to; none when that is null.
    Table(File& file, const std::byte* at);

    [[nodiscard]] bool present() const { return at_ != 0; }

    template <typename T>
    [[nodiscard]] T scalar(unsigned field, T missing) const {
        const std::byte* const at = find(field, sizeof(T));
        return at == nullptr ? missing : load<T>(at);
    }

    // Whether the field is not left out, wherever it leads.
    [[nodiscard]] bool has(unsigned field) const { return find(field, 4) != nullptr; }

    [[nodiscard]] Table table(unsigned field) const;

    [[nodiscard]] Vector vector(unsigned field, std::uint32_t item_bytes) const;

    // The i-th table of a vector of tables (item_bytes 4).
    [[nodiscard]] Table item(Vector vector, std::uint32_t i) const {
        return Table{*file_, file_->data() + vector.first + std::size_t{4} * i};
    }

    template <typename T>
    [[nodiscard]] T number(Vector vector, std::uint32_t i) const {
        return load<T>(file_->data() + vector.first + std::uint32_t{sizeof(T)} * i);
    }

  private:
    // The field's `bytes`, inside the file; null when the table leaves it out. When they lie
    // outside they are zero, and from then on left out, as all else of a broken file.
    [[nodiscard]] const std::byte* find(unsigned field, std::uint32_t bytes) const;

    File* file_ = nullptr;
    std::uint32_t at_ = 0;
    std::uint32_t vtable_ = 0;
    std::uint32_t vtable_bytes_ = 0;
};

}  // namespace stator::tinyml
