#include "world/disk/disk.h"

#include <fmt/format.h>

namespace stator::disk {

Outcome<std::string> Disk::read_all(const std::string& path, std::size_t bytes_max) {
    auto file = open(path, Mode::read);
    if (!file) return std::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    if (*size > bytes_max)
        return fail(
            base::Fault::full,
            fmt::format("{}: {} bytes, more than the {} allowed here", path, *size, bytes_max)
        );
    std::string text(static_cast<std::size_t>(*size), '\0');
    const auto read = (*file)->read_at(0, std::as_writable_bytes(std::span{text}));
    if (!read) return std::unexpected(read.error());
    text.resize(*read);
    return text;
}

Outcome<void> Disk::replace(const std::string& path, std::string_view content, unsigned mode) {
    // A fixed name: what a killed process left behind is overwritten, not collected.
    const std::string fresh = path + ".new";
    if (exists(fresh)) {
        if (auto done = remove(fresh); !done) return done;
    }
    auto file = open(fresh, Mode::create);
    if (!file) return std::unexpected(file.error());
    if (auto done = restrict(fresh, mode); !done) return done;
    if (auto done = (*file)->write_at(0, std::as_bytes(std::span{content})); !done) return done;
    if (auto done = (*file)->sync(); !done) return done;
    if (auto done = rename(fresh, path); !done) return done;
    const std::size_t slash = path.rfind('/');
    return sync_directory(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace stator::disk
