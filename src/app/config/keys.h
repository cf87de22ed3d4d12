// The table of keys: what a name in the file or the environment sets, and what it is for.
#pragma once

#include "app/config/config.h"

#include <functional>
#include <string>
#include <vector>

namespace stator::config {

// A name of the contract. Some mean another thing to each component: those are heard by one.
struct ContractName {
    // NOLINTNEXTLINE(google-explicit-constructor): most names are one text.
    ContractName(const char* its_name, const char* its_component = "")
        : name{its_name}, component{its_component} {}

    std::string name;       // "MAX_ROWS"
    std::string component;  // the sub-command that hears it: "level2"; empty: each
};

struct Key {
    std::string name;  // "ingest.max_rows"
    std::vector<ContractName> contract_names;
    std::string what;
    std::function<Outcome<void>(Config&, const std::string&)> set;
    std::function<std::string(const Config&)> get;  // as TOML
};

[[nodiscard]] const std::vector<Key>& keys();

}  // namespace stator::config
