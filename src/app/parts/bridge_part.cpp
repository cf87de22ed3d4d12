#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "store/stream/kafka_record.h"
#include "store/stream/log_stream.h"
#include "transport/bridge/bridge.h"
#include "world/kafka/rdkafka.h"

namespace stator::parts {

namespace {

class BridgePart final : public part::Part {
  public:
    BridgePart(
        std::unique_ptr<kafka::Kafka> kafka,
        std::unique_ptr<stream::LogStream> stream,
        std::unique_ptr<bridge::Bridge> bridge
    )
        : kafka_{std::move(kafka)}, stream_{std::move(stream)}, bridge_{std::move(bridge)} {}

    [[nodiscard]] std::string_view name() const override { return "bridge"; }

    Outcome<bool> step() override { return bridge_->step(); }

    void wait(std::int64_t timeout_us) override { bridge_->wait(timeout_us); }

    std::string metrics() override { return bridge_->metrics().render(); }

    http::Response handle(const http::Request& request) override {
        if (request.path != "/status") return part::Part::handle(request);
        http::Response response;
        response.headers["Content-Type"] = "text/plain; charset=utf-8";
        response.body = bridge_->status() + "\n";
        return response;
    }

  private:
    std::unique_ptr<kafka::Kafka> kafka_;
    std::unique_ptr<stream::LogStream> stream_;
    std::unique_ptr<bridge::Bridge> bridge_;
};

}  // namespace

Made make_bridge(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    auto connection = kafka_options(doors, config);
    if (!connection) return std::unexpected(connection.error());
    bridge::Options options;
    options.site = config.site_name;
    options.log_directory = layout.log_directory();
    options.kafka = std::move(*connection);
    options.mqtt = layout.mqtt("bridge");
    for (const std::string& topic : {config.topics.control, config.topics.level2})
        options.down_topics[stream::kafka_topic_of(topic)] = topic;
    auto kafka = std::make_unique<kafka::RealKafka>();
    auto stream = std::make_unique<stream::LogStream>(doors.disk, layout.log_directory());
    auto made = bridge::Bridge::make(doors, *kafka, *stream, std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<BridgePart>(std::move(kafka), std::move(stream), std::move(*made));
}

}  // namespace stator::parts
