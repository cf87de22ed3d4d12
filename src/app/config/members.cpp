#include "app/config/members.h"

#include <fmt/format.h>

namespace stator::config {

const toml::node* Members::find(const std::string& key) {
    asked_.insert(key);
    return table_.get(key);
}

void Members::text(const std::string& key, std::string& into) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<std::string>())
        into = *value;
    else
        wrong(key, "must be a text");
}

void Members::number(const std::string& key, float& into, float least, float most) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto value = node->is_number() ? node->value<double>() : std::nullopt;
    if (value && *value >= static_cast<double>(least) && *value <= static_cast<double>(most))
        into = static_cast<float>(*value);
    else
        wrong(key, fmt::format("must be a number from {} to {}", least, most));
}

void Members::whole_number(
    const std::string& key, std::int64_t& into, std::int64_t least, std::int64_t most
) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    if (value && *value >= least && *value <= most)
        into = *value;
    else
        wrong(key, fmt::format("must be a whole number from {} to {}", least, most));
}

void Members::wrong(const std::string& key, const std::string& why) {
    if (!error_.empty()) return;
    const toml::node* node = table_.get(key);
    const auto line = (node == nullptr ? table_.source() : node->source()).begin.line;
    error_ = fmt::format("{}:{}: {}: {} {}", file_, line, what_, key, why);
}

Outcome<void> Members::finish() {
    for (const auto& [key, node] : table_)
        if (!asked_.contains(key.str())) wrong(std::string{key.str()}, "is an unknown key");
    if (error_.empty()) return {};
    return fail(base::Fault::bad_input, error_);
}

}  // namespace stator::config
