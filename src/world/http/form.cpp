// Percent-encoding (RFC 3986), forms (WHATWG URL, "application/x-www-form-urlencoded"), targets,
// URLs and problems.
#include "world/http/http.h"
#include "world/json/json.h"

#include <algorithm>
#include <charconv>

namespace stator::http {
namespace {

constexpr std::size_t fields_max = 1000;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (is_unreserved(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += digits[byte >> 4U];
            encoded += digits[byte & 15U];
        }
    }
    return encoded;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            if (i + 2 >= text.size()) return {};
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return {};
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

Outcome<std::map<std::string, std::string>> parse_form(std::string_view body) {
    std::map<std::string, std::string> fields;
    while (!body.empty()) {
        const std::string_view pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(pair.size() + 1, body.size()));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const auto name = percent_decode(pair.substr(0, equals), true);
        const auto value = percent_decode(
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true
        );
        if (!name || !value) {
            return fail(base::Fault::bad_input, "the form has a broken %-escape");
        }
        if (fields.size() >= fields_max) {
            return fail(base::Fault::bad_input, "the form has more than 1000 fields");
        }
        fields.emplace(*name, *value);  // of two fields with one name the first counts
    }
    return fields;
}

Outcome<void> read_target(std::string_view target, Request& request) {
    const std::string_view raw_path = target.substr(0, target.find('?'));
    const auto path = percent_decode(raw_path, false);
    if (!path || !path->starts_with('/') || path->find('\0') != std::string::npos) {
        return fail(base::Fault::bad_input, "the request's path cannot be read");
    }
    request.path = *path;
    request.query.clear();
    if (raw_path.size() == target.size()) return {};
    auto query = parse_form(target.substr(raw_path.size() + 1));
    if (!query) return std::unexpected(query.error());
    request.query = std::move(*query);
    return {};
}

Outcome<Url> parse_url(std::string_view url) {
    const auto bad = [&] {
        return fail(
            base::Fault::bad_input, "'" + std::string{url} + "' is no http:// or https:// address"
        );
    };
    Url result;
    std::string_view rest = url;
    if (rest.starts_with("https://")) {
        result.tls = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else {
        return bad();
    }
    rest = rest.substr(0, rest.find('#'));
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    result.target = rest.starts_with('/') ? std::string{rest} : "/" + std::string{rest};
    const auto unsafe = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
    if (authority.find('@') != std::string_view::npos || std::ranges::any_of(url, unsafe)) {
        return bad();
    }
    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos) return bad();
        result.host = authority.substr(1, close - 1);
        port = authority.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return bad();
    } else {
        result.host = authority.substr(0, authority.find(':'));
        port = authority.substr(result.host.size());
    }
    if (result.host.empty()) return bad();
    result.port = result.tls ? 443 : 80;
    if (port.size() > 1) {
        const auto [end, error] =
            std::from_chars(port.data() + 1, port.data() + port.size(), result.port);
        if (error != std::errc{} || end != port.data() + port.size()) return bad();
    }
    return result;
}

Response problem(int status, std::string_view title, std::string_view detail) {
    const nlohmann::json body{
        {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}
    };
    Response response;
    response.status = status;
    response.headers["Content-Type"] = "application/problem+json";
    response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    return response;
}

}  // namespace stator::http
