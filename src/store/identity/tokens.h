// Tokens are the operators' credentials: 256 random bits, of which only the SHA-256 is kept.
//
// One JSON file, replaced atomically under a lock, so `stator token` and the services may share it;
// a reader sees another process's change within a second. A role includes those before it:
// viewer < operator < engineer < admin.
#pragma once

#include "world/doors/doors.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::identity {

// People have one of the last four. sensor..adopter (and viewer) stand in certificates.
enum class Role : std::uint8_t {
    nobody,
    sensor,
    actor,
    level2,
    service,
    adopter,  // brings what other brokers vouch for
    viewer,
    operator_,
    engineer,
    admin,
};

[[nodiscard]] std::string_view name_of(Role role);  // "operator"
[[nodiscard]] std::optional<Role> role_named(std::string_view name);

struct Token {
    std::string name;  // whose it is; unique
    Role role = Role::nobody;
    std::string sha256_hex;
    std::int64_t created_unix_ms = 0;
};

class Tokens {
  public:
    Tokens(doors::Doors& doors, std::string path);

    // The token itself, to be shown once. Fault::exists when `name` has one; bad_input for a role
    // that is no person's.
    [[nodiscard]] Outcome<std::string> add(const std::string& name, Role role);
    [[nodiscard]] Outcome<void> remove(const std::string& name);
    [[nodiscard]] Outcome<std::vector<Token>> list();
    // Whose token it is; Fault::denied for nobody's.
    [[nodiscard]] Outcome<Token> find(std::string_view token);

  private:
    [[nodiscard]] Outcome<void> load();
    [[nodiscard]] Outcome<void> save();

    doors::Doors& doors_;
    std::string path_;
    std::vector<Token> tokens_;
    std::int64_t loaded_us_ = -1;  // -1: never
};

}  // namespace stator::identity
