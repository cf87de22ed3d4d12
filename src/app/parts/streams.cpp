#include "app/parts/streams.h"

#include "app/site/layout.h"
#include "store/stream/kafka_record.h"
#include "store/stream/kafka_stream.h"
#include "store/stream/log_stream.h"
#include "world/kafka/rdkafka.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace stator::parts {

namespace {

constexpr std::size_t password_bytes_max = 4096;

std::unexpected<Error> wrong(const char* key, const std::string& why) {
    return fail(base::Fault::bad_input, fmt::format("stator.toml: {} {}", key, why));
}

Outcome<std::string> password_of(doors::Doors& doors, const std::string& file) {
    auto text = doors.disk.read_all(file, password_bytes_max);
    if (!text) return wrong("kafka.password_file", "cannot be read: " + text.error().what);
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
        text->pop_back();
    if (text->empty()) return wrong("kafka.password_file", "is empty: " + file);
    return text;
}

std::unique_ptr<stream::Stream> kafka_stream(
    kafka::Kafka& kafka,
    const config::Config& config,
    const std::string& data_topic,
    kafka::Options connection
) {
    stream::KafkaStreamOptions options;
    options.connection = std::move(connection);
    options.site = config.site_name;
    const auto name = [&](log::Class log_class, const std::string& theirs) {
        options.topics.at(static_cast<std::size_t>(log_class)).push_back(theirs);
    };
    const auto ours = [&](log::Class log_class, const std::string& topic) {
        const std::string theirs = stream::kafka_topic_of(topic);
        options.mqtt_topics[theirs] = topic;
        name(log_class, theirs);
    };
    options.mqtt_topics[data_topic] = config.topics.data;
    name(log::Class::telemetry, data_topic);
    ours(log::Class::alarm, config.topics.level1);
    ours(log::Class::alarm, config.topics.level2);
    ours(log::Class::control, config.topics.control);
    // Each device has its own of these, which the record's header says.
    name(log::Class::control, stream::kafka_topic_of("stator/devices/any/event"));
    name(log::Class::control, stream::kafka_topic_of("stator/presence/any"));
    name(log::Class::waveform, stream::kafka_topic_of("stator/devices/any/waveform"));
    return std::make_unique<stream::KafkaStream>(kafka, std::move(options));
}

}  // namespace

Outcome<std::string> kafka_data_topic(const config::Config& config) {
    if (config.kafka.data_topic.empty()) return stream::kafka_topic_of(config.topics.data);
    const std::string& name = config.kafka.data_topic;
    const auto bad = [&](const std::string& why) {
        return wrong("kafka.data_topic", fmt::format("(KAFKA-TOPIC) = \"{}\" {}", name, why));
    };
    const bool plain = std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    constexpr std::size_t bytes_max = 249;
    if (!plain || name.size() > bytes_max || name == "." || name == "..")
        return bad("is no name for a topic of Kafka: 1 to 249 of A-Z a-z 0-9 . _ -");
    for (const std::string& other :
         {config.topics.level1, config.topics.level2, config.topics.control})
        if (name == stream::kafka_topic_of(other)) return bad("is another topic's name too");
    return name;
}

Outcome<kafka::Options> kafka_options(doors::Doors& doors, const config::Config& config) {
    const config::Kafka& from = config.kafka;
    if (from.bootstrap.empty()) return wrong("kafka.bootstrap", "is empty: name the brokers");
    kafka::Options options;
    options.brokers = from.bootstrap;
    kafka::Credentials& who = options.credentials;
    const bool sasl = from.security == "sasl_plaintext" || from.security == "sasl_ssl";
    who.tls = from.security == "ssl" || from.security == "sasl_ssl";
    if (!sasl && !who.tls && from.security != "plaintext")
        return wrong("kafka.security", "must be plaintext, ssl, sasl_plaintext or sasl_ssl");
    if (who.tls) {
        who.ca_file = from.ca;
        who.certificate_file = from.certificate;
        who.key_file = from.key;
    }
    if (!sasl) return options;
    if (from.username.empty()) return wrong("kafka.username", "is empty, and sasl needs one");
    auto password = password_of(doors, from.password_file);
    if (!password) return std::unexpected(password.error());
    who.scram_user = from.username;
    who.scram_password = *password;
    who.scram_mechanism = from.mechanism;
    return options;
}

Outcome<std::unique_ptr<Streams>> make_streams(
    doors::Doors& doors,
    const config::Config& config,
    const std::string& key,
    const std::string& choice,
    bool may_hear
) {
    auto made = std::make_unique<Streams>();
    if (choice == "log") {
        made->inner =
            std::make_unique<stream::LogStream>(doors.disk, site::Layout{config}.log_directory());
    } else if (choice == "kafka") {
        auto connection = kafka_options(doors, config);
        if (!connection) return std::unexpected(connection.error());
        auto data_topic = kafka_data_topic(config);
        if (!data_topic) return std::unexpected(data_topic.error());
        made->kafka = std::make_unique<kafka::RealKafka>();
        made->inner = kafka_stream(*made->kafka, config, *data_topic, std::move(*connection));
    } else if (choice == "mqtt" && may_hear) {
        auto heard = std::make_unique<stream::MqttStream>(
            doors.clock,
            stream::MqttStream::Options{
                .topics =
                    {{config.topics.data, log::Class::telemetry},
                     {config.topics.control, log::Class::control}}
            }
        );
        made->heard = heard.get();
        made->inner = std::move(heard);
    } else {
        return wrong(key.c_str(), may_hear ? "must be log, kafka or mqtt" : "must be log or kafka");
    }
    made->once = std::make_unique<stream::OnceStream>(*made->inner, made->metrics);
    return made;
}

}  // namespace stator::parts
