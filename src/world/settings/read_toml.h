// read_toml() reads a file that people write, by toml++.
//
// toml++ 3.3 stops the process, or runs into undefined behaviour, on some texts that are no TOML:
// a header like `[?]`, a bare name with a letter beyond ASCII. Those are refused before it sees
// them, and with them strings of several lines, which no setting of ours needs.
#pragma once

#include "world/outcome/outcome.h"

#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace stator::settings {

// The tables of `text`; Fault::bad_input with `file` and the line where it is no TOML.
[[nodiscard]] Outcome<toml::table> read_toml(std::string_view text, const std::string& file);

}  // namespace stator::settings
