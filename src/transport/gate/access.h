// Access is the table of rights: which role may publish and subscribe to what.
//
// | topic      | publish                         | subscribe                        |
// | data       | sensor, actor, service, adopter | level2, service, viewer          |
// | inference  | sensor, actor, service, adopter | service, viewer                  |
// | alert      | level2, service                 | actor, service, viewer           |
// | control    | service                         | everybody but an adopter         |
// | command    | service                         | its own device, service, viewer  |
// | stored     | nobody: the gate only           | its own device, service, viewer  |
// | event      | its own device, service         | service, viewer                  |
// | waveform   | its own sensor or actor         | service, viewer                  |
// | presence   | nobody: the gate only           | service, viewer                  |
//
// Wildcards, shared subscriptions and $SYS are for service and viewer. All else is denied.
#pragma once

#include "shared/wire/topics.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace stator::gate {

// The adopter brings what another broker vouches for: data and inferences about devices that are
// not ours, and nothing that could act or decide on rights.
enum class Role : std::uint8_t { sensor, actor, level2, service, viewer, adopter };

[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::optional<Role> role_named(std::string_view name);

// Devices and level 2 must be active in the registry; services and viewers need the certificate.
[[nodiscard]] constexpr bool is_listed(Role role) {
    return role == Role::sensor || role == Role::actor || role == Role::level2;
}

// Such a message says by its deviceID whom it is about.
[[nodiscard]] bool is_about_a_device(wire::TopicKind kind);

struct Claim {  // what a certificate says
    Role role = Role::viewer;
    std::string_view id;
};

// Of `urn:stator:<role>:<id>`; nothing for any other text.
[[nodiscard]] std::optional<Claim> parse_uri(std::string_view uri);

[[nodiscard]] bool may_publish(Role role, std::string_view own_id, const wire::Place& place);
[[nodiscard]] bool may_read(Role role, std::string_view own_id, const wire::Place& place);
[[nodiscard]] bool may_subscribe(
    Role role, std::string_view own_id, const wire::Topics& topics, std::string_view filter
);

}  // namespace stator::gate
