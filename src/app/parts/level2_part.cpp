#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "decide/level2/level2.h"

namespace stator::parts {

namespace {

class Level2Part final : public part::Part {
  public:
    Level2Part(std::unique_ptr<Streams> streams, std::unique_ptr<level2::Level2> level2)
        : streams_{std::move(streams)}, level2_{std::move(level2)} {}

    [[nodiscard]] std::string_view name() const override { return "level2"; }

    Outcome<bool> step() override { return level2_->step(); }

    void wait(std::int64_t timeout_us) override { level2_->wait(timeout_us); }

    std::string metrics() override {
        return level2_->metrics().render() + streams_->metrics.render();
    }

  private:
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<level2::Level2> level2_;
};

}  // namespace

Made make_level2(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    level2::Options options;
    options.assets = config.assets;
    options.state_file = layout.path("level2/level2.db");
    options.models = {
        .registry_url = layout.models_url(),
        .ca_file = layout.pki("ca.pem"),
        .certificate_file = layout.pki(options.id + ".pem"),
        .key_file = layout.pki(options.id + ".key"),
        .signing_public_key_file = layout.pki("model-signing.pub"),
        .directory = layout.path("level2")
    };
    options.mqtt = layout.mqtt(options.id);
    options.alert_topic = config.topics.level2;
    options.data_topic = config.topics.data;
    options.control_topic = config.topics.control;
    if (auto made = doors.disk.make_directories(layout.path("level2")); !made)
        return std::unexpected(made.error());
    auto streams = make_streams(doors, config, "level2.stream", config.level2_stream);
    if (!streams) return std::unexpected(streams.error());
    auto made = level2::Level2::make(doors, *(*streams)->once, std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<Level2Part>(std::move(*streams), std::move(*made));
}

}  // namespace stator::parts
