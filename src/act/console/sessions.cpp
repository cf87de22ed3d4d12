#include "act/console/sessions.h"

#include "world/tls/tls.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace stator::console {

namespace {

constexpr std::int64_t code_lifetime_us = 600'000'000;
constexpr std::int64_t session_lifetime_us = 12LL * 3600 * 1'000'000;
constexpr std::string_view cookie_name = "stator_session=";

std::string cookie_of(const http::Request& request) {
    const auto header = request.headers.find("cookie");
    if (header == request.headers.end()) return {};
    std::string_view rest = header->second;
    while (!rest.empty()) {
        rest.remove_prefix(std::min(rest.find_first_not_of("; "), rest.size()));
        const std::string_view one = rest.substr(0, rest.find(';'));
        if (one.starts_with(cookie_name)) return std::string{one.substr(cookie_name.size())};
        rest.remove_prefix(one.size());
    }
    return {};
}

// What is over is forgotten when something is added: neither list grows with the years.
void add(
    std::map<std::string, std::int64_t>& secrets,
    const std::string& secret,
    std::int64_t now_us,
    std::int64_t lifetime_us
) {
    std::erase_if(secrets, [&](const auto& entry) { return entry.second < now_us; });
    secrets[tls::sha256_hex(secret)] = now_us + lifetime_us;
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
    add(codes_, code, clock_.monotonic_us(), code_lifetime_us);
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
    add(sessions_, session, clock_.monotonic_us(), session_lifetime_us);
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
