#include "world/process/resident.h"

#include <fstream>

namespace stator::process {

std::uint64_t resident_bytes(const std::string& process) {
    std::ifstream in{"/proc/" + process + "/smaps_rollup"};
    std::string word;
    while (in >> word) {
        std::uint64_t kilobytes = 0;
        if (word == "Pss:" && in >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

}  // namespace stator::process
