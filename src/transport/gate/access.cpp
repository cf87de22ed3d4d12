#include "transport/gate/access.h"

#include <array>

namespace stator::gate {

namespace {

using wire::TopicKind;

constexpr std::array<std::string_view, 6> role_names{
    "sensor", "actor", "level2", "service", "viewer", "adopter"
};

bool is_device(Role role) {
    return role == Role::sensor || role == Role::actor;
}

}  // namespace

bool is_about_a_device(TopicKind kind) {
    return kind == TopicKind::data || kind == TopicKind::inference || kind == TopicKind::alert ||
           kind == TopicKind::event || kind == TopicKind::waveform;
}

std::string_view name_of(Role role) {
    return role_names[static_cast<std::size_t>(role)];
}

std::optional<Role> role_named(std::string_view name) {
    for (std::size_t i = 0; i < role_names.size(); ++i)
        if (role_names[i] == name) return static_cast<Role>(i);
    return std::nullopt;
}

std::optional<Claim> parse_uri(std::string_view uri) {
    constexpr std::string_view prefix = "urn:stator:";
    if (!uri.starts_with(prefix)) return std::nullopt;
    uri.remove_prefix(prefix.size());
    const std::size_t colon = uri.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto role = role_named(uri.substr(0, colon));
    const std::string_view id = uri.substr(colon + 1);
    if (!role || !wire::valid_id(id)) return std::nullopt;
    return Claim{*role, id};
}

bool may_publish(Role role, std::string_view own_id, const wire::Place& place) {
    switch (place.kind) {
        case TopicKind::data:
        case TopicKind::inference:
            return is_device(role) || role == Role::service || role == Role::adopter;
        case TopicKind::alert:
            return role == Role::level2 || role == Role::service;
        case TopicKind::control:
        case TopicKind::command:
            return role == Role::service;
        case TopicKind::event:
            return role == Role::service || (is_listed(role) && place.device == own_id);
        case TopicKind::waveform:
            return is_device(role) && place.device == own_id;
        case TopicKind::stored:
        case TopicKind::presence:
        case TopicKind::unknown:
            return false;
    }
    return false;
}

bool may_read(Role role, std::string_view own_id, const wire::Place& place) {
    if (role == Role::service || role == Role::viewer) return true;
    if (role == Role::adopter) return false;
    switch (place.kind) {
        case TopicKind::data:
            return role == Role::level2;
        case TopicKind::alert:
            return role == Role::actor;
        case TopicKind::control:
            return true;
        case TopicKind::command:
        case TopicKind::stored:
            return place.device == own_id;
        case TopicKind::inference:
        case TopicKind::event:
        case TopicKind::waveform:
        case TopicKind::presence:
        case TopicKind::unknown:
            return false;
    }
    return false;
}

bool may_subscribe(
    Role role, std::string_view own_id, const wire::Topics& topics, std::string_view filter
) {
    // A filter with a wildcard or of a $share group is no topic of the table, so it is denied to
    // whoever does not read everything.
    return may_read(role, own_id, topics.place_of(filter));
}

}  // namespace stator::gate
