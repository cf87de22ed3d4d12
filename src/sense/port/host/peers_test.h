// A registry and a signer over any world's doors, the simulated ones and the real ones alike:
// beside them the host port's Fetch and Verifier are held to what every port's must do.
#pragma once

#include "sense/hal/fetch_conformance.h"
#include "sense/hal/trust_conformance.h"
#include "sense/port/host/http_fetch.h"
#include "sense/port/host/signature.h"
#include "world/disk/disk.h"
#include "world/http/http.h"
#include "world/tls/tls.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace stator::host {

// The door answers before start() returns.
class AtOnce final : public hal::FetchSide {
  public:
    void begin() override {}

    bool turn() override { return false; }
};

// A registry that knows one device and has one file; its certificates lie in `folder`, which is
// there. Whose server has to be turned turns server().
class Registry {
  public:
    Registry(
        disk::Disk& disk, tls::Tls& tls, http::Http& http, std::string folder, std::string device
    )
        : disk_{disk}, tls_{tls}, folder_{std::move(folder)}, device_{std::move(device)} {
        for (int i = 0; i < 4'321; ++i)
            content_ += static_cast<char>(i * 31 + i / 256);
        ca_key_ = *tls_.make_key();
        ca_ = *tls_.make_ca(ca_key_, "test", 2);
        write("ca.pem", ca_);
        issue(
            "server", {.common_name = "localhost", .ip_addresses = {"127.0.0.1"}, .server = true}
        );
        issue(
            device_, {.common_name = device_, .uri = "urn:stator:actor:" + device_, .client = true}
        );
        http::ListenOptions options;
        options.certificate_file = folder_ + "/server.pem";
        options.key_file = folder_ + "/server.key";
        options.client_ca_file = folder_ + "/ca.pem";
        auto server =
            http.listen(options, [this](const http::Request& request) { return answer(request); });
        EXPECT_TRUE(server) << server.error().what;
        server_ = *std::move(server);
    }

    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    [[nodiscard]] http::Server& server() { return *server_; }

    // What is broken of the port's Fetch beside it, as hal::check_fetch.
    [[nodiscard]] std::string_view check(http::Http& http) const {
        const std::string url = "https://127.0.0.1:" + std::to_string(server_->port());
        HttpFetch fetch{
            http,
            {.ca_file = folder_ + "/ca.pem",
             .certificate_file = folder_ + "/" + device_ + ".pem",
             .key_file = folder_ + "/" + device_ + ".key"},
            url,
            url
        };
        AtOnce side;
        const std::string form = form_of(device_);
        hal::FetchWords words;
        words.path = words.breaks = "/file";  // a connection of this door does not break
        words.content = std::as_bytes(std::span{content_});
        words.missing = "/missing";
        words.form_path = "/confirmActivation";
        words.form = form;
        words.form_answer = "TRUE";
        return hal::check_fetch(fetch, side, words);
    }

  private:
    static std::string form_of(const std::string& device) { return "device_id=" + device; }

    void write(const std::string& name, const std::string& text) {
        EXPECT_TRUE(disk_.replace(folder_ + "/" + name, text));
    }

    void issue(const std::string& name, const tls::Subject& subject) {
        const std::string key = *tls_.make_key();
        const std::string request = *tls_.make_request(key, subject.common_name);
        write(name + ".pem", *tls_.issue(ca_key_, ca_, request, subject, 1) + ca_);
        write(name + ".key", key);
    }

    [[nodiscard]] http::Response answer(const http::Request& request) const {
        http::Response response;
        if (request.method == "POST")
            response.body = request.body == form_of(device_) ? "TRUE" : "FALSE";
        else if (request.path == "/file")
            response.body = content_;
        else
            return http::problem(404, "Not found", "there is none");
        return response;
    }

    disk::Disk& disk_;
    tls::Tls& tls_;
    std::string folder_;
    std::string device_;
    std::string content_;
    std::string ca_key_;
    std::string ca_;
    std::unique_ptr<http::Server> server_;
};

// What is broken of the port's Verifier, as hal::check_verifier.
[[nodiscard]] inline std::string_view check_signature(tls::Tls& tls) {
    const std::string key = *tls.make_key();
    const std::string text = R"({"name":"m","release":7})";
    const auto signed_by_it = tls.sign(key, text);
    if (!signed_by_it) return "the door signs nothing";
    Signature signature{tls, *tls.public_key(key)};
    std::string room = text;
    return hal::check_verifier(signature, text, *signed_by_it, room);
}

}  // namespace stator::host
