#include "world/process/self.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

extern char** environ;  // POSIX

namespace stator::process {

std::string program_path() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

std::string working_directory() {
    std::error_code error;
    return std::filesystem::current_path(error).string();
}

std::string user_name() {
    const passwd* entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): at start
    return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> made;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const std::size_t at = text.find('=');
        if (at != std::string_view::npos && at != 0)
            made.emplace(text.substr(0, at), text.substr(at + 1));
    }
    return made;
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): at start
    std::string rest = std::string{path == nullptr ? "" : path} + ":/usr/sbin:/usr/local/sbin";
    while (!rest.empty()) {
        const std::size_t end = rest.find(':');
        const std::string candidate = rest.substr(0, end) + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        rest = end == std::string::npos ? std::string{} : rest.substr(end + 1);
    }
    return {};
}

}  // namespace stator::process
