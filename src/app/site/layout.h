// Layout says where everything of a site lies below its state directory, and what its URLs are.
#pragma once

#include "app/config/config.h"
#include "world/mqtt/mqtt.h"

#include <string>

namespace stator::site {

class Layout {
  public:
    explicit Layout(const config::Config& config) : config_{config} {}

    [[nodiscard]] std::string path(const std::string& below) const {
        return config_.state_dir + "/" + below;
    }

    [[nodiscard]] std::string pki(const std::string& file) const { return path("pki/" + file); }

    [[nodiscard]] std::string log_directory() const { return path("log"); }

    [[nodiscard]] std::string devices_url() const { return url(config_.ports.devices); }

    [[nodiscard]] std::string models_url() const { return url(config_.ports.models); }

    [[nodiscard]] std::string datasets_url() const { return url(config_.ports.datasets); }

    // How the service `id` connects to the broker.
    [[nodiscard]] mqtt::Options mqtt(const std::string& id) const {
        mqtt::Options options;
        options.host = config_.host;
        options.port = config_.ports.mqtts;
        options.client_id = id;
        options.credentials.ca_file = pki("ca.pem");
        options.credentials.certificate_file = pki(id + ".pem");
        options.credentials.key_file = pki(id + ".key");
        return options;
    }

  private:
    [[nodiscard]] std::string url(std::uint16_t port) const {
        return "https://" + config_.host + ":" + std::to_string(port);
    }

    const config::Config& config_;
};

}  // namespace stator::site
