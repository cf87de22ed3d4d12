#include "world/process/ready.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace stator::process {

void say_ready() {
    const char* name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): at start
    if (name == nullptr || *name == '\0') return;
    sockaddr_un address{};
    const std::size_t size = std::strlen(name);
    if (size >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name, size);
    if (name[0] == '@') address.sun_path[0] = '\0';  // an abstract name
    const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    constexpr std::string_view text = "READY=1";
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
    // A supervisor that cannot be told sees the process running all the same.
    static_cast<void>(::sendto(
        descriptor,
        text.data(),
        text.size(),
        MSG_NOSIGNAL,
        reinterpret_cast<const sockaddr*>(&address),  // NOLINT: the sockets API
        length
    ));
    ::close(descriptor);
}

}  // namespace stator::process
