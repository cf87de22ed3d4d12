// An Outcome is a value, or an Error: a Fault with the sentence that a person needs.
//
// The sentence names the file, key or device at fault, says what was wrong, and what to do.
// Services use Outcome; the device, which has no heap, uses base::Result.
#pragma once

#include "shared/base/result.h"

#include <expected>
#include <string>
#include <utility>

namespace stator {

struct Error {
    base::Fault fault = base::Fault::io;
    std::string what;  // one sentence
};

template <typename T>
class [[nodiscard]] Outcome : public std::expected<T, Error> {
    using Base = std::expected<T, Error>;

  public:
    using Base::Base;

    Outcome(Base&& base) : Base{std::move(base)} {}  // NOLINT(google-explicit-constructor)
};

[[nodiscard]] inline std::unexpected<Error> fail(base::Fault fault, std::string what) {
    return std::unexpected(Error{fault, std::move(what)});
}

}  // namespace stator
