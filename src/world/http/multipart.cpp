// Multipart bodies: RFC 7578 over RFC 2046, section 5.1.
#include "world/http/http.h"

#include <algorithm>
#include <cctype>

namespace stator::http {
namespace {

constexpr std::size_t parts_max = 64;
constexpr std::size_t part_head_bytes_max = 8192;
constexpr std::size_t boundary_bytes_max = 70;  // RFC 2046, 5.1.1

std::unexpected<Error> bad(std::string what) {
    return fail(base::Fault::bad_input, "the multipart body " + std::move(what));
}

std::string lower(std::string_view text) {
    std::string result{text};
    std::ranges::transform(result, result.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return result;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// The value of `name` among the "; name=value" parameters of a header; quoted or bare.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
    std::size_t at = header.find(';');
    while (at != std::string_view::npos && at < header.size()) {
        ++at;
        const std::size_t equals = header.find_first_of("=;", at);
        if (equals == std::string_view::npos) return {};
        if (header[equals] == ';') {
            at = equals;
            continue;
        }
        const std::string key = lower(trimmed(header.substr(at, equals - at)));
        std::string value;
        at = equals + 1;
        if (at < header.size() && header[at] == '"') {
            for (++at; at < header.size() && header[at] != '"'; ++at) {
                if (header[at] == '\\' && at + 1 < header.size() &&
                    (header[at + 1] == '"' || header[at + 1] == '\\')) {
                    ++at;
                }
                value += header[at];
            }
            if (at >= header.size()) return {};  // no closing quote
            at = header.find(';', at);
        } else {
            const std::size_t end = std::min(header.find(';', at), header.size());
            value = trimmed(header.substr(at, end - at));
            at = end == header.size() ? std::string_view::npos : end;
        }
        if (key == name) return value;
    }
    return {};
}

Outcome<Part> parse_head(std::string_view head) {
    while (!head.empty()) {
        const std::size_t end = std::min(head.find("\r\n"), head.size());
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return bad("has a part with a broken header");
        if (lower(trimmed(line.substr(0, colon))) != "content-disposition") continue;
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (!lower(value).starts_with("form-data")) break;
        auto name = parameter(value, "name");
        if (!name) break;
        return Part{
            .name = std::move(*name),
            .filename = parameter(value, "filename").value_or(""),
            .content = {}
        };
    }
    return bad("has a part without Content-Disposition: form-data; name=...");
}

bool is_boundary(std::string_view text) {
    return !text.empty() && text.size() <= boundary_bytes_max &&
           std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

Outcome<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body) {
    if (!lower(content_type).starts_with("multipart/form-data")) {
        return fail(base::Fault::bad_input, "Content-Type is not multipart/form-data");
    }
    const auto boundary = parameter(content_type, "boundary");
    if (!boundary || !is_boundary(*boundary)) {
        return fail(base::Fault::bad_input, "Content-Type names no valid boundary");
    }
    const std::string opening = "--" + *boundary;
    const std::string delimiter = "\r\n--" + *boundary;
    std::vector<Part> parts;
    std::size_t at = 0;
    if (body.starts_with(opening)) {
        at = opening.size();
    } else {  // a preamble is allowed, and ignored
        const std::size_t found = body.find(delimiter);
        if (found == std::string_view::npos) return bad("has no boundary line");
        at = found + delimiter.size();
    }
    while (true) {
        if (body.substr(at).starts_with("--")) return parts;
        while (at < body.size() && (body[at] == ' ' || body[at] == '\t'))
            ++at;
        if (!body.substr(at).starts_with("\r\n")) return bad("has a broken boundary line");
        if (parts.size() >= parts_max) return bad("has more than 64 parts");
        // An empty head has its end in the line break of the boundary line: at, not at + 2.
        const std::size_t head_end = body.find("\r\n\r\n", at);
        if (head_end == std::string_view::npos || head_end - at > part_head_bytes_max) {
            return bad("has a part without an end of its headers within 8192 bytes");
        }
        const std::size_t head_begin = std::min(at + 2, head_end);
        auto part = parse_head(body.substr(head_begin, head_end - head_begin));
        if (!part) return std::unexpected(part.error());
        // The delimiter's line break may be the second one of the head's end: an empty content.
        const std::size_t content = head_end + 4;
        const std::size_t end = body.find(delimiter, content - 2);
        if (end == std::string_view::npos) return bad("ends within a part");
        if (end > content) part->content = body.substr(content, end - content);
        parts.push_back(std::move(*part));
        at = end + delimiter.size();
    }
}

std::string make_multipart(const Part& part, std::string& content_type) {
    // A boundary must not occur in the content; count up until it does not.
    std::string boundary;
    for (unsigned i = 0;; ++i) {
        boundary = "stator-part-" + std::to_string(i);
        if (part.content.find(boundary) == std::string::npos) break;
    }
    const auto quoted = [](std::string_view text) {
        std::string result;
        for (const char c : text) {
            if (c == '"' || c == '\\') result += '\\';
            if (c != '\r' && c != '\n') result += c;
        }
        return result;
    };
    content_type = "multipart/form-data; boundary=" + boundary;
    return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quoted(part.name) +
           "\"; filename=\"" + quoted(part.filename) +
           "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + part.content + "\r\n--" +
           boundary + "--\r\n";
}

}  // namespace stator::http
