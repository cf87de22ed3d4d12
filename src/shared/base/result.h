// A Result is a value, or the reason there is none.
//
// What the world can do wrong (a disk, a network, a peer's bytes) is a Result; what we do wrong is
// an assertion. A Fault is named by what the caller can do about it, not by what happened below.
// Nobody may drop a Result: ignoring one does not compile.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

namespace stator::base {

enum class Fault : std::uint8_t {
    again = 1,  // not now: try later
    full,       // a limit is reached: back off
    not_found,
    exists,
    denied,
    bad_input,  // the peer's bytes are wrong: reject them, do not retry
    corrupt,    // our own bytes are wrong: repair or report
    io,         // the machine below failed
    closed,     // we are shutting down
};

[[nodiscard]] constexpr std::string_view name_of(Fault fault) {
    switch (fault) {
        case Fault::again:
            return "again";
        case Fault::full:
            return "full";
        case Fault::not_found:
            return "not found";
        case Fault::exists:
            return "exists";
        case Fault::denied:
            return "denied";
        case Fault::bad_input:
            return "bad input";
        case Fault::corrupt:
            return "corrupt";
        case Fault::io:
            return "io";
        case Fault::closed:
            return "closed";
    }
    return "unknown";
}

template <typename T>
class [[nodiscard]] Result : public std::expected<T, Fault> {
    using Base = std::expected<T, Fault>;

  public:
    using Base::Base;

    Result(Base&& base) : Base{std::move(base)} {}  // NOLINT(google-explicit-constructor)
};

}  // namespace stator::base
