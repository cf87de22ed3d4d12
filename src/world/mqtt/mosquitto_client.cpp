#include "world/mqtt/mosquitto_client.h"

#include "world/mqtt/backoff.h"

#include <fmt/format.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <utility>

namespace stator::mqtt {

namespace {

constexpr std::size_t inflight_max = 20;  // Mosquitto's own receive maximum
constexpr int turns_max = 64;             // of the library's loop in one poll()

struct FreeMosquitto {
    void operator()(mosquitto* client) const { mosquitto_destroy(client); }
};

class MosquittoClient final : public Client {
  public:
    MosquittoClient(
        clock::Clock& clock, chance::Chance& chance, ReconnectOptions reconnect, Options options
    )
        : clock_{clock}, chance_{chance}, reconnect_{reconnect}, options_{std::move(options)} {}

    ~MosquittoClient() override = default;
    MosquittoClient(const MosquittoClient&) = delete;
    MosquittoClient& operator=(const MosquittoClient&) = delete;

    Outcome<std::uint64_t> publish(Message message) override {
        if (pending_.size() >= options_.queue_max)
            return fail(
                base::Fault::full,
                fmt::format(
                    "mqtt client {}: {} messages wait already", options_.client_id, pending_.size()
                )
            );
        if (mosquitto_pub_topic_check(message.topic.c_str()) != MOSQ_ERR_SUCCESS)
            return fail(base::Fault::bad_input, "not a topic to publish to: " + message.topic);
        pending_.push_back({next_id_, std::move(message), 0});
        if (connected_) send_pending();
        return next_id_++;
    }

    Outcome<void> subscribe(const std::string& filter, int qos) override {
        if (mosquitto_sub_topic_check(filter.c_str()) != MOSQ_ERR_SUCCESS)
            return fail(base::Fault::bad_input, "not a topic filter: " + filter);
        filters_[filter] = qos;
        if (connected_) send_subscribe(filter, qos);
        return {};
    }

    std::vector<Event> poll() override {
        if (client_ == nullptr && wanted_ && clock_.monotonic_us() >= attempt_us_) attempt();
        for (int turn = 0; turn < turns_max && client_ != nullptr; ++turn) {
            const std::size_t before = raw_.size() + sent_;
            const int code = mosquitto_loop(client_.get(), 0, 1);
            take_raw();
            if (connected_) send_pending();
            if (client_ == nullptr) break;
            if (code != MOSQ_ERR_SUCCESS) {
                lose(mosquitto_strerror(code));
                break;
            }
            if (raw_.size() + sent_ == before && !progress_) break;
            progress_ = false;
        }
        if (client_ != nullptr && !connected_ &&
            clock_.monotonic_us() - started_us_ > reconnect_.connect_us_max)
            lose("no answer to CONNECT");
        return std::exchange(events_, {});
    }

    [[nodiscard]] bool connected() const override { return connected_; }

    void disconnect() override {
        wanted_ = false;
        if (client_ == nullptr) return;
        mosquitto_disconnect(client_.get());  // writes at once where the socket takes it
        for (int turn = 0; turn < turns_max && mosquitto_want_write(client_.get()); ++turn)
            if (mosquitto_loop_write(client_.get(), 1) != MOSQ_ERR_SUCCESS) break;
        lose("the client said good-bye");
    }

  private:
    struct Pending {
        std::uint64_t id = 0;
        Message message;
        int mid = 0;  // 0: not sent over this connection
    };

    // What a callback of the library saw; poll() takes it in order.
    struct Raw {
        enum class Kind : std::uint8_t { connected, gone, published, subscribed, message };
        Kind kind = Kind::message;
        int mid = 0;
        int code = 0;
        Message message;
    };

    static MosquittoClient& self(void* object) { return *static_cast<MosquittoClient*>(object); }

    static void on_connect(
        mosquitto* /*client*/,
        void* object,
        int code,
        int /*flags*/,
        const mosquitto_property* /*p*/
    ) {
        self(object).raw_.push_back({Raw::Kind::connected, 0, code, {}});
    }

    static void on_disconnect(
        mosquitto* /*client*/, void* object, int code, const mosquitto_property* /*properties*/
    ) {
        self(object).raw_.push_back({Raw::Kind::gone, 0, code, {}});
    }

    static void on_publish(
        mosquitto* /*client*/, void* object, int mid, int code, const mosquitto_property* /*p*/
    ) {
        self(object).raw_.push_back({Raw::Kind::published, mid, code, {}});
    }

