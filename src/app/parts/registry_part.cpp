#include "app/parts/parts.h"
#include "app/site/layout.h"
#include "store/datasets/registry.h"
#include "store/devices/registry.h"
#include "store/models/registry.h"
#include "world/metrics/metrics.h"

#include <fmt/format.h>

namespace stator::parts {

namespace {

class RegistryPart final : public part::Part {
  public:
    RegistryPart(doors::Doors& doors, const config::Config& config)
        : doors_{doors}, config_{config} {}

    Outcome<void> start(const std::string& only);  // empty: all

    [[nodiscard]] std::string_view name() const override { return "registry"; }

    Outcome<bool> step() override {
        bool worked = false;
        for (const auto& server : servers_)
            worked = server->poll(0) || worked;
        return worked;
    }

    void wait(std::int64_t timeout_us) override {
        // Each server has its own loop: they take turns in waiting.
        turn_ = (turn_ + 1) % servers_.size();
        const auto share = static_cast<std::int64_t>(servers_.size());
        static_cast<void>(servers_[turn_]->poll(timeout_us / share));
    }

    std::string metrics() override { return metrics_.render(); }

  private:
    // 30007 and 30008 each answer both path sets: the reference's own pages disagree.
    [[nodiscard]] http::Response files(const http::Request& request) {
        return models::Registry::knows(request.path) ? models_->handle(request)
                                                     : datasets_->handle(request);
    }

    [[nodiscard]] http::Response counted(std::string_view service, http::Response response) {
        metrics_.add(
            "stator_registry_requests_total",
            1,
            fmt::format("service=\"{}\",status=\"{}\"", service, response.status)
        );
        return response;
    }

    [[nodiscard]] Outcome<void> serve(std::uint16_t port, http::Handler handler);

    doors::Doors& doors_;
    const config::Config& config_;
    metrics::Metrics metrics_;
    std::unique_ptr<devices::Registry> devices_;
    std::unique_ptr<models::Registry> models_;
    std::unique_ptr<datasets::Registry> datasets_;
    std::vector<std::unique_ptr<http::Server>> servers_;
    std::size_t turn_ = 0;
};

Outcome<void> RegistryPart::serve(std::uint16_t port, http::Handler handler) {
    const site::Layout layout{config_};
    auto server = doors_.http.listen(
        {.address = config_.listen_address,
         .port = port,
         .certificate_file = layout.pki("server.pem"),
         .key_file = layout.pki("server.key"),
         .client_ca_file = layout.pki("ca.pem")},
        std::move(handler)
    );
    if (!server) return std::unexpected(server.error());
    servers_.push_back(std::move(*server));
    return {};
}

Outcome<void> RegistryPart::start(const std::string& only) {
    auto devices = devices::Registry::make(doors_, {.state_directory = config_.state_dir});
    if (!devices) return std::unexpected(devices.error());
    devices_ = std::move(*devices);
    auto models =
        models::Registry::make(doors_, devices_->access(), {.state_directory = config_.state_dir});
    if (!models) return std::unexpected(models.error());
    models_ = std::move(*models);
    auto datasets = datasets::Registry::make(doors_, devices_->access(), config_.state_dir);
    if (!datasets) return std::unexpected(datasets.error());
    datasets_ = std::move(*datasets);
    metrics_.add("stator_registry_starts_total");
    const auto files_handler = [this](const http::Request& request) {
        return counted("files", files(request));
    };
    const auto devices_handler = [this](const http::Request& request) {
        return counted("devices", devices_->handle(request));
    };
    const config::Ports& ports = config_.ports;
    const auto serves = [&](std::string_view name) { return only.empty() || only == name; };
    Outcome<void> done;
    if (serves("devices")) done = serve(ports.devices, devices_handler);
    if (done && serves("models")) done = serve(ports.models, files_handler);
    if (done && serves("datasets")) done = serve(ports.datasets, files_handler);
    return done;
}

}  // namespace

Made make_registry(doors::Doors& doors, const config::Config& config) {
    return make_one_registry(doors, config, {});
}

Made make_one_registry(doors::Doors& doors, const config::Config& config, const std::string& only) {
    auto made = std::make_unique<RegistryPart>(doors, config);
    if (auto done = made->start(only); !done) return std::unexpected(done.error());
    return made;
}

}  // namespace stator::parts
