// A file of the simulated disk: what is there now, what a power cut leaves for sure, and what it
// may leave.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::disk {

struct Change {
    enum class Kind : std::uint8_t { write, truncate, preallocate, reserve } kind = Kind::write;
    std::uint64_t at = 0;  // offset of a write, new size otherwise
    std::string bytes;
};

// Zeros after `bytes` up to `size` are not kept in memory.
struct Content {
    std::string bytes;
    std::uint64_t size = 0;
    std::uint64_t reserved = 0;

    void apply(const Change& change) {
        if (change.kind == Change::Kind::write) {
            const std::uint64_t end = change.at + change.bytes.size();
            if (bytes.size() < end) bytes.resize(end, '\0');
            std::ranges::copy(change.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(change.at));
            size = std::max(size, end);
        } else if (change.kind == Change::Kind::truncate) {
            size = change.at;
            reserved = std::min(reserved, size);
            if (bytes.size() > size) bytes.resize(size);
        } else {
            if (change.kind == Change::Kind::preallocate) size = std::max(size, change.at);
            reserved = std::max(reserved, change.at);
        }
    }

    [[nodiscard]] std::uint64_t space() const {
        return std::max<std::uint64_t>(bytes.size(), reserved);
    }
};

struct Node {
    Content now;
    Content synced;
    std::vector<Change> unsynced;
    // Its first bytes, where somebody has mapped it: newer than `now`, which gets them with a sync.
    std::shared_ptr<std::vector<std::byte>> mapped;

    void change(Change change) {
        if (mapped && change.kind == Change::Kind::write)
            for (std::size_t i = 0; i < change.bytes.size(); ++i)
                if (change.at + i < mapped->size())
                    (*mapped)[change.at + i] = static_cast<std::byte>(change.bytes[i]);
        now.apply(change);
        unsynced.push_back(std::move(change));
    }

    [[nodiscard]] std::string mapped_part(std::size_t at, std::size_t size) const {
        return {reinterpret_cast<const char*>(mapped->data()) + at, size};
    }
};

}  // namespace stator::disk