    static void on_subscribe(
        mosquitto* /*client*/,
        void* object,
        int mid,
        int count,
        const int* granted,
        const mosquitto_property* /*properties*/
    ) {
        const int code = count > 0 ? granted[0] : 0x80;
        self(object).raw_.push_back({Raw::Kind::subscribed, mid, code, {}});
    }

    static void on_message(
        mosquitto* /*client*/,
        void* object,
        const mosquitto_message* message,
        const mosquitto_property* /*properties*/
    ) {
        Message copy{message->topic, {}, message->qos, message->retain};
        if (message->payloadlen > 0)
            copy.payload.assign(
                static_cast<const char*>(message->payload),
                static_cast<std::size_t>(message->payloadlen)
            );
        self(object).raw_.push_back({Raw::Kind::message, 0, 0, std::move(copy)});
    }

    [[nodiscard]] int configure() {
        mosquitto* const client = client_.get();
        const Credentials& credentials = options_.credentials;
        mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, options_.protocol_version);
        mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
        mosquitto_connect_v5_callback_set(client, on_connect);
        mosquitto_disconnect_v5_callback_set(client, on_disconnect);
        mosquitto_publish_v5_callback_set(client, on_publish);
        mosquitto_subscribe_v5_callback_set(client, on_subscribe);
        mosquitto_message_v5_callback_set(client, on_message);
        const auto path = [](const std::string& file) {
            return file.empty() ? nullptr : file.c_str();
        };
        int code = MOSQ_ERR_SUCCESS;
        if (!credentials.ca_file.empty())
            code = mosquitto_tls_set(
                client,
                credentials.ca_file.c_str(),
                nullptr,
                path(credentials.certificate_file),
                path(credentials.key_file),
                nullptr
            );
        if (code == MOSQ_ERR_SUCCESS && !credentials.username.empty())
            code = mosquitto_username_pw_set(
                client, credentials.username.c_str(), path(credentials.password)
            );
        if (code == MOSQ_ERR_SUCCESS && options_.will)
            code = mosquitto_will_set(
                client,
                options_.will->topic.c_str(),
                static_cast<int>(options_.will->payload.size()),
                options_.will->payload.data(),
                options_.will->qos,
                options_.will->retain
            );
        return code;
    }

    [[nodiscard]] int begin_connect() {
        if (options_.protocol_version != MQTT_PROTOCOL_V5 || options_.clean_session)
            return mosquitto_connect_async(
                client_.get(), options_.host.c_str(), options_.port, options_.keep_alive_s
            );
        // Only this call takes the property without which a session of MQTT 5 ends with the
        // connection. It waits for TCP's handshake.
        mosquitto_property* properties = nullptr;
        mosquitto_property_add_int32(
            &properties,
            MQTT_PROP_SESSION_EXPIRY_INTERVAL,
            std::numeric_limits<std::uint32_t>::max()
        );
        const int code = mosquitto_connect_bind_v5(
            client_.get(),
            options_.host.c_str(),
            options_.port,
            options_.keep_alive_s,
            nullptr,
            properties
        );
        mosquitto_property_free_all(&properties);
        return code;
    }

    void attempt() {
        started_us_ = clock_.monotonic_us();
        // A new object each time: the library's own queue would publish a second time what ours
        // publishes again.
        client_.reset(mosquitto_new(options_.client_id.c_str(), options_.clean_session, this));
        if (client_ == nullptr) {
            lose("no memory for a client");
            return;
        }
        int code = configure();
        if (code == MOSQ_ERR_SUCCESS) code = begin_connect();
        if (code == MOSQ_ERR_CONN_PENDING) code = MOSQ_ERR_SUCCESS;
        if (code != MOSQ_ERR_SUCCESS) lose(mosquitto_strerror(code));
    }

    void send_subscribe(const std::string& filter, int qos) {
        int mid = 0;
        if (mosquitto_subscribe_v5(client_.get(), &mid, filter.c_str(), qos, 0, nullptr) ==
            MOSQ_ERR_SUCCESS)
            subscribing_[mid] = filter;
    }

    void send_pending() {
        for (; window_ < pending_.size() && window_ < inflight_max; ++window_) {
            Pending& pending = pending_[window_];
            const Message& message = pending.message;
            const int code = mosquitto_publish_v5(
                client_.get(),
                &pending.mid,
                message.topic.c_str(),
                static_cast<int>(message.payload.size()),
                message.payload.data(),
                message.qos,
                message.retain,
                nullptr
            );
            if (code == MOSQ_ERR_SUCCESS) {
                ++sent_;
                continue;
            }
            pending.mid = 0;
            if (code != MOSQ_ERR_OVERSIZE_PACKET && code != MOSQ_ERR_PAYLOAD_SIZE &&
                code != MOSQ_ERR_QOS_NOT_SUPPORTED && code != MOSQ_ERR_RETAIN_NOT_SUPPORTED &&
                code != MOSQ_ERR_MALFORMED_UTF8)
                return;  // the connection is going: the next one publishes it
            // The broker said that it never takes this one: do not stand in the way of others.
            events_.push_back({Event::Kind::refused, pending.id, mosquitto_strerror(code), {}});
            pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(window_));
            --window_;
        }
    }

