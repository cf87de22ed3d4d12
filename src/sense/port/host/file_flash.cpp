#include "sense/port/host/file_flash.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace stator::host {

using base::Fault;
using base::Result;

FileFlash::FileFlash(std::unique_ptr<disk::File> file, std::vector<std::byte> content)
    : file_{std::move(file)}, content_{std::move(content)} {}

Outcome<std::unique_ptr<FileFlash>> FileFlash::open(
    disk::Disk& disk, const std::string& path, std::size_t size_bytes
) {
    assert(size_bytes % sector_size == 0);
    auto file = disk.open(path, disk::Mode::create);
    if (!file) return std::unexpected{file.error()};
    std::vector<std::byte> content(size_bytes, std::byte{0xFF});
    const auto size = (*file)->size();
    if (!size) return std::unexpected{size.error()};
    if (*size > size_bytes)
        return fail(
            Fault::bad_input,
            path + " is larger than this device's flash: was it made with another size?"
        );
    const auto read = (*file)->read_at(0, content);
    if (!read) return std::unexpected{read.error()};
    if (*size < size_bytes) {  // new, or its making was cut short: the rest is erased flash
        const std::span<const std::byte> all{content};
        if (auto made = (*file)->write_at(*size, all.subspan(*size)); !made)
            return std::unexpected{made.error()};
        if (auto synced = (*file)->sync(); !synced) return std::unexpected{synced.error()};
        const auto parent = path.substr(0, path.rfind('/'));
        if (auto synced = disk.sync_directory(parent); !synced)
            return std::unexpected{synced.error()};
    }
    return std::unique_ptr<FileFlash>{new FileFlash{*std::move(file), std::move(content)}};
}

std::span<const std::byte> FileFlash::mapped(std::size_t offset, std::size_t size) const {
    return std::span<const std::byte>{content_}.subspan(offset, size);
}

Result<void> FileFlash::write(std::size_t offset, std::span<const std::byte> bytes) {
    if (!file_->write_at(offset, bytes) || !file_->sync()) return std::unexpected{Fault::io};
    std::ranges::copy(bytes, content_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
}

Result<void> FileFlash::erase(std::size_t sector_offset) {
    if (sector_offset % sector_size != 0 || sector_offset >= content_.size())
        return std::unexpected{Fault::bad_input};
    const std::vector<std::byte> blank(sector_size, std::byte{0xFF});
    return write(sector_offset, blank);
}

Result<void> FileFlash::program(std::size_t offset, std::span<const std::byte> bytes) {
    if (offset % hal::flash_program_bytes != 0 || bytes.size() % hal::flash_program_bytes != 0 ||
        offset > content_.size() || bytes.size() > content_.size() - offset)
        return std::unexpected{Fault::bad_input};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if ((content_[offset + i] & bytes[i]) != bytes[i]) return std::unexpected{Fault::bad_input};
    return write(offset, bytes);
}

}  // namespace stator::host
