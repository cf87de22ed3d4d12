// resident_bytes() is a process's share of the machine's memory (PSS): pages that several processes
// have in common count once over all of them.
#pragma once

#include <cstdint>
#include <string>

namespace stator::process {

// `process`: a process id, or "self". 0 where there is no such process.
[[nodiscard]] std::uint64_t resident_bytes(const std::string& process);

}  // namespace stator::process
