#include "learn/artifacts/artifacts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace stator::artifacts {

namespace {

base::Fault fault_of(int status) {
    switch (status) {
        case 400:
        case 413:
        case 422:
            return base::Fault::bad_input;
        case 401:
        case 403:
            return base::Fault::denied;
        case 404:
            return base::Fault::not_found;
        case 409:
            return base::Fault::exists;
        default:
            return base::Fault::again;
    }
}

std::string either(const std::string& url, std::string otherwise) {
    return url.empty() ? std::move(otherwise) : url;
}

std::string below(const std::string& url, std::string otherwise, const std::string& name) {
    std::string made = either(url, std::move(otherwise));
    if (!made.ends_with('/')) made += '/';
    return made + http::percent_encode(name);
}

std::tm utc_of(std::int64_t unix_ms) {
    return fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000));
}

}  // namespace

Outcome<std::string> Artifacts::send(http::ClientRequest request) {
    request.ca_file = options_.ca_file;
    request.certificate_file = options_.certificate_file;
    request.key_file = options_.key_file;
    auto response = http_.request(request);
    if (!response) return std::unexpected(response.error());
    if (response->status < 200 || response->status > 299)
        return fail(
            fault_of(response->status),
            fmt::format(
                "{} {} answered {}: {:.200}",
                request.method,
                request.url,
                response->status,
                response->body
            )
        );
    return std::move(response->body);
}

Outcome<std::string> Artifacts::get(const std::string& url) {
    http::ClientRequest request;
    request.url = url;
    return send(std::move(request));
}

Outcome<std::string> Artifacts::raw(const std::string& name) {
    return get(below(options_.elsewhere.raw, options_.datasets_url, name));
}

Outcome<std::string> Artifacts::normalised(const std::string& name) {
    return get(below(
        options_.elsewhere.normalised, options_.models_url + "/normalized_training_data", name
    ));
}

Outcome<std::string> Artifacts::full(const std::string& name) {
    return get(below(options_.elsewhere.full, options_.models_url + "/full", name));
}

std::string Artifacts::signer() const {
    const std::string& url = options_.elsewhere.quantised_upload;
    if (url.empty()) return options_.models_url;
    const std::size_t host = url.find("://");
    return host == std::string::npos ? url : url.substr(0, url.find('/', host + 3));
}

Outcome<void> Artifacts::upload(
    std::string url, const std::string& name, const std::string& content
) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = std::move(url);
    std::string type;
    request.body =
        http::make_multipart({.name = "file", .filename = name, .content = content}, type);
    request.headers["content-type"] = type;
    auto sent = send(std::move(request));
    if (!sent) return std::unexpected(sent.error());
    return {};
}

Outcome<void> Artifacts::upload_normalised(const std::string& name, const std::string& content) {
    return upload(
        either(options_.elsewhere.normalised_upload, options_.models_url + "/uploadNormalizedData"),
        name,
        content
    );
}

Outcome<void> Artifacts::upload_full(const std::string& name, const std::string& content) {
    return upload(
        either(options_.elsewhere.full_upload, options_.models_url + "/uploadModel"), name, content
    );
}

Outcome<void> Artifacts::upload_quantised(const std::string& name, const std::string& content) {
    return upload(
        either(options_.elsewhere.quantised_upload, options_.models_url + "/uploadQuantizedModel"),
        name,
        content
    );
}

Outcome<void> Artifacts::put_manifest(const std::string& name, const std::string& json) {
    http::ClientRequest request;
    request.method = "PUT";
    request.url = signer() + "/manifest/" + http::percent_encode(name);
    request.headers["content-type"] = "application/json";
    request.body = json;
    auto sent = send(std::move(request));
    if (!sent) return std::unexpected(sent.error());
    return {};
}

Outcome<void> Artifacts::promote(const std::string& name) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = signer() + "/api/v1/models/" + http::percent_encode(name) + "/promote";
    auto sent = send(std::move(request));
    if (!sent) return std::unexpected(sent.error());
    return {};
}

std::string model_name(std::int64_t unix_ms, std::string_view ending) {
    return fmt::format("{:%Y-%m-%d-%H:%M:%S}-model{}", utc_of(unix_ms), ending);
}

std::string data_set_name(std::int64_t unix_ms) {
    return fmt::format(
        "normalized_training_data_{:%Y-%m-%dT%H:%M:%S}:{}.csv", utc_of(unix_ms), unix_ms
    );
}

}  // namespace stator::artifacts