    void take_raw() {
        while (!raw_.empty() && client_ != nullptr) {
            Raw raw = std::move(raw_.front());
            raw_.pop_front();
            progress_ = true;
            take(raw);
        }
    }

    void take(Raw& raw) {
        switch (raw.kind) {
            case Raw::Kind::connected:
                if (raw.code == 0)
                    greet();
                else
                    lose(fmt::format("refused: {}", refusal(raw.code)));
                break;
            case Raw::Kind::gone:
                lose(raw.code == 0 ? "closed" : mosquitto_strerror(raw.code));
                break;
            case Raw::Kind::published:
                settle(raw);
                break;
            case Raw::Kind::subscribed:
                if (raw.code >= 0x80)
                    events_.push_back(
                        {Event::Kind::refused,
                         0,
                         "subscription denied",
                         {subscribing_[raw.mid], {}, 0, false}}
                    );
                subscribing_.erase(raw.mid);
                break;
            case Raw::Kind::message:
                events_.push_back({Event::Kind::message, 0, {}, std::move(raw.message)});
                break;
        }
    }

    [[nodiscard]] std::string refusal(int code) const {
        return options_.protocol_version == MQTT_PROTOCOL_V5 ? mosquitto_reason_string(code)
                                                             : mosquitto_connack_string(code);
    }

    void greet() {
        connected_ = true;
        failures_ = 0;
        events_.push_back({Event::Kind::connected, 0, {}, {}});
        for (const auto& [filter, qos] : filters_)
            send_subscribe(filter, qos);
    }

    void settle(const Raw& raw) {
        const auto at = std::ranges::find(pending_, raw.mid, &Pending::mid);
        if (at == pending_.end()) return;
        // Reasons below 0x80 are success: 0x10 says that nobody subscribes, which is the rule here.
        if (raw.code >= 0x80)
            events_.push_back({Event::Kind::refused, at->id, mosquitto_reason_string(raw.code), {}}
            );
        else
            events_.push_back({Event::Kind::acknowledged, at->id, {}, {}});
        pending_.erase(at);
        --window_;
    }

    void lose(const std::string& reason) {
        client_.reset();
        connected_ = false;
        raw_.clear();
        subscribing_.clear();
        window_ = 0;
        for (Pending& pending : pending_)
            pending.mid = 0;
        if (!options_.reconnect) wanted_ = false;
        ++failures_;
        attempt_us_ =
            clock_.monotonic_us() +
            backoff_us(failures_, reconnect_.backoff_us_min, reconnect_.backoff_us_max, chance_);
        events_.push_back({Event::Kind::disconnected, 0, reason, {}});
    }

    clock::Clock& clock_;
    chance::Chance& chance_;
    ReconnectOptions reconnect_;
    Options options_;
    std::unique_ptr<mosquitto, FreeMosquitto> client_;  // null: no connection, nor one under way
    bool connected_ = false;
    bool wanted_ = true;
    bool progress_ = false;
    int failures_ = 0;
    std::int64_t attempt_us_ = 0;  // not before
    std::int64_t started_us_ = 0;  // this attempt
    std::uint64_t next_id_ = 1;
    std::size_t sent_ = 0;
    std::size_t window_ = 0;       // the first so many of pending_ have been sent
    std::deque<Pending> pending_;  // in the order of publish()
    std::map<std::string, int> filters_;
    std::map<int, std::string> subscribing_;  // by mid
    std::deque<Raw> raw_;
    std::vector<Event> events_;
};

}  // namespace

MosquittoMqtt::MosquittoMqtt(clock::Clock& clock, chance::Chance& chance, ReconnectOptions options)
    : clock_{clock}, chance_{chance}, options_{options} {
    mosquitto_lib_init();
}

MosquittoMqtt::~MosquittoMqtt() {
    mosquitto_lib_cleanup();
}

Outcome<std::unique_ptr<Client>> MosquittoMqtt::connect(Options options) {
    if (options.client_id.empty())
        return fail(base::Fault::bad_input, "an mqtt client needs a client id");
    return std::make_unique<MosquittoClient>(clock_, chance_, options_, std::move(options));
}

}  // namespace stator::mqtt
