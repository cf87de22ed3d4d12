// A Connection is one peer of the server: head, body, handler, answer, and again; or a stream.
//
//   handshake -> head -> (100) -> body -> handler -> write -> head ...   keep-alive
//                  |        |                          |-> linger -> closed
//                  `- 408, 413, 431, 400, 503 ---------'-> stream (until either side ends it)
//
// Each arrow has a deadline. Only beast_server.cpp includes this.
#pragma once

#include "world/http/http.h"
#include "world/tls/openssl_types.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <cctype>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace stator::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Seconds = std::chrono::seconds;

inline constexpr std::size_t stream_backlog_bytes_max = 1U << 20U;
inline constexpr std::size_t bytes_per_s_min = 64U << 10U;  // slower peers are cut off
inline constexpr std::size_t refused_connections_max = 64;
inline constexpr Seconds handshake_timeout{10};
inline constexpr Seconds linger_timeout{2};

class AnyConnection : public std::enable_shared_from_this<AnyConnection> {
  public:
    AnyConnection() = default;
    AnyConnection(const AnyConnection&) = delete;
    AnyConnection& operator=(const AnyConnection&) = delete;
    virtual ~AnyConnection() = default;
    [[nodiscard]] virtual bool push(std::string_view bytes) = 0;
};

// What the connections of one server share. The io_context goes first: its pending operations own
// the connections, which refer to the rest.
struct Core {
    ListenOptions options;
    Handler handler;
    std::size_t connections = 0;
    StreamId next_stream = 1;
    std::unordered_map<StreamId, std::weak_ptr<AnyConnection>> streams{};
    std::optional<ssl::context> tls{};
    asio::io_context io{1};
};

// What the peer's request says, as the door hands it on; Fault::bad_input for a broken target.
[[nodiscard]] inline Outcome<Request> read_request(
    beast::http::request<beast::http::string_body>&& message
) {
    Request request;
    request.method = std::string{message.method_string()};
    for (const auto& field : message) {
        std::string name{field.name_string()};
        for (char& c : name)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        std::string& value = request.headers[name];
        if (!value.empty()) value += ", ";
        value += std::string_view{field.value().data(), field.value().size()};
    }
    const std::string_view target{message.target().data(), message.target().size()};
    if (auto good = read_target(target, request); !good) return std::unexpected(good.error());
    request.body = std::move(message.body());
    return request;
}

// A header's value may not hold what would end its line.
[[nodiscard]] inline std::string one_line(std::string_view value) {
    std::string line;
    for (const char c : value) {
        if (c != '\r' && c != '\n' && c != '\0') line += c;
    }
    return line;
}

template <typename Stream>
class Connection final : public AnyConnection {
    static constexpr bool is_tls = !std::is_same_v<Stream, tcp::socket>;

  public:
    Connection(Core& core, Stream stream)
        : core_{core},
          stream_{std::move(stream)},
          timer_{core.io},
          refused_{++core.connections > core.options.connections_max} {}

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ~Connection() override { --core_.connections; }

    void start() {
        ErrorCode ignored;
        peer_address_ = socket().remote_endpoint(ignored).address().to_string();
        if constexpr (is_tls) {
            arm(handshake_timeout);
            stream_.async_handshake(
                ssl::stream_base::server,
                [this, self = shared_from_this()](ErrorCode error) { on_handshake(error); }
            );
        } else {
            read_head();
        }
    }

    [[nodiscard]] bool push(std::string_view bytes) override {
        if (!stream_id_) return false;
        if (out_.size() + bytes.size() > stream_backlog_bytes_max) {
            drop();
            return false;
        }
        out_ += bytes;
        write_stream();
        return true;
    }

  private:
    tcp::socket& socket() {
        if constexpr (is_tls) {
            return stream_.next_layer();
        } else {
            return stream_;
        }
    }

