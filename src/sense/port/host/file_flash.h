// FileFlash is NOR-like flash in a file, through the disk door: what returned is durable.
//
// The content is held in memory too, so mapped() costs nothing. Programming a bit from 0 to 1 is
// Fault::bad_input: real flash cannot do it.
#pragma once

#include "sense/hal/flash.h"
#include "world/disk/disk.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace stator::host {

class FileFlash final : public hal::Flash {
  public:
    static constexpr std::size_t sector_size = 4096;

    // Makes the file, erased, when it is missing.
    [[nodiscard]] static Outcome<std::unique_ptr<FileFlash>> open(
        disk::Disk& disk, const std::string& path, std::size_t size_bytes
    );

    [[nodiscard]] std::size_t size_bytes() const override { return content_.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return sector_size; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override;
    [[nodiscard]] base::Result<void> erase(std::size_t sector_offset) override;
    [[nodiscard]] base::Result<void> program(std::size_t offset, std::span<const std::byte> bytes)
        override;

  private:
    FileFlash(std::unique_ptr<disk::File> file, std::vector<std::byte> content);
    [[nodiscard]] base::Result<void> write(std::size_t offset, std::span<const std::byte> bytes);

    std::unique_ptr<disk::File> file_;
    std::vector<std::byte> content_;
};

}  // namespace stator::host
