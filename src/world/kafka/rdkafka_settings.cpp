#include "world/kafka/rdkafka_settings.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace stator::kafka {

namespace {

Outcome<void> check_file(const char* what, const std::string& file) {
    if (file.empty() || std::ifstream{file}.good()) return {};
    return fail(base::Fault::bad_input, std::string{"kafka: "} + what + " cannot be read: " + file);
}

Outcome<void> check(const Options& options) {
    const Credentials& who = options.credentials;
    if (options.brokers.empty())
        return fail(base::Fault::bad_input, "kafka: no brokers are given (host:port,host:port)");
    for (const auto& [what, file] :
         {std::pair{"the CA", &who.ca_file},
          std::pair{"the certificate", &who.certificate_file},
          std::pair{"the key", &who.key_file}})
        if (auto done = check_file(what, *file); !done) return done;
    if (!who.scram_user.empty() && who.scram_mechanism != "SCRAM-SHA-256" &&
        who.scram_mechanism != "SCRAM-SHA-512")
        return fail(
            base::Fault::bad_input,
            "kafka: " + who.scram_mechanism +
                " is no mechanism we know; there are SCRAM-SHA-256 and SCRAM-SHA-512"
        );
    return {};
}

}  // namespace

base::Fault fault_of(RdKafka::ErrorCode code) {
    switch (code) {
        case RdKafka::ERR__QUEUE_FULL:
            return base::Fault::full;
        case RdKafka::ERR_TOPIC_AUTHORIZATION_FAILED:
        case RdKafka::ERR_GROUP_AUTHORIZATION_FAILED:
        case RdKafka::ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RdKafka::ERR__AUTHENTICATION:
        case RdKafka::ERR_SASL_AUTHENTICATION_FAILED:
            return base::Fault::denied;
        case RdKafka::ERR__FATAL:
        case RdKafka::ERR_FENCED_INSTANCE_ID:
            return base::Fault::closed;
        default:
            return is_final(code) ? base::Fault::bad_input : base::Fault::again;
    }
}

bool is_final(RdKafka::ErrorCode code) {
    constexpr std::array codes{
        RdKafka::ERR_MSG_SIZE_TOO_LARGE,
        RdKafka::ERR_RECORD_LIST_TOO_LARGE,
        RdKafka::ERR_TOPIC_EXCEPTION,
        RdKafka::ERR_INVALID_RECORD,
        RdKafka::ERR_INVALID_TIMESTAMP,
        RdKafka::ERR__INVALID_ARG
    };
    return std::ranges::find(codes, code) != codes.end();
}

Outcome<std::vector<Setting>> common_settings(const Options& options) {
    if (auto done = check(options); !done) return std::unexpected(done.error());
    const Credentials& who = options.credentials;
    const bool tls = who.tls || !who.ca_file.empty();
    const bool sasl = !who.scram_user.empty();
    std::vector<Setting> settings{
        {"bootstrap.servers", options.brokers},
        {"client.id", "stator"},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "5000"},
        {"log.connection.close", "false"},
        {"statistics.interval.ms", "2000"},  // says which connections are up
        {"security.protocol",
         sasl ? (tls ? "sasl_ssl" : "sasl_plaintext") : (tls ? "ssl" : "plaintext")}
    };
    if (!who.ca_file.empty()) settings.emplace_back("ssl.ca.location", who.ca_file);
    if (!who.certificate_file.empty()) {
        settings.emplace_back("ssl.certificate.location", who.certificate_file);
        settings.emplace_back("ssl.key.location", who.key_file);
    }
    if (sasl) {
        settings.emplace_back("sasl.mechanisms", who.scram_mechanism);
        settings.emplace_back("sasl.username", who.scram_user);
        settings.emplace_back("sasl.password", who.scram_password);
    }
    return settings;
}

Outcome<std::unique_ptr<RdKafka::Conf>> configure(
    const std::vector<Setting>& settings, RdKafka::EventCb& events
) {
    std::unique_ptr<RdKafka::Conf> conf{RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL)};
    std::string why;
    for (const auto& [key, value] : settings)
        if (conf->set(key, value, why) != RdKafka::Conf::CONF_OK)
            return fail(base::Fault::bad_input, "kafka: " + key + ": " + why);
    if (conf->set("event_cb", &events, why) != RdKafka::Conf::CONF_OK)
        return fail(base::Fault::bad_input, "kafka: " + why);
    return conf;
}

void Trouble::on_event(RdKafka::Event& event) {
    // That all are down follows from the last one's complaint, which says why.
    const bool summary = event.err() == RdKafka::ERR__ALL_BROKERS_DOWN && !text_.empty();
    if (event.type() == RdKafka::Event::EVENT_ERROR && !summary)
        text_ = "kafka: " + RdKafka::err2str(event.err()) + ": " + event.str();
    // The statistics are the one place where librdkafka says that a connection is there again.
    if (event.type() == RdKafka::Event::EVENT_STATS &&
        event.str().find(R"("state":"UP")") != std::string::npos)
        text_.clear();
}

}  // namespace stator::kafka
