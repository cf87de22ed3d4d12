// Access says who sent a request, and answers those who may not.
//
// A verified client certificate (urn:stator:<role>:<id>) comes first; else `Authorization: Bearer
// <token>`. Who has neither is nobody. All HTTP services ask here and nowhere else.
#pragma once

#include "store/identity/tokens.h"
#include "world/http/http.h"

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace stator::identity {

struct Who {
    Role role = Role::nobody;
    std::string id;  // device, service or the token's name

    // A person with at least this role, viewer certificates included.
    [[nodiscard]] bool at_least(Role least) const;

    [[nodiscard]] bool is_device() const { return role == Role::sensor || role == Role::actor; }
};

// Role and id of a SAN URI; nobody when it is none of ours.
[[nodiscard]] Who parse_uri(std::string_view uri);
[[nodiscard]] std::string make_uri(Role role, std::string_view id);

class Access {
  public:
    // `revoked`: is the certificate with this serial (upper-case hex) revoked? Empty: none is.
    explicit Access(Tokens& tokens, std::function<bool(std::string_view serial)> revoked = {});

    [[nodiscard]] Who authorise(const http::Request& request);
    // Nothing when the sender is a person of at least `least`, or has one of the roles in `also`;
    // else the 401 (who are you?) or 403 (not you) to answer. For least, Role::nobody lets no
    // person in: require(request, Role::nobody, {Role::service}) is for services only.
    [[nodiscard]] std::optional<http::Response> require(
        const http::Request& request, Role least, std::initializer_list<Role> also = {}
    );

  private:
    Tokens& tokens_;
    std::function<bool(std::string_view)> revoked_;
};

}  // namespace stator::identity
