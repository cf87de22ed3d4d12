// The device of a message that was checked before and names it first, as ours do.
//
// Nothing behind the name is read, so this is for who has the message from the log, where only
// whole ones are. Empty where it is not so plain: ask decode_device().
#pragma once

#include <string_view>

namespace stator::wire {

[[nodiscard]] std::string_view leading_device(std::string_view json);

}  // namespace stator::wire
