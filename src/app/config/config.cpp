#include "app/config/config.h"

#include "app/config/assets.h"
#include "app/config/keys.h"
#include "world/settings/read_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace stator::config {

namespace {

const Key* find_key(std::string_view name) {
    const auto& table = keys();
    const auto found = std::ranges::find(table, name, &Key::name);
    return found == table.end() ? nullptr : &*found;
}

std::string nearest(const std::string& section) {
    std::string names;
    for (const Key& key : keys())
        if (key.name.starts_with(section + ".")) names += (names.empty() ? "" : ", ") + key.name;
    return names.empty() ? "no section has that name" : "there are " + names;
}

Outcome<void> set_key(
    Config& config, const std::string& name, const std::string& value, const std::string& where
) {
    const Key* key = find_key(name);
    if (key == nullptr)
        return fail(
            base::Fault::bad_input,
            fmt::format(
                "{}: unknown key {}; {}", where, name, nearest(name.substr(0, name.find('.')))
            )
        );
    if (auto done = key->set(config, value); !done)
        return fail(
            base::Fault::bad_input, fmt::format("{}: {}: {}", where, name, done.error().what)
        );
    return {};
}

Outcome<std::string> scalar(const toml::node& node, const std::string& where) {
    if (const auto text = node.value<std::string>(); text && node.is_string()) return *text;
    if (node.is_integer()) return fmt::format("{}", *node.value<std::int64_t>());
    if (node.is_floating_point()) return fmt::format("{}", *node.value<double>());
    return fail(base::Fault::bad_input, where + " must be a text or a number");
}

Outcome<void> read_assets(Config& config, const toml::node& node, const std::string& file) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return fail(base::Fault::bad_input, file + ": write [[asset]]");
    config.assets.clear();
    for (const toml::node& item : *list) {
        const toml::table* table = item.as_table();
        if (table == nullptr) return fail(base::Fault::bad_input, file + ": write [[asset]]");
        auto made = read_asset(*table, file);
        if (!made) return std::unexpected(made.error());
        config.assets.push_back(*made);
    }
    return {};
}

Outcome<void> read_section(
    Config& config, const std::string& section, const toml::table& table, const std::string& file
) {
    for (const auto& [key, node] : table) {
        const std::string name = section + "." + std::string{key.str()};
        const std::string where = fmt::format("{}:{}", file, node.source().begin.line);
        auto value = scalar(node, where + ": " + name);
        if (!value) return std::unexpected(value.error());
        if (auto done = set_key(config, name, *value, where); !done) return done;
    }
    return {};
}

std::string environment_name(const std::string& key) {
    std::string name = "STATOR_";
    for (const char c : key)
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

}  // namespace

Outcome<void> read_toml(Config& config, std::string_view toml, const std::string& file) {
    const auto root = settings::read_toml(toml, file);
    if (!root) return std::unexpected{root.error()};
    for (const auto& [key, node] : *root) {
        const std::string name{key.str()};
        if (name == "asset") {
            if (auto done = read_assets(config, node, file); !done) return done;
        } else if (const toml::table* section = node.as_table()) {
            if (auto done = read_section(config, name, *section, file); !done) return done;
        } else {
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "{}:{}: {} stands outside a section", file, node.source().begin.line, name
                )
            );
        }
    }
    return {};
}

Outcome<void> read_environment(
    Config& config, const Environment& environment, std::string_view component
) {
    for (const Key& key : keys()) {
        std::vector<std::string> names{environment_name(key.name)};
        for (const auto& [name, whose] : key.contract_names) {
            if (!whose.empty() && whose != component) continue;
            names.push_back(name);
            std::string plain = name;
            std::ranges::replace(plain, '-', '_');
            if (plain != name) names.push_back(plain);
        }
        for (const std::string& name : names) {
            const auto found = environment.find(name);
            if (found == environment.end()) continue;
            if (auto done = key.set(config, found->second); !done)
                return fail(
                    base::Fault::bad_input,
                    fmt::format("environment: {}: {}", name, done.error().what)
                );
        }
    }
    return {};
}

std::string ports_toml(const Ports& ports) {
    Config config;
    config.ports = ports;
    std::string text = "# Written by `stator up`: the ports in use now.\n[ports]\n";
    for (const Key& key : keys())
        if (key.name.starts_with("ports."))
            text += fmt::format("{} = {}\n", key.name.substr(6), key.get(config));
    return text;
}

std::string default_toml(const Config& config, bool demo) {
    std::string text =
        "# One file sets a site. Every key can also be set in the environment:\n"
        "# ingest.max_rows is STATOR_INGEST_MAX_ROWS.\n";
    std::string section;
    for (const Key& key : keys()) {
        const std::string its = key.name.substr(0, key.name.find('.'));
        if (its == "demo" && !demo) continue;
        if (its != section) text += fmt::format("\n[{}]\n", section = its);
        text += fmt::format(
            "{} = {}  # {}\n", key.name.substr(its.size() + 1), key.get(config), key.what
        );
    }
    for (const asset::Asset& asset : config.assets)
        text += asset_toml(asset);
    return text;
}

Outcome<const asset::Asset*> asset_of_device(const Config& config, std::string_view device) {
    const auto found = std::ranges::find(config.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    if (found == config.assets.end())
        return fail(
            base::Fault::not_found,
            fmt::format("stator.toml has no asset with device = \"{}\"", device)
        );
    return &*found;
}

}  // namespace stator::config
