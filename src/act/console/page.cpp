#include "act/console/page.h"

#include <array>
#include <utility>

namespace stator::console {

namespace {

constexpr std::size_t asset_bytes_max = 8U << 20U;

std::string type_of(const std::string& name) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> types{{
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
    }};
    for (const auto& [ending, type] : types)
        if (name.ends_with(ending)) return std::string{type};
    return "application/octet-stream";
}

}  // namespace

Outcome<Page> Page::load(disk::Disk& disk, const std::string& folder) {
    Page page;
    for (const std::string& below : {std::string{}, std::string{"/assets"}}) {
        auto entries = disk.list(folder + below);
        if (!entries)
            return fail(
                entries.error().fault,
                folder + below + " holds no built page: run tools/build-page (" +
                    entries.error().what + ")"
            );
        for (const disk::Entry& entry : *entries) {
            if (entry.is_directory || entry.name.starts_with(".")) continue;
            auto content = disk.read_all(folder + below + "/" + entry.name, asset_bytes_max);
            if (!content) return std::unexpected(content.error());
            page.assets_[below + "/" + entry.name] = {
                .content = std::move(*content), .type = type_of(entry.name)
            };
        }
    }
    return page;
}

Page Page::none(std::string why) {
    Page page;
    page.why_none_ = std::move(why);
    return page;
}

http::Response Page::get(const std::string& path) const {
    if (!why_none_.empty()) return http::problem(503, "No page", why_none_);
    const auto found = assets_.find(path == "/" ? "/index.html" : path);
    if (found == assets_.end()) return http::problem(404, "Not found", path);
    http::Response response;
    response.body = found->second.content;
    response.headers["Content-Type"] = found->second.type;
    response.headers["Cache-Control"] =
        path.starts_with("/assets/") ? "max-age=31536000, immutable" : "no-store";
    response.headers["Content-Security-Policy"] =
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "frame-ancestors 'none'; base-uri 'none'";
    response.headers["X-Content-Type-Options"] = "nosniff";
    return response;
}

}  // namespace stator::console
