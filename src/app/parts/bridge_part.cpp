#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "shared/wire/topics.h"
#include "store/devices/registry.h"
#include "store/identity/site.h"
#include "store/stream/kafka_record.h"
#include "store/stream/log_stream.h"
#include "transport/adopt/url.h"
#include "transport/bridge/bridge.h"
#include "world/kafka/rdkafka.h"

#include <algorithm>
#include <array>

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

// "tcp://HOST:PORT" as the reference's containers have it. Whatever the scheme says, it is mutual
// TLS that is spoken: the bridge shows its certificate to nobody in the clear.
Outcome<void> go_to(const std::string& url, mqtt::Options& mqtt) {
    constexpr std::array schemes{"tcp", "ssl", "tls", "mqtt", "mqtts"};
    const std::size_t colon = std::min(url.find("://"), url.size());
    const bool known = std::ranges::find(schemes, url.substr(0, colon)) != schemes.end();
    auto place = adopt::parse_url("mqtts" + url.substr(colon));
    if (!known || !place)
        return fail(
            base::Fault::bad_input,
            "bridge.mqtt_broker (MQTT-BROKER) = \"" + url + "\" must be as tcp://HOST:PORT"
        );
    mqtt.host = place->host;
    mqtt.port = place->port;
    return {};
}

// The certificate of another id than the usual one is made where this site's CA is.
Outcome<void> become(doors::Doors& doors, const config::Config& config) {
    const std::string& id = config.bridge_mqtt_id;
    if (id == "bridge") return {};
    const auto wrong = [&](const std::string& why) {
        return fail(base::Fault::bad_input, "bridge.mqtt_id (MQTT-ID) = \"" + id + "\": " + why);
    };
    if (!wire::valid_id(id)) return wrong("must be 1 to 32 of A-Z a-z 0-9 . _ -");
    auto registry = devices::Registry::make(doors, {.state_directory = config.state_dir});
    if (!registry) return std::unexpected(registry.error());
    auto known = (*registry)->list();
    if (!known) return std::unexpected(known.error());
    if (std::ranges::find(*known, id, &devices::Device::id) != known->end())
        return wrong("is a device of this site");
    const site::Layout layout{config};
    if (doors.disk.exists(layout.pki(id + ".pem")) && !doors.disk.exists(layout.pki("ca.key")))
        return {};  // a container that was given its chain, and no CA
    auto site = identity::open(doors, config.state_dir);
    if (!site) return wrong(site.error().what);
    if (auto done = identity::add_service(doors, *site, id); !done) return wrong(done.error().what);
    return {};
}

}  // namespace

Made make_bridge(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    if (auto done = become(doors, config); !done) return std::unexpected(done.error());
    auto connection = kafka_options(doors, config);
    if (!connection) return std::unexpected(connection.error());
    bridge::Options options;
    options.site = config.site_name;
    options.log_directory = layout.log_directory();
    options.kafka = std::move(*connection);
    options.mqtt = layout.mqtt(config.bridge_mqtt_id);
    if (!config.bridge_mqtt_broker.empty())
        if (auto done = go_to(config.bridge_mqtt_broker, options.mqtt); !done)
            return std::unexpected(done.error());
    auto data_topic = kafka_data_topic(config);
    if (!data_topic) return std::unexpected(data_topic.error());
    options.up_topics[config.topics.data] = *data_topic;
    for (const std::string& topic : {config.topics.control, config.topics.level2})
        options.down_topics[stream::kafka_topic_of(topic)] = topic;
    auto kafka = std::make_unique<kafka::RealKafka>();
    auto stream = std::make_unique<stream::LogStream>(doors.disk, layout.log_directory());
    auto made = bridge::Bridge::make(doors, *kafka, *stream, std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<BridgePart>(std::move(kafka), std::move(stream), std::move(*made));
}

}  // namespace stator::parts
