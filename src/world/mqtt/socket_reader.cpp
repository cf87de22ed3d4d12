#include "world/mqtt/socket_reader.h"

#include "world/mqtt/backoff.h"
#include "world/mqtt/packets.h"
#include "world/mqtt/socket.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace stator::mqtt {

namespace {

constexpr std::size_t read_ahead_bytes = 1U << 20U;  // beyond the packet that is read
constexpr std::int64_t second_us = 1'000'000;

class SocketReader final : public Reader {
  public:
    SocketReader(
        clock::Clock& clock,
        chance::Chance& chance,
        ReconnectOptions reconnect,
        ReaderOptions options,
        TlsContext context
    )
        : clock_{clock},
          chance_{chance},
          reconnect_{reconnect},
          options_{std::move(options)},
          context_{std::move(context)} {}

    ~SocketReader() override {
        if (state_ != State::up) return;
        out_ += make_disconnect();  // politely: the session stays, no will is sent
        (void)socket_->write(out_);
    }

    SocketReader(const SocketReader&) = delete;
    SocketReader& operator=(const SocketReader&) = delete;
    SocketReader(SocketReader&&) = delete;
    SocketReader& operator=(SocketReader&&) = delete;

    std::vector<Delivered> poll() override {
        delivered_.clear();
        auto done = turn();
        if (!done) lose(done.error().what);
        return std::exchange(delivered_, {});
    }

    void acknowledge(std::uint64_t id) override {
        // Ids rise, and what was delivered over an earlier connection is no longer here.
        const auto at = std::ranges::lower_bound(pending_, id, {}, &Pending::id);
        if (at == pending_.end() || at->id != id) return;
        at->done = true;
        while (!pending_.empty() && pending_.front().done) {
            if (pending_.front().packet != 0) out_ += make_puback(pending_.front().packet);
            pending_.pop_front();
        }
        if (auto sent = flush(); !sent) lose(sent.error().what);
    }

    void wait(std::int64_t timeout_us) override {
        if (!socket_) {
            clock_.wait_us(std::min(timeout_us, std::max<std::int64_t>(until_attempt_us(), 1)));
            return;
        }
        socket_->wait(!out_.empty(), timeout_us);
    }

    [[nodiscard]] bool connected() const override { return state_ == State::up; }

    [[nodiscard]] std::uint64_t sessions_lost() const override { return sessions_lost_; }

    [[nodiscard]] std::string trouble() const override {
        return trouble_.empty() ? refused_ : trouble_;
    }

  private:
    enum class State : std::uint8_t { away, connecting, greeting, up };

    struct Pending {
        std::uint64_t id = 0;
        std::uint16_t packet = 0;
        bool done = false;
    };

    [[nodiscard]] std::int64_t until_attempt_us() const {
        return attempt_us_ - clock_.monotonic_us();
    }

    [[nodiscard]] Outcome<void> turn() {
        if (state_ == State::away) {
            if (until_attempt_us() > 0) return {};
            if (auto done = attempt(); !done) return done;
        }
        const std::int64_t now_us = clock_.monotonic_us();
        if (state_ != State::up && now_us - started_us_ > reconnect_.connect_us_max)
            return fail(base::Fault::again, where() + " does not answer");
        if (state_ == State::connecting) {
            auto stands = socket_->establish();
            if (!stands) return std::unexpected(stands.error());
            if (!*stands) return {};
            greet();
        }
        if (auto sent = flush(); !sent) return sent;
        auto read = socket_->read(in_, options_.packet_bytes_max + read_ahead_bytes);
        if (!read) return std::unexpected(read.error());
        if (*read) heard_us_ = now_us;
        if (auto taken = take_packets(); !taken) return taken;
        if (auto alive = keep_alive(now_us); !alive) return alive;
        return flush();
    }

    [[nodiscard]] std::string where() const {
        return fmt::format("{}:{}", options_.connection.host, options_.connection.port);
    }

    [[nodiscard]] Outcome<void> attempt() {
        started_us_ = clock_.monotonic_us();
        const Options& to = options_.connection;
        auto socket = Socket::connect(to.host, to.port, context_.get());
        if (!socket) return std::unexpected(socket.error());
        socket_ = std::move(*socket);
        state_ = State::connecting;
        return {};
    }

    void greet() {
        state_ = State::greeting;
        heard_us_ = clock_.monotonic_us();
        keep_alive_us_ = options_.connection.keep_alive_s * second_us;
        out_ = make_connect(
            options_.connection,
            {.receive_max = options_.in_flight_max,
             .session_s = options_.session_s,
             .packet_bytes_max = options_.packet_bytes_max}
        );
    }

    [[nodiscard]] Outcome<void> flush() {
        while (!out_.empty() && socket_) {
            auto sent = socket_->write(out_);
            if (!sent) return std::unexpected(sent.error());
            if (*sent == 0) break;
            out_.erase(0, *sent);
            sent_us_ = clock_.monotonic_us();
        }
        return {};
    }

    [[nodiscard]] Outcome<void> keep_alive(std::int64_t now_us) {
        if (keep_alive_us_ == 0 || state_ != State::up) return {};
        if (now_us - heard_us_ > keep_alive_us_ * 3 / 2)
            return fail(base::Fault::again, where() + " has fallen silent");
        if (now_us - std::min(sent_us_, heard_us_) < keep_alive_us_ / 2 || pinged_) return {};
        out_ += make_pingreq();
        pinged_ = true;
        return {};
    }

