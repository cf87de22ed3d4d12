#include "sense/port/host/sample_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace stator::host {

SampleFiles::~SampleFiles() {
    for (const auto& [channel, file] : files_)
        ::close(file);
}

Outcome<void> SampleFiles::open(std::size_t channel, const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return fail(base::Fault::not_found, path + ": " + std::strerror(errno));
    const auto [place, fresh] = files_.emplace(channel, file);
    if (!fresh) {
        ::close(file);
        return fail(base::Fault::exists, path + ": this channel has a source already");
    }
    return {};
}

base::Result<void> SampleFiles::read(std::size_t channel, std::span<std::uint16_t> counts) {
    const auto found = files_.find(channel);
    if (found == files_.end()) return others_.read(channel, counts);
    auto rest = std::as_writable_bytes(counts);
    bool from_start = false;
    while (!rest.empty()) {
        const auto got = ::read(found->second, rest.data(), rest.size());
        if (got > 0) {
            rest = rest.subspan(static_cast<std::size_t>(got));
            from_start = false;
        } else if (got == 0 && !from_start && ::lseek(found->second, 0, SEEK_SET) == 0) {
            from_start = true;
        } else {
            return std::unexpected{base::Fault::io};
        }
    }
    return {};
}

}  // namespace stator::host
