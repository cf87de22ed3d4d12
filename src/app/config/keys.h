// The table of keys: what a name in the file or the environment sets, and what it is for.
#pragma once

#include "app/config/config.h"

#include <functional>
#include <string>
#include <vector>

namespace stator::config {

struct Key {
    std::string name;                         // "ingest.max_rows"
    std::vector<std::string> contract_names;  // "MAX_ROWS"
    std::string what;
    std::function<Outcome<void>(Config&, const std::string&)> set;
    std::function<std::string(const Config&)> get;  // as TOML
};

[[nodiscard]] const std::vector<Key>& keys();

}  // namespace stator::config
