#include "store/identity/access.h"

#include "store/identity/enrolment.h"

#include <algorithm>
#include <utility>

namespace stator::identity {
namespace {

constexpr std::string_view prefix = "urn:stator:";

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

}  // namespace

bool Who::at_least(Role least) const {
    return least >= Role::viewer && role >= Role::viewer && role >= least;
}

Who parse_uri(std::string_view uri) {
    if (!uri.starts_with(prefix)) return {};
    uri.remove_prefix(prefix.size());
    const std::size_t colon = uri.find(':');
    if (colon == std::string_view::npos) return {};
    const auto role = role_named(uri.substr(0, colon));
    const std::string_view id = uri.substr(colon + 1);
    // People's higher rights are tokens': they can be withdrawn at once.
    const bool of_certificates = role && *role >= Role::sensor && *role <= Role::viewer;
    if (!of_certificates || !is_id(id)) return {};
    return {*role, std::string{id}};
}

std::string make_uri(Role role, std::string_view id) {
    return std::string{prefix} + std::string{name_of(role)} + ":" + std::string{id};
}

Access::Access(Tokens& tokens, std::function<bool(std::string_view)> revoked)
    : tokens_{tokens}, revoked_{std::move(revoked)} {}

Who Access::authorise(const http::Request& request) {
    if (!request.peer_uri.empty()) {
        if (revoked_ && revoked_(request.peer_serial)) return {};
        return parse_uri(request.peer_uri);
    }
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end()) return {};
    std::string_view value = header->second;
    constexpr std::string_view scheme = "bearer ";
    if (value.size() <= scheme.size() || !same_word(value.substr(0, scheme.size()), scheme)) {
        return {};
    }
    value.remove_prefix(scheme.size());
    while (value.starts_with(' '))
        value.remove_prefix(1);
    auto token = tokens_.find(value);
    if (!token) return {};
    return {token->role, std::move(token->name)};
}

std::optional<http::Response> Access::require(
    const http::Request& request, Role least, std::initializer_list<Role> also
) {
    const Who who = authorise(request);
    if (who.at_least(least) || std::ranges::find(also, who.role) != also.end()) return {};
    std::string need;
    if (least >= Role::viewer) {
        need = "a token of role " + std::string{name_of(least)} + " or higher";
    }
    for (const Role role : also) {
        need += (need.empty() ? "a certificate of role " : " or a certificate of role ") +
                std::string{name_of(role)};
    }
    if (who.role != Role::nobody) {
        return http::problem(
            403,
            "Forbidden",
            "'" + who.id + "' has the role " + std::string{name_of(who.role)} + "; this needs " +
                need
        );
    }
    http::Response response =
        http::problem(401, "Unauthorized", "no valid credential was given; this needs " + need);
    response.headers["WWW-Authenticate"] = "Bearer";
    return response;
}

}  // namespace stator::identity