    [[nodiscard]] Outcome<void> take_packets() {
        std::string_view rest = in_;
        // A connection that is lost here leaves what came before: it was delivered.
        auto done = Outcome<void>{};
        while (done) {
            auto packet = cut_packet(rest, options_.packet_bytes_max);
            if (!packet) {
                done = std::unexpected(packet.error());
            } else if (!*packet) {
                break;
            } else {
                done = take(**packet);
                rest.remove_prefix((*packet)->size);
            }
        }
        in_.erase(0, in_.size() - rest.size());
        return done;
    }

    [[nodiscard]] Outcome<void> take(const RawPacket& raw) {
        const auto type = static_cast<PacketType>(raw.type);
        if ((state_ == State::greeting) != (type == PacketType::connack))
            return fail(base::Fault::bad_input, where() + " answers, but not as a broker of MQTT");
        switch (type) {
            case PacketType::connack:
                return welcome(raw);
            case PacketType::publish:
                return deliver(raw);
            case PacketType::suback:
                return subscribed(raw);
            case PacketType::pingresp:
                pinged_ = false;
                return {};
            case PacketType::disconnect:
                return fail(
                    base::Fault::again,
                    fmt::format(
                        "{} ended the connection: reason 0x{:02x}",
                        where(),
                        raw.body.empty() ? 0 : static_cast<unsigned char>(raw.body.front())
                    )
                );
        }
        return fail(
            base::Fault::bad_input, fmt::format("{} sent a packet of type {}", where(), raw.type)
        );
    }

    [[nodiscard]] Outcome<void> welcome(const RawPacket& raw) {
        const int version = options_.connection.protocol_version;
        auto connack = parse_connack(raw, version);
        if (!connack) return std::unexpected(connack.error());
        if (connack->reason != 0)
            return fail(
                base::Fault::denied,
                fmt::format(
                    "{} refuses {}: reason 0x{:02x}",
                    where(),
                    options_.connection.client_id,
                    connack->reason
                )
            );
        if (connack->keep_alive_s) keep_alive_us_ = *connack->keep_alive_s * second_us;
        if (!connack->session_present && was_up_) ++sessions_lost_;
        was_up_ = true;
        state_ = State::up;
        failures_ = 0;
        pinged_ = false;
        trouble_.clear();
        refused_.clear();
        // Also into a session that is there: the map may have changed.
        out_ += make_subscribe(1, options_.filters, 1, version);
        return {};
    }

    [[nodiscard]] Outcome<void> deliver(const RawPacket& raw) {
        auto publish = parse_publish(raw, options_.connection.protocol_version);
        if (!publish) return std::unexpected(publish.error());
        const std::uint64_t id = next_id_++;
        pending_.push_back({.id = id, .packet = publish->packet, .done = false});
        delivered_.push_back(
            {.id = id,
             .packet = publish->packet,
             .duplicate = publish->duplicate,
             .message =
                 {std::string{publish->topic},
                  std::string{publish->payload},
                  publish->qos,
                  publish->retain}}
        );
        return {};
    }

    [[nodiscard]] Outcome<void> subscribed(const RawPacket& raw) {
        auto suback = parse_suback(raw, options_.connection.protocol_version);
        if (!suback) return std::unexpected(suback.error());
        for (std::size_t i = 0; i < suback->reasons.size() && i < options_.filters.size(); ++i)
            if (suback->reasons[i] >= 0x80)
                refused_ = fmt::format(
                    "{} does not let {} read {}: reason 0x{:02x}",
                    where(),
                    options_.connection.client_id,
                    options_.filters[i],
                    suback->reasons[i]
                );
        return {};
    }

    void lose(const std::string& why) {
        state_ = State::away;
        socket_.reset();
        in_.clear();
        out_.clear();
        pending_.clear();
        trouble_ = why;
        ++failures_;
        attempt_us_ =
            clock_.monotonic_us() +
            backoff_us(failures_, reconnect_.backoff_us_min, reconnect_.backoff_us_max, chance_);
    }

    clock::Clock& clock_;
    chance::Chance& chance_;
    ReconnectOptions reconnect_;
    ReaderOptions options_;
    TlsContext context_;
    std::unique_ptr<Socket> socket_;  // null: away
    State state_ = State::away;
    std::string in_;
    std::string out_;
    std::deque<Pending> pending_;  // delivered over this connection, in order
    std::vector<Delivered> delivered_;
    std::string trouble_;
    std::string refused_;
    std::uint64_t next_id_ = 1;
    std::uint64_t sessions_lost_ = 0;
    bool was_up_ = false;
    bool pinged_ = false;
    int failures_ = 0;
    std::int64_t attempt_us_ = 0;  // not before
    std::int64_t started_us_ = 0;  // this attempt
    std::int64_t heard_us_ = 0;
    std::int64_t sent_us_ = 0;
    std::int64_t keep_alive_us_ = 0;
};

}  // namespace

Outcome<std::unique_ptr<Reader>> SocketReaders::open(ReaderOptions options) {
    const Credentials& who = options.connection.credentials;
    if (options.connection.client_id.empty())
        return fail(base::Fault::bad_input, "a reader whose session is kept needs a client id");
    if (options.filters.empty()) return fail(base::Fault::bad_input, "a reader needs a filter");
    options.connection.clean_session = false;
    TlsContext context;
    if (!who.ca_file.empty()) {
        auto made = make_tls_context(who.ca_file, who.certificate_file, who.key_file);
        if (!made) return std::unexpected(made.error());
        context = std::move(*made);
    }
    return std::make_unique<SocketReader>(
        clock_, chance_, options_, std::move(options), std::move(context)
    );
}

}  // namespace stator::mqtt
