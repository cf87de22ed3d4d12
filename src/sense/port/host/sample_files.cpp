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

base::Result<std::size_t> SampleFiles::follow(
    std::size_t channel, std::span<std::uint16_t> counts
) {
    const auto found = files_.find(channel);
    if (found == files_.end()) return others_.follow(channel, counts);
    if (counts.empty()) return std::size_t{0};
    auto bytes = std::as_writable_bytes(counts);
    std::size_t have = 0;
    if (const auto half = halves_.find(channel); half != halves_.end()) {
        bytes[have++] = half->second;
        halves_.erase(half);
    }
    const auto got = ::read(found->second, &bytes[have], bytes.size() - have);
    if (got == 0 && ::lseek(found->second, 0, SEEK_SET) == 0)
        return std::unexpected{base::Fault::closed};
    if (got > 0) have += static_cast<std::size_t>(got);
    if (have % 2 != 0) halves_[channel] = bytes[have - 1];
    return have / 2;
}

}  // namespace stator::host
