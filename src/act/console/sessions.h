// Sessions lets a person's browser in: a printed one-time link becomes a cookie.
//
// A link's code works once and for ten minutes. The cookie is HttpOnly, SameSite=Strict; what
// changes something must come as application/json, which no other site's form can send. Sessions
// are kept in memory: after a restart a new link is printed.
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/http/http.h"

#include <cstdint>
#include <map>
#include <string>

namespace stator::console {

class Sessions {
  public:
    Sessions(chance::Chance& chance, clock::Clock& clock);

    [[nodiscard]] std::string new_code();
    // 303 to the page with the cookie, or 403 with what to do.
    [[nodiscard]] http::Response enter(const http::Request& request);
    [[nodiscard]] bool known(const http::Request& request) const;

  private:
    [[nodiscard]] std::string secret();

    chance::Chance& chance_;
    clock::Clock& clock_;
    std::map<std::string, std::int64_t> codes_;     // SHA-256 of the code -> expiry, monotonic us
    std::map<std::string, std::int64_t> sessions_;  // SHA-256 of the cookie -> expiry
};

}  // namespace stator::console
