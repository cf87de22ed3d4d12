#include "world/chance/real.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace stator::chance {

void RealChance::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = getrandom(bytes.data(), bytes.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {  // never on a Linux that runs us; a guessable key would be worse than a crash
            std::fputs("chance: getrandom() failed\n", stderr);
            std::abort();
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

}  // namespace stator::chance
