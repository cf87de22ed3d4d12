#include "store/identity/tokens.h"

#include "world/json/json.h"

#include <algorithm>
#include <array>

namespace stator::identity {
namespace {

constexpr std::size_t tokens_file_bytes_max = 1U << 20U;
constexpr std::size_t tokens_max = 1000;
constexpr std::int64_t reload_us = 1'000'000;

constexpr std::array<std::string_view, 10> names{
    "nobody",
    "sensor",
    "actor",
    "level2",
    "service",
    "adopter",
    "viewer",
    "operator",
    "engineer",
    "admin"
};

std::string make_token(chance::Chance& chance) {
    std::array<std::byte, 32> bytes{};
    chance.fill(bytes);
    return tls::hex(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

std::string_view name_of(Role role) {
    return names.at(static_cast<std::size_t>(role));
}

std::optional<Role> role_named(std::string_view name) {
    const auto it = std::ranges::find(names, name);
    if (it == names.end()) return {};
    return static_cast<Role>(it - names.begin());
}

Tokens::Tokens(doors::Doors& doors, std::string path) : doors_{doors}, path_{std::move(path)} {}

Outcome<void> Tokens::load() {
    tokens_.clear();
    loaded_us_ = doors_.clock.monotonic_us();
    if (!doors_.disk.exists(path_)) return {};
    const auto text = doors_.disk.read_all(path_, tokens_file_bytes_max);
    if (!text) {
        loaded_us_ = -1;
        return std::unexpected(text.error());
    }
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    const auto broken = [&] {
        tokens_.clear();
        loaded_us_ = -1;
        return fail(
            base::Fault::corrupt, path_ + " is not a list of tokens: restore it from a backup"
        );
    };
    if (!json.is_array()) return broken();
    for (const auto& entry : json) {
        if (!entry.is_object()) return broken();
        const auto text_of = [&](const char* name) {
            const auto it = entry.find(name);
            return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string{};
        };
        const auto created = entry.find("created_unix_ms");
        const auto role = role_named(text_of("role"));
        Token token{
            .name = text_of("name"),
            .role = role.value_or(Role::nobody),
            .sha256_hex = text_of("sha256"),
            .created_unix_ms = created != entry.end() && created->is_number_integer()
                                   ? created->get<std::int64_t>()
                                   : 0
        };
        if (token.name.empty() || token.role < Role::viewer || token.sha256_hex.size() != 64) {
            return broken();
        }
        tokens_.push_back(std::move(token));
    }
    return {};
}

Outcome<void> Tokens::save() {
    auto json = nlohmann::json::array();
    for (const Token& token : tokens_) {
        json.push_back(
            {{"name", token.name},
             {"role", name_of(token.role)},
             {"sha256", token.sha256_hex},
             {"created_unix_ms", token.created_unix_ms}}
        );
    }
    return doors_.disk.replace(path_, json.dump(1) + "\n", 0600);
}

Outcome<std::string> Tokens::add(const std::string& name, Role role) {
    if (role < Role::viewer) {
        return fail(
            base::Fault::bad_input,
            "'" + std::string{name_of(role)} +
                "' is no role of a person: use viewer, operator, engineer or admin"
        );
    }
    const bool printable =
        std::ranges::all_of(name, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (name.empty() || name.size() > 64 || !printable) {
        return fail(base::Fault::bad_input, "a token's name has 1 to 64 printable characters");
    }
    const auto lock = doors_.disk.lock(path_ + ".lock");
    if (!lock) return std::unexpected(lock.error());
    if (auto loaded = load(); !loaded) return std::unexpected(loaded.error());
    if (std::ranges::find(tokens_, name, &Token::name) != tokens_.end()) {
        return fail(base::Fault::exists, "'" + name + "' already has a token: remove it first");
    }
    if (tokens_.size() >= tokens_max) {
        return fail(base::Fault::full, "there are 1000 tokens: remove some first");
    }
    std::string token = make_token(doors_.chance);
    tokens_.push_back(
        {.name = name,
         .role = role,
         .sha256_hex = tls::sha256_hex(token),
         .created_unix_ms = doors_.clock.unix_ms()}
    );
    if (auto saved = save(); !saved) {
        loaded_us_ = -1;
        return std::unexpected(saved.error());
    }
    return token;
}

Outcome<void> Tokens::remove(const std::string& name) {
    const auto lock = doors_.disk.lock(path_ + ".lock");
    if (!lock) return std::unexpected(lock.error());
    if (auto loaded = load(); !loaded) return loaded;
    if (std::erase_if(tokens_, [&](const Token& token) { return token.name == name; }) == 0) {
        return fail(base::Fault::not_found, "'" + name + "' has no token");
    }
    auto saved = save();
    if (!saved) loaded_us_ = -1;
    return saved;
}

Outcome<std::vector<Token>> Tokens::list() {
    if (auto loaded = load(); !loaded) return std::unexpected(loaded.error());
    return tokens_;
}

Outcome<Token> Tokens::find(std::string_view token) {
    if (loaded_us_ < 0 || doors_.clock.monotonic_us() - loaded_us_ >= reload_us) {
        if (auto loaded = load(); !loaded) return std::unexpected(loaded.error());
    }
    // Hashes are compared, so the time taken says nothing about the tokens themselves.
    const std::string hash = tls::sha256_hex(token);
    for (const Token& known : tokens_) {
        if (tls::equal_in_constant_time(known.sha256_hex, hash)) return known;
    }
    return fail(base::Fault::denied, "the token is nobody's");
}

}  // namespace stator::identity
