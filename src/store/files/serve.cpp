#include "store/files/serve.h"

#include "world/json/json.h"

#include <fmt/format.h>

namespace stator::files {

using identity::Role;

http::Response problem_of(const Error& error) {
    switch (error.fault) {
        case base::Fault::bad_input:
            return http::problem(400, "Not understood", error.what);
        case base::Fault::not_found:
            return http::problem(404, "Not found", error.what);
        case base::Fault::denied:
            return http::problem(403, "Refused", error.what);
        case base::Fault::exists:
            return http::problem(409, "Conflict", error.what);
        case base::Fault::full:
            return http::problem(507, "No room", error.what);
        default:
            return http::problem(503, "Not now", error.what);
    }
}

http::Response wrong_method(const http::Request& request, const std::string& allowed) {
    auto response = http::problem(405, "Not allowed", request.path + " takes " + allowed);
    response.headers["Allow"] = allowed;
    return response;
}

std::optional<http::Response> Serve::refuse_reader(const http::Request& request) {
    return access_.require(
        request, Role::viewer, {Role::sensor, Role::actor, Role::level2, Role::service}
    );
}

std::optional<http::Response> Serve::refuse_writer(const http::Request& request) {
    return access_.require(request, Role::engineer, {Role::service});
}

http::Response Serve::upload(
    const http::Request& request, const std::string& kind, const Check& check
) {
    if (request.method != "POST") return wrong_method(request, "POST");
    if (auto refused = refuse_writer(request)) return *refused;
    const auto type = request.headers.find("content-type");
    auto parts = http::parse_multipart(
        type == request.headers.end() ? std::string_view{} : std::string_view{type->second},
        request.body
    );
    if (!parts) return problem_of(parts.error());
    if (parts->size() != 1 || parts->front().name != "file")
        return http::problem(400, "Not understood", "send one part named file");
    const http::Part& part = parts->front();
    if (!is_name(part.filename))
        return http::problem(
            400,
            "Not understood",
            "the part's file name must be one component of letters, digits . : _ -"
        );
    if (part.content.size() > file_bytes_max)
        return http::problem(
            413, "Too large", fmt::format("a file has at most {} bytes", file_bytes_max)
        );
    if (check)
        if (auto fine = check(part); !fine) return problem_of(fine.error());
    auto file = files_.put(kind, part.filename, part.content);
    if (!file) return problem_of(file.error());
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = nlohmann::json{
        {"name", file->name}, {"sha256", file->sha256}, {"bytes", file->size_bytes}
    }.dump();
    return response;
}

http::Response Serve::get(
    const http::Request& request, const std::string& kind, const std::string& name
) {
    if (request.method != "GET") return wrong_method(request, "GET");
    if (auto refused = refuse_reader(request)) return *refused;
    if (!is_name(name))
        return http::problem(
            400, "Not understood", "a name is one component of letters, digits . : _ -"
        );
    auto content = files_.get(kind, name);
    if (!content) return problem_of(content.error());
    http::Response response;
    response.headers["Content-Type"] =
        name.ends_with(".csv") ? "text/csv; charset=utf-8" : "application/octet-stream";
    response.body = std::move(*content);
    return http::apply_range(request, std::move(response));
}

http::Response Serve::list(
    const http::Request& request, const std::string& kind, const std::string& prefix
) {
    if (request.method != "GET") return wrong_method(request, "GET");
    if (auto refused = refuse_reader(request)) return *refused;
    auto files = files_.list(kind);
    if (!files) return problem_of(files.error());
    http::Response response;
    const auto accept = request.headers.find("accept");
    if (accept != request.headers.end() &&
        accept->second.find("application/json") != std::string::npos) {
        nlohmann::json names = nlohmann::json::array();
        for (const File& file : *files)
            names.push_back(file.name);
        response.headers["Content-Type"] = "application/json";
        response.body = names.dump();
        return response;
    }
    response.headers["Content-Type"] = "text/html; charset=utf-8";
    response.body = "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>" +
                    kind + "</title></head><body><ul>\n";
    // Names hold nothing that XML or a URL would have to escape but ':', which is fine after "./".
    for (const File& file : *files)
        response.body +=
            fmt::format("<li><a href=\"{}/{}\">{}</a></li>\n", prefix, file.name, file.name);
    response.body += "</ul></body></html>\n";
    return response;
}

}  // namespace stator::files
