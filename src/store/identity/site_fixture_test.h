// SiteFixture is a site in simulated doors, and the requests that its people and devices send.
#pragma once

#include "store/identity/access.h"
#include "store/identity/site.h"
#include "world/doors/simulated.h"

#include <string>

namespace stator::identity {

struct SiteFixture : doors::SimulatedDoors {
    SiteFixture() : SimulatedDoors{1'763'000'000'000, 7} {}

    static constexpr const char* state = "/state";
    static constexpr const char* service = "urn:stator:service:learn";
    static constexpr const char* actor = "urn:stator:actor:14333616";
    static constexpr const char* sensor = "urn:stator:sensor:s1";

    Site site = init(doors, state).value();
    Tokens tokens{doors, site.pki("tokens.json")};

    // `who`: a certificate's URI, "Bearer TOKEN", or nobody.
    static http::Request request(
        const std::string& method, const std::string& path, const std::string& who = ""
    ) {
        http::Request made{.method = method, .path = path};
        if (who.starts_with("Bearer "))
            made.headers["authorization"] = who;
        else
            made.peer_uri = who;
        return made;
    }

    static http::Request upload(
        const std::string& path,
        const std::string& file,
        const std::string& content,
        const std::string& who = service
    ) {
        http::Request made = request("POST", path, who);
        made.body = http::make_multipart(
            {.name = "file", .filename = file, .content = content}, made.headers["content-type"]
        );
        return made;
    }

    static http::Request form(
        const std::string& path, const std::string& body, const std::string& who = ""
    ) {
        http::Request made = request("POST", path, who);
        made.body = body;
        return made;
    }

    std::string person(const std::string& name, Role role) {
        return "Bearer " + tokens.add(name, role).value();
    }
};

}  // namespace stator::identity
