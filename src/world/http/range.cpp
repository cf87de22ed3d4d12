// Byte ranges: RFC 9110, sections 14.1.2 (the grammar), 14.2 (Range), 15.3.7 (206), 15.5.17 (416).
#include "world/http/http.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace stator::http {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size() || text.empty()) return {};
    if (error == std::errc::result_out_of_range) return UINT64_MAX;
    if (error != std::errc{}) return {};
    return value;
}

struct Range {
    std::optional<std::uint64_t> first;  // none: the last `last` bytes
    std::optional<std::uint64_t> last;
};

std::optional<Range> parse(std::string_view text) {
    constexpr std::string_view unit = "bytes=";
    if (!text.starts_with(unit)) return {};
    text.remove_prefix(unit.size());
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return {};
    const std::string_view first = text.substr(0, dash);
    const std::string_view last = text.substr(dash + 1);
    Range range{number(first), number(last)};
    if ((!first.empty() && !range.first) || (!last.empty() && !range.last)) return {};
    if (!range.first && !range.last) return {};
    if (range.first && range.last && *range.last < *range.first) return {};
    return range;
}

}  // namespace

Response apply_range(const Request& request, Response whole) {
    if (whole.status != 200 || whole.stream || request.method != "GET") return whole;
    whole.headers["Accept-Ranges"] = "bytes";
    const auto asked = request.headers.find("range");
    if (asked == request.headers.end()) return whole;
    // We send no validators that If-Range could name, so its condition never holds.
    if (request.headers.contains("if-range")) return whole;
    const auto range = parse(asked->second);
    if (!range) return whole;
    const std::uint64_t size = whole.body.size();
    std::uint64_t from = 0;
    std::uint64_t to = size;  // one past the last
    if (range->first) {
        from = *range->first;
        if (range->last && *range->last < size) to = *range->last + 1;
    } else {
        from = size - std::min(size, *range->last);
    }
    if (from >= to) {
        Response none = problem(416, "Range Not Satisfiable", "the file has no such bytes");
        none.headers["Content-Range"] = "bytes */" + std::to_string(size);
        return none;
    }
    whole.status = 206;
    whole.headers["Content-Range"] =
        "bytes " + std::to_string(from) + "-" + std::to_string(to - 1) + "/" + std::to_string(size);
    whole.body = whole.body.substr(from, to - from);
    return whole;
}

}  // namespace stator::http
