// Self is what a process is told about itself: its program, its environment, its user, its folder.
#pragma once

#include <map>
#include <string>

namespace stator::process {

[[nodiscard]] std::string program_path();  // absolute
[[nodiscard]] std::string user_name();
[[nodiscard]] std::string working_directory();
[[nodiscard]] std::map<std::string, std::string> environment();
[[nodiscard]] std::string find_program(const std::string& name);  // on PATH and in sbin; or empty

}  // namespace stator::process
