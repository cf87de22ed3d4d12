#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "decide/sidecar/sidecar.h"
#include "world/sockets/posix.h"

#include <charconv>

namespace stator::parts {

namespace {

class SidecarPart final : public part::Part {
  public:
    SidecarPart(
        std::unique_ptr<disk::Lock> lock,
        std::unique_ptr<Streams> streams,
        std::unique_ptr<sockets::Sockets> sockets,
        std::unique_ptr<sidecar::Sidecar> sidecar
    )
        : lock_{std::move(lock)},
          streams_{std::move(streams)},
          sockets_{std::move(sockets)},
          sidecar_{std::move(sidecar)} {}

    [[nodiscard]] std::string_view name() const override { return "sidecar"; }

    Outcome<bool> step() override { return sidecar_->step(); }

    void wait(std::int64_t timeout_us) override { sidecar_->wait(timeout_us); }

    std::string metrics() override {
        return sidecar_->metrics().render() + streams_->metrics.render();
    }

  private:
    std::unique_ptr<disk::Lock> lock_;
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<sockets::Sockets> sockets_;
    std::unique_ptr<sidecar::Sidecar> sidecar_;
};

// "HOST:PORT", "[::1]:PORT" too.
bool read_server(const std::string& text, sidecar::Options& options) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) return false;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, options.server_port);
    options.server_host = text.substr(0, colon);
    if (options.server_host.starts_with('[') && options.server_host.ends_with(']'))
        options.server_host = options.server_host.substr(1, options.server_host.size() - 2);
    return read.ec == std::errc{} && read.ptr == end && options.server_port != 0;
}

}  // namespace

Made make_sidecar(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    sidecar::Options options;
    options.assets = config.assets;
    options.reader = config.sidecar_group;
    options.state_file = layout.path("level2/sidecar.db");
    options.mqtt = layout.mqtt(options.id);
    options.alert_topic = config.topics.level2;
    options.data_topic = config.topics.data;
    options.server_port = config.ports.level2_line;
    if (!config.sidecar_server.empty() && !read_server(config.sidecar_server, options))
        return fail(
            base::Fault::bad_input,
            "stator.toml: sidecar.server must be HOST:PORT, not '" + config.sidecar_server + "'"
        );
    auto lock = lock_level2(doors, config);
    if (!lock) return std::unexpected(lock.error());
    auto streams = make_streams(doors, config, "sidecar.stream", config.sidecar_stream);
    if (!streams) return std::unexpected(streams.error());
    auto sockets = std::make_unique<sockets::PosixSockets>();
    auto made = sidecar::Sidecar::make(doors, *(*streams)->inner, *sockets, std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<SidecarPart>(
        std::move(*lock), std::move(*streams), std::move(sockets), std::move(*made)
    );
}

}  // namespace stator::parts
