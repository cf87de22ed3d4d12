// HttpFetch is the node's Fetch over the http door, with the device's own certificate.
//
// The door answers before start() returns, so it is given a short time; poll() hands the answer
// over. A server without ranges is asked once for each chunk and pays for it.
#pragma once

#include "sense/hal/fetch.h"
#include "sense/port/host/provisioning.h"
#include "world/http/http.h"

#include <optional>
#include <string>

namespace stator::host {

class HttpFetch final : public hal::Fetch {
  public:
    HttpFetch(
        http::Http& http, Credential credential, std::string devices_url, std::string models_url
    );

    [[nodiscard]] base::Result<void> start(const hal::FetchRequest& request) override;
    [[nodiscard]] base::Result<hal::FetchReply> poll() override;

    // Why the last one failed, for people.
    [[nodiscard]] const std::string& reason() const { return reason_; }

  private:
    http::Http& http_;
    Credential credential_;
    std::string devices_url_;
    std::string models_url_;
    std::optional<http::Response> response_;
    std::string body_;
    std::size_t offset_ = 0;
    std::size_t bytes_max_ = 0;
    std::string reason_;
};

}  // namespace stator::host
