#include "act/console/sessions.h"

#include "world/tls/tls.h"

#include <array>

namespace stator::console {

namespace {

constexpr std::int64_t code_lifetime_us = 600'000'000;
constexpr std::int64_t session_lifetime_us = 12LL * 3600 * 1'000'000;
constexpr std::string_view cookie_name = "stator_session=";

std::string cookie_of(const http::Request& request) {
    const auto header = request.headers.find("cookie");
    if (header == request.headers.end()) return {};
    const std::string& text = header->second;
    const std::size_t at = text.find(cookie_name);
    if (at == std::string::npos || (at != 0 && text[at - 1] != ' ' && text[at - 1] != ';'))
        return {};
    const std::size_t from = at + cookie_name.size();
    return text.substr(from, text.find(';', from) - from);
}

}  // namespace

Sessions::Sessions(chance::Chance& chance, clock::Clock& clock) : chance_{chance}, clock_{clock} {}

std::string Sessions::secret() {
    std::array<std::byte, 32> bytes{};
    chance_.fill(bytes);
    std::array<std::uint8_t, 32> octets{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        octets.at(i) = std::to_integer<std::uint8_t>(bytes.at(i));
    return tls::hex(octets.data(), octets.size());
}

std::string Sessions::new_code() {
    std::string code = secret();
    codes_[tls::sha256_hex(code)] = clock_.monotonic_us() + code_lifetime_us;
    return code;
}

http::Response Sessions::enter(const http::Request& request) {
    const auto given = request.query.find("code");
    const auto found =
        given == request.query.end() ? codes_.end() : codes_.find(tls::sha256_hex(given->second));
    if (found == codes_.end() || found->second < clock_.monotonic_us())
        return http::problem(
            403,
            "This link has been used or is too old",
            "Print a new one with `stator console link`."
        );
    codes_.erase(found);
    const std::string session = secret();
    sessions_[tls::sha256_hex(session)] = clock_.monotonic_us() + session_lifetime_us;
    http::Response response;
    response.status = 303;
    response.headers["Location"] = "/";
    response.headers["Set-Cookie"] =
        std::string{cookie_name} + session + "; HttpOnly; SameSite=Strict; Path=/";
    return response;
}

bool Sessions::known(const http::Request& request) const {
    const std::string cookie = cookie_of(request);
    if (cookie.empty()) return false;
    const auto found = sessions_.find(tls::sha256_hex(cookie));
    return found != sessions_.end() && found->second >= clock_.monotonic_us();
}

}  // namespace stator::console