    // Cancels what is under way when the time has passed; timed_out_ says so to its handler.
    void arm(std::chrono::milliseconds duration) {
        timed_out_ = false;
        timer_.expires_after(duration);
        timer_.async_wait([this, self = weak_from_this(), round = ++round_](ErrorCode error) {
            const auto alive = self.lock();
            if (error || !alive || round != round_) return;
            timed_out_ = true;
            ErrorCode ignored;
            socket().cancel(ignored);
        });
    }

    void disarm() {
        ++round_;
        timer_.cancel();
    }

    [[nodiscard]] std::chrono::milliseconds time_for(std::uint64_t bytes) const {
        return Seconds{core_.options.idle_timeout_s} +
               std::chrono::milliseconds{bytes * 1000 / bytes_per_s_min};
    }

    void on_handshake(ErrorCode error) {
        disarm();
        if (error) return drop();
        if constexpr (is_tls) {
            const tls::Certificate peer{SSL_get1_peer_certificate(stream_.native_handle())};
            if (peer && SSL_get_verify_result(stream_.native_handle()) == X509_V_OK) {
                tls::CertificateFacts facts = tls::facts_of(peer.get());
                peer_uri_ = std::move(facts.uri);
                peer_serial_ = std::move(facts.serial);
            }
        }
        read_head();
    }

