// A Url says where somebody else's broker is: mqtt[s]://HOST[:PORT], kafka[s]://HOST:PORT,...
#pragma once

#include "world/outcome/outcome.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stator::adopt {

struct Url {
    bool kafka = false;
    bool tls = false;
    std::string host;  // without the brackets of [::1]; of Kafka the whole list with its ports
    std::uint16_t port = 0;  // of MQTT: 1883, or 8883 with TLS, where none is said
};

// The Error's sentence goes on after "url".
[[nodiscard]] Outcome<Url> parse_url(std::string_view text);

}  // namespace stator::adopt
