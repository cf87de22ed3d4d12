// read_toml() reads a file that people write, by toml++.
//
// toml++ 3.3 stops the process on a header like `[?]` or `[[[a]]]`, and runs into undefined
// behaviour on nearly every letter beyond ASCII outside a string. So it is given ASCII: such
// letters in "double quotes" as escapes, comments not at all. Elsewhere they are refused, as are
// texts of several lines, which no setting of ours needs.
#pragma once

#include "world/outcome/outcome.h"

#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace stator::settings {

// The tables of `text`; Fault::bad_input with `file` and the line where it is no TOML.
[[nodiscard]] Outcome<toml::table> read_toml(std::string_view text, const std::string& file);

}  // namespace stator::settings
