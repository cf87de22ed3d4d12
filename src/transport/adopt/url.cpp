#include "transport/adopt/url.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace stator::adopt {

namespace {

constexpr std::uint16_t mqtt_port = 1883;
constexpr std::uint16_t mqtts_port = 8883;
constexpr std::array<std::string_view, 4> schemes{"mqtt", "mqtts", "kafka", "kafkas"};

}  // namespace

Outcome<Url> parse_url(std::string_view text) {
    const std::size_t colon = text.find("://");
    const std::string_view scheme = text.substr(0, colon);
    if (colon == std::string_view::npos || std::ranges::find(schemes, scheme) == schemes.end())
        return fail(
            base::Fault::bad_input, "must begin with mqtt://, mqtts://, kafka:// or kafkas://"
        );
    Url made;
    made.kafka = scheme.starts_with("kafka");
    made.tls = scheme.ends_with('s');
    std::string_view rest = text.substr(colon + 3);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.empty() || rest.find_first_of("/@? ") != std::string_view::npos)
        return fail(base::Fault::bad_input, "is a scheme, a host and a port, and nothing else");
    if (made.kafka) {
        made.host = rest;
        return made;
    }
    made.port = made.tls ? mqtts_port : mqtt_port;
    const std::size_t at = rest.rfind(':');
    if (at != std::string_view::npos && rest.find(']', at) == std::string_view::npos) {
        const std::string_view digits = rest.substr(at + 1);
        const char* const end = digits.data() + digits.size();
        const auto [stopped, error] = std::from_chars(digits.data(), end, made.port);
        if (error != std::errc{} || stopped != end || made.port == 0)
            return fail(base::Fault::bad_input, "has a port that is none");
        rest = rest.substr(0, at);
    }
    if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
    if (rest.empty()) return fail(base::Fault::bad_input, "has no host");
    made.host = rest;
    return made;
}

}  // namespace stator::adopt