    void read_head() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(core_.options.head_bytes_max));
        parser_->body_limit(core_.options.body_bytes_max);
        arm(Seconds{core_.options.idle_timeout_s});
        beast::http::async_read_header(
            stream_,
            buffer_,
            *parser_,
            [this, self = shared_from_this()](ErrorCode error, std::size_t) { on_head(error); }
        );
    }

    void on_head(ErrorCode error) {
        disarm();
        if (error) return on_bad_read(error, buffer_.size() > 0 || parser_->got_some());
        if (refused_) return refuse(503, "Service Unavailable", "too many connections");
        const auto& head = parser_->get();
        if (!beast::iequals(head[beast::http::field::expect], "100-continue")) return read_body();
        // curl asks before it sends a large body
        out_ = "HTTP/1.1 100 Continue\r\n\r\n";
        arm(time_for(0));
        asio::async_write(
            stream_,
            asio::buffer(out_),
            [this, self = shared_from_this()](ErrorCode failed, std::size_t) {
                disarm();
                out_.clear();
                if (failed) return drop();
                read_body();
            }
        );
    }

    void read_body() {
        if (parser_->is_done()) return dispatch();
        arm(time_for(parser_->content_length().value_or(core_.options.body_bytes_max)));
        beast::http::async_read(
            stream_,
            buffer_,
            *parser_,
            [this, self = shared_from_this()](ErrorCode error, std::size_t) {
                disarm();
                if (error) return on_bad_read(error, true);
                dispatch();
            }
        );
    }

    void on_bad_read(ErrorCode error, bool began) {
        using BeastError = beast::http::error;
        if (timed_out_ && began) {
            return refuse(408, "Request Timeout", "the request took too long to come");
        }
        if (error == BeastError::header_limit || error == BeastError::buffer_overflow) {
            return refuse(
                431, "Request Header Fields Too Large", "the request's head is too large"
            );
        }
        if (error == BeastError::body_limit) {
            return refuse(413, "Content Too Large", "the request's body is too large");
        }
        if (error == BeastError::end_of_stream) return finish();
        if (error == BeastError::partial_message) return drop();
        static const auto& http_category = make_error_code(BeastError::bad_method).category();
        if (error.category() == http_category) {
            return refuse(400, "Bad Request", "this is no HTTP/1.1 request: " + error.message());
        }
        drop();
    }

    void dispatch() {
        const bool keep = parser_->get().keep_alive();
        const unsigned version = parser_->get().version();
        auto request = read_request(parser_->release());
        if (!request) return refuse(400, "Bad Request", request.error().what);
        request->peer_uri = peer_uri_;
        request->peer_serial = peer_serial_;
        request->peer_address = peer_address_;
        Response response = answer(core_.handler, std::move(*request));
        if (response.stream) return start_stream(std::move(response));
        send(std::move(response), keep, version);
    }

    // An answer after which the connection ends, for the peer's request was not read to its end.
    void refuse(int status, std::string_view title, std::string_view detail) {
        linger_ = true;
        send(problem(status, title, detail), false, 11);
    }

    void send(Response response, bool keep, unsigned version) {
        message_ = {};
        message_.version(version);
        message_.result(static_cast<unsigned>(response.status));
        for (const auto& [name, value] : response.headers)
            message_.set(name, one_line(value));
        message_.body() = std::move(response.body);
        const bool bodiless = response.status == 204 || response.status == 304;
        if (!bodiless && message_.find(beast::http::field::content_length) == message_.end()) {
            message_.content_length(message_.body().size());
        }
        message_.keep_alive(keep);
        arm(time_for(message_.body().size()));
        beast::http::async_write(
            stream_,
            message_,
            [this, keep, self = shared_from_this()](ErrorCode error, std::size_t) {
                disarm();
                message_ = {};
                if (error) return drop();
                if (keep) return read_head();
                finish();
            }
        );
    }

    void finish() {
        if constexpr (is_tls) {
            arm(linger_timeout);
            stream_.async_shutdown([this, self = shared_from_this()](ErrorCode) {
                disarm();
                finish_socket();
            });
        } else {
            finish_socket();
        }
    }

    // Closing with unread bytes would reset the connection before the peer has read the answer.
    void finish_socket() {
        ErrorCode ignored;
        socket().shutdown(tcp::socket::shutdown_send, ignored);
        if (!linger_) return drop();
        arm(linger_timeout);
        discard();
    }

    void discard() {
        socket().async_read_some(
            asio::buffer(scrap_),
            [this, self = shared_from_this()](ErrorCode error, std::size_t) {
                if (error || timed_out_) return drop();
                discard();
            }
        );
    }

    void start_stream(Response response) {
        stream_id_ = response.stream;
        core_.streams[*stream_id_] = weak_from_this();
        out_ = "HTTP/1.1 " + std::to_string(response.status) + " " +
               std::string{
                   beast::http::obsolete_reason(static_cast<beast::http::status>(response.status))
               } +
               "\r\n";
        for (const auto& [name, value] : response.headers) {
            out_ += one_line(name) + ": " + one_line(value) + "\r\n";
        }
        out_ += "Connection: close\r\n\r\n" + response.body;
        write_stream();
        watch_peer();
    }

    void write_stream() {
        if (writing_ || out_.empty()) return;
        writing_ = true;
        sending_ = std::exchange(out_, {});
        asio::async_write(
            stream_,
            asio::buffer(sending_),
            [this, self = shared_from_this()](ErrorCode error, std::size_t) {
                writing_ = false;
                if (error) return drop();
                write_stream();
            }
        );
    }

    // A stream's reader has nothing to say: a read ends when it goes away.
    void watch_peer() {
        stream_.async_read_some(
            asio::buffer(scrap_),
            [this, self = shared_from_this()](ErrorCode error, std::size_t) {
                if (error) return drop();
                watch_peer();
            }
        );
    }

    void drop() {
        disarm();
        if (stream_id_) core_.streams.erase(*stream_id_);
        stream_id_.reset();
        ErrorCode ignored;
        socket().close(ignored);
    }

    Core& core_;
    Stream stream_;
    asio::steady_timer timer_;
    bool refused_;  // beyond connections_max: answered 503
    bool timed_out_ = false;
    bool linger_ = false;
    bool writing_ = false;
    unsigned round_ = 0;  // of the timer: a wait of an earlier round is void
    std::string peer_address_;
    std::string peer_uri_;
    std::string peer_serial_;
    beast::flat_buffer buffer_;
    std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
    beast::http::response<beast::http::string_body> message_;
    std::optional<StreamId> stream_id_;
    std::string out_;      // to be sent
    std::string sending_;  // being sent
    std::array<char, 4096> scrap_{};
};

}  // namespace stator::http
