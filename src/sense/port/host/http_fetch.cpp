#include "sense/port/host/http_fetch.h"

#include "shared/wire/decimal.h"

#include <algorithm>
#include <utility>

namespace stator::host {
namespace {

constexpr int timeout_ms = 2'000;  // the loop stands still meanwhile

// The whole size in "bytes 0-99/1234", or nothing.
std::optional<std::size_t> size_of_range(const http::Response& response) {
    const auto header = response.headers.find("content-range");
    const auto other = response.headers.find("Content-Range");
    const auto found = header != response.headers.end() ? header : other;
    if (found == response.headers.end()) return std::nullopt;
    const std::size_t slash = found->second.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    const auto size = wire::to_integer(std::string_view{found->second}.substr(slash + 1));
    if (!size || *size < 0) return std::nullopt;
    return static_cast<std::size_t>(*size);
}

}  // namespace

using base::Fault;
using base::Result;

HttpFetch::HttpFetch(
    http::Http& http, Credential credential, std::string devices_url, std::string models_url
)
    : http_{http},
      credential_{std::move(credential)},
      devices_url_{std::move(devices_url)},
      models_url_{std::move(models_url)} {}

Result<void> HttpFetch::start(const hal::FetchRequest& request) {
    http::ClientRequest ask;
    const bool devices = request.service == hal::Service::devices;
    ask.url = (devices ? devices_url_ : models_url_) + std::string{request.path};
    ask.ca_file = credential_.ca_file;
    ask.certificate_file = credential_.certificate_file;
    ask.key_file = credential_.key_file;
    ask.timeout_ms = timeout_ms;
    if (!request.form.empty()) {
        ask.method = "POST";
        ask.body = request.form;
        ask.headers["content-type"] = "application/x-www-form-urlencoded";
    } else {
        ask.headers["range"] = "bytes=" + std::to_string(request.offset) + '-' +
                               std::to_string(request.offset + request.bytes_max - 1);
    }
    offset_ = request.form.empty() ? request.offset : 0;
    bytes_max_ = request.bytes_max;
    response_.reset();
    auto response = http_.request(ask);
    if (response)
        response_ = *std::move(response);
    else
        reason_ = response.error().what;
    return {};
}

Result<hal::FetchReply> HttpFetch::poll() {
    if (!response_) return std::unexpected{Fault::io};
    hal::FetchReply reply;
    reply.status = response_->status;
    body_ = std::move(response_->body);
    std::span<const std::byte> bytes = std::as_bytes(std::span{body_});
    reply.file_bytes = bytes.size();
    if (response_->status == 206) {
        reply.status = 200;
        reply.file_bytes = size_of_range(*response_).value_or(offset_ + bytes.size());
    } else if (response_->status == 200) {  // no ranges here: cut ours out of the whole
        bytes = bytes.subspan(std::min(offset_, bytes.size()));
    }
    reply.bytes = bytes.first(std::min(bytes.size(), bytes_max_));
    response_.reset();
    return reply;
}

}  // namespace stator::host
