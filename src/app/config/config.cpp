#include "app/config/config.h"

#include "app/config/keys.h"
#include "world/settings/read_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

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

class AssetReader {
  public:
    AssetReader(const toml::table& table, std::string where)
        : table_{table}, where_{std::move(where)} {}

    Outcome<asset::Asset> read() {
        asset::Asset made;
        const std::string profile = text("profile");
        if (profile == "shaded-pole-motor") {
            made = asset::shaded_pole_motor();
        } else if (!profile.empty()) {
            return wrong("profile", "is not known; there is shaded-pole-motor");
        }
        for (const auto& [name, member] :
             {std::pair{"id", &asset::Asset::id},
              std::pair{"title", &asset::Asset::title},
              std::pair{"device", &asset::Asset::device},
              std::pair{"class", &asset::Asset::device_class}}) {
            const std::string value = text(name);
            if (!value.empty() && !(made.*member).assign(value))
                return wrong(name, "is longer than 32 bytes");
        }
        if (made.id.empty()) return wrong("id", "is missing");
        const std::string mode = text("mode");
        if (mode == "act") {
            made.mode = asset::Mode::act;
        } else if (mode.empty() || mode == "observe") {
            made.mode = asset::Mode::observe;
        } else {
            return wrong("mode", "must be observe or act");
        }
        number("effect_flow_min_l_per_min", made.effect_flow_min);
        number("severity_potential", made.severity_potential);
        number("severity_imminent", made.severity_imminent);
        if (auto done = channels(made); !done) return std::unexpected(done.error());
        for (const auto& [key, node] : table_)
            if (!seen_.contains(std::string{key.str()}))
                return wrong(std::string{key.str()}, "is an unknown key");
        return made;
    }

  private:
    std::unexpected<Error> wrong(const std::string& key, const std::string& why) const {
        return fail(base::Fault::bad_input, fmt::format("{}: {} {}", where_, key, why));
    }

    std::string text(const std::string& key) {
        seen_.insert(key);
        return table_[key].value_or(std::string{});
    }

    void number(const std::string& key, float& into) {
        seen_.insert(key);
        if (const auto value = table_[key].value<double>()) into = static_cast<float>(*value);
    }

    // A channel more than the profile's: its features are its primary statistic.
    Outcome<void> channels(asset::Asset& made) {
        seen_.insert("channel");
        const toml::array* list = table_["channel"].as_array();
        if (list == nullptr) return {};
        for (const toml::node& node : *list) {
            const toml::table* table = node.as_table();
            if (table == nullptr) return wrong("channel", "must be a table: [[asset.channel]]");
            asset::Channel channel;
            const std::string name = (*table)["name"].value_or(std::string{});
            if (name.empty() || !channel.name.assign(name))
                return wrong("channel", "needs a name of at most 32 bytes");
            channel.unit = asset::Name{(*table)["unit"].value_or(std::string{})};
            const std::string sampling = (*table)["sampling"].value_or(std::string{"slow"});
            if (sampling != "slow" && sampling != "waveform")
                return wrong("channel " + name, "has a sampling other than slow or waveform");
            channel.sampling =
                sampling == "slow" ? asset::Sampling::slow : asset::Sampling::waveform;
            channel.calibration.zero_counts = (*table)["zero_counts"].value_or(0.0F);
            channel.calibration.unit_per_count = (*table)["unit_per_count"].value_or(1.0F);
            channel.calibration.offset = (*table)["offset"].value_or(0.0F);
            channel.counts_max = (*table)["counts_max"].value_or(channel.counts_max);
            channel.plausible_min = (*table)["plausible_min"].value_or(channel.plausible_min);
            channel.plausible_max = (*table)["plausible_max"].value_or(channel.plausible_max);
            const auto index = static_cast<std::uint8_t>(made.channels.size());
            const auto statistic = channel.sampling == asset::Sampling::slow
                                       ? asset::Statistic::mean
                                       : asset::Statistic::rms;
            if (!made.channels.push_back(channel) ||
                !made.features.push_back({.channel = index, .statistic = statistic}))
                return wrong("channel " + name, "is one too many");
        }
        return {};
    }

    const toml::table& table_;
    std::string where_;
    std::set<std::string> seen_;
};

Outcome<void> read_assets(Config& config, const toml::node& node, const std::string& file) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return fail(base::Fault::bad_input, file + ": write [[asset]]");
    config.assets.clear();
    for (const toml::node& item : *list) {
        const toml::table* table = item.as_table();
        if (table == nullptr) return fail(base::Fault::bad_input, file + ": write [[asset]]");
        const std::string where = fmt::format("{}:{}: asset", file, item.source().begin.line);
        auto made = AssetReader{*table, where}.read();
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

Outcome<void> read_environment(Config& config, const Environment& environment) {
    for (const Key& key : keys()) {
        std::vector<std::string> names{environment_name(key.name)};
        for (const std::string& name : key.contract_names) {
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

std::string asset_toml(const asset::Asset& asset) {
    const bool known =
        asset::feature_set_hash(asset) == asset::feature_set_hash(asset::shaded_pole_motor());
    std::string text = fmt::format(
        "\n[[asset]]\nid = \"{}\"\ntitle = \"{}\"\ndevice = \"{}\"\nclass = \"{}\"\n{}"
        "mode = \"{}\"  # observe: never actuates; act: may open the valve and start the pump\n"
        "effect_flow_min_l_per_min = {}\n",
        asset.id.view(),
        asset.title.view(),
        asset.device.view(),
        asset.device_class.view(),
        known ? "profile = \"shaded-pole-motor\"\n" : "",
        asset.mode == asset::Mode::act ? "act" : "observe",
        asset.effect_flow_min
    );
    if (known) return text;
    for (const asset::Channel& channel : asset.channels)
        text += fmt::format(
            "[[asset.channel]]\nname = \"{}\"\nunit = \"{}\"\nsampling = \"{}\"\n"
            "zero_counts = {}\nunit_per_count = {}\noffset = {}\ncounts_max = {}\n",
            channel.name.view(),
            channel.unit.view(),
            channel.sampling == asset::Sampling::slow ? "slow" : "waveform",
            channel.calibration.zero_counts,
            channel.calibration.unit_per_count,
            channel.calibration.offset,
            channel.counts_max
        );
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
