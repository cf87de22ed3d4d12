// No body, form or target of any peer may do more than be refused.
#include "world/http/http.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stator::http;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::string_view first = text.substr(0, line);
    const std::string_view rest = text.substr(std::min(line + 1, size));
    if (const auto parts = parse_multipart(first, rest); parts) {
        for (const Part& part : *parts) {
            if (part.content.size() > rest.size()) std::abort();
            std::string content_type;
            const std::string body = make_multipart(part, content_type);
            const auto again = parse_multipart(content_type, body);
            if (!again || again->size() != 1 || (*again)[0].content != part.content) std::abort();
        }
    }
    if (const auto fields = parse_form(text); fields) {
        for (const auto& [name, value] : *fields) {
            const auto again = parse_form(percent_encode(name) + "=" + percent_encode(value));
            if (!again || !again->contains(name) || again->at(name) != value) std::abort();
        }
    }
    Request request;
    static_cast<void>(read_target(text, request).has_value());
    static_cast<void>(parse_url(text).has_value());
    request.method = "GET";
    request.headers["range"] = text;
    Response whole;
    whole.body = "0123456789";
    if (apply_range(request, whole).body.empty()) std::abort();
    return 0;
}
