#include "world/http/beast.h"
#include "world/tls/openssl_types.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <list>
#include <optional>
#include <variant>

namespace stator::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Time = std::chrono::steady_clock::time_point;

constexpr std::size_t idle_connections_max = 16;
constexpr std::chrono::seconds idle_max{15};  // less than a server's idle_timeout_s
constexpr std::uint32_t head_bytes_max = 64U << 10U;

std::string key_of(const ClientRequest& request, const Url& url) {
    std::string key = url.tls ? "https" : "http";
    for (const std::string& part :
         {url.host,
          std::to_string(url.port),
          request.ca_file,
          request.certificate_file,
          request.key_file,
          request.pinned_ca_sha256}) {
        key += '\n' + part;
    }
    return key;
}

std::string lower(std::string_view text) {
    std::string result{text};
    std::ranges::transform(result, result.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return result;
}

std::unexpected<Error> denied(const Url& url, std::string_view why) {
    return fail(
        base::Fault::denied,
        "https://" + url.host + ":" + std::to_string(url.port) + ": " + std::string{why}
    );
}

bool expect_host(X509_VERIFY_PARAM* parameters, const std::string& host) {
    ErrorCode error;
    asio::ip::make_address(host, error);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return error ? X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1
                 : X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
}

Outcome<void> load(ssl::context& context, const ClientRequest& request) {
    SSL_CTX* raw = context.native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    if (!request.pinned_ca_sha256.empty()) {
        SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);  // check_pinned() does it
    } else {
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
        const bool loaded = request.ca_file.empty()
                                ? SSL_CTX_set_default_verify_paths(raw) == 1
                                : SSL_CTX_load_verify_file(raw, request.ca_file.c_str()) == 1;
        if (!loaded) {
            return tls::openssl_fail(
                base::Fault::bad_input, request.ca_file + " cannot be used as a CA"
            );
        }
    }
    if (request.certificate_file.empty()) return {};
    if (SSL_CTX_use_certificate_chain_file(raw, request.certificate_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(raw, request.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(raw) != 1) {
        return tls::openssl_fail(
            base::Fault::bad_input,
            request.certificate_file + " and " + request.key_file +
                " cannot be used as certificate and key"
        );
    }
    return {};
}

// Is the chain that the server showed a good one under the certificate with this hash?
Outcome<void> check_pinned(SSL* connection, const ClientRequest& request, const Url& url) {
    const std::string pin = lower(request.pinned_ca_sha256);
    STACK_OF(X509)* chain = SSL_get_peer_cert_chain(connection);
    X509* root = nullptr;
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        X509* candidate = sk_X509_value(chain, i);
        if (tls::facts_of(candidate).sha256_hex == pin) root = candidate;
    }
    if (root == nullptr) return denied(url, "the server's CA is not the pinned one");
    const std::unique_ptr<X509_STORE, tls::Deleter<X509_STORE_free>> store{X509_STORE_new()};
    const std::unique_ptr<X509_STORE_CTX, tls::Deleter<X509_STORE_CTX_free>> context{
        X509_STORE_CTX_new()
    };
    if (!store || !context || X509_STORE_add_cert(store.get(), root) != 1 ||
        X509_STORE_CTX_init(context.get(), store.get(), sk_X509_value(chain, 0), chain) != 1 ||
        X509_STORE_CTX_set_default(context.get(), "ssl_server") != 1 ||
        !expect_host(X509_STORE_CTX_get0_param(context.get()), url.host)) {
        return tls::openssl_fail(base::Fault::io, "cannot check the server's certificate");
    }
    if (X509_verify_cert(context.get()) == 1) return {};
    ERR_clear_error();
    return denied(url, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

// One connection, used for one request at a time.
class Wire {
  public:
    Wire(asio::io_context& io, std::string key) : io_{io}, key_{std::move(key)}, plain_{io} {}

    [[nodiscard]] const std::string& key() const { return key_; }

    [[nodiscard]] Time idle_since() const { return idle_since_; }

    void idle_from_now() { idle_since_ = std::chrono::steady_clock::now(); }

    [[nodiscard]] bool stale() {
        char byte = 0;
        const auto handle = socket().socket().native_handle();
        const ssize_t n = recv(handle, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);  // closed, or it talks unasked
    }

    Outcome<void> open(const ClientRequest& request, const Url& url, Time deadline) {
        ErrorCode error;
        tcp::resolver resolver{io_};
        const auto endpoints = resolver.resolve(url.host, std::to_string(url.port), error);
        if (error) return failure(url, error);
        plain_.expires_at(deadline);
        run(
            [&](auto done) {
                plain_.async_connect(endpoints, [done](ErrorCode failed, const tcp::endpoint&) {
                    done(failed);
                });
            },
            error
        );
        if (error) return failure(url, error);
        plain_.socket().set_option(tcp::no_delay{true}, error);
        if (!url.tls) return {};
        ssl::context context{ssl::context::tls_client};
        if (auto loaded = load(context, request); !loaded) return loaded;
        tls_.emplace(std::move(plain_), context);
        return shake_hands(request, url);
    }

    // `answered` says whether any byte came back: if none did, the peer may have closed an idle
    // connection, and another try is fair.
    Outcome<Response> exchange(
        const ClientRequest& request, const Url& url, Time deadline, bool& answered
    ) {
        namespace bh = beast::http;
        bh::request<bh::string_body> message;
        message.version(11);
        message.method_string(request.method);
        message.target(url.target);
        const bool is_v6 = url.host.find(':') != std::string::npos;
        const std::string host = is_v6 ? "[" + url.host + "]" : url.host;
        message.set(bh::field::host, host + ":" + std::to_string(url.port));
        for (const auto& [name, value] : request.headers)
            message.set(name, value);
        message.body() = request.body;
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
            message.content_length(request.body.size());
        }
        bh::response_parser<bh::string_body> parser;
        parser.header_limit(head_bytes_max);
        parser.body_limit(request.body_bytes_max);
        parser.skip(request.method == "HEAD");
        socket().expires_at(deadline);
        ErrorCode error;
        on_stream([&](auto& stream) {
            run(
                [&](auto done) {
                    bh::async_write(stream, message, [done](ErrorCode e, std::size_t) { done(e); });
                },
                error
            );
            // A server that refuses a body answers before it has read it all: listen even so.
            ErrorCode read_error;
            run(
                [&](auto done) {
                    bh::async_read(stream, buffer_, parser, [done](ErrorCode e, std::size_t) {
                        done(e);
                    });
                },
                read_error
            );
            error = read_error ? (error ? error : read_error) : ErrorCode{};
        });
        answered = parser.got_some();
        if (error == bh::error::body_limit) {
            return fail(base::Fault::full, request.url + ": the answer is larger than allowed");
        }
        if (error) return failure(url, error);
        keep_ = parser.get().keep_alive();
        Response response;
        response.status = static_cast<int>(parser.get().result_int());
        for (const auto& field : parser.get()) {
            std::string& value = response.headers[lower(field.name_string())];
            if (!value.empty()) value += ", ";
            value += std::string_view{field.value().data(), field.value().size()};
        }
        response.body = std::move(parser.get().body());
        return response;
    }

    [[nodiscard]] bool keep() const { return keep_; }

  private:
    beast::tcp_stream& socket() { return tls_ ? tls_->next_layer() : plain_; }

    template <typename Use>
    void on_stream(Use use) {
        if (tls_) {
            use(*tls_);
        } else {
            use(plain_);
        }
    }

    // Starts an operation and waits for it; the stream's own deadline bounds the wait.
    template <typename Start>
    void run(Start start, ErrorCode& error) {
        start([&error](ErrorCode result) { error = result; });
        io_.restart();
        io_.run();
    }

    Outcome<void> shake_hands(const ClientRequest& request, const Url& url) {
        SSL* raw = tls_->native_handle();
        ErrorCode error;
        asio::ip::make_address(url.host, error);
        if (error) {  // a name, not an address; OpenSSL's macro for this has an old-style cast
            std::string name = url.host;
            SSL_ctrl(raw, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
        }
        if (request.pinned_ca_sha256.empty() && !expect_host(SSL_get0_param(raw), url.host)) {
            return denied(url, "the host name cannot be checked");
        }
        error = {};
        run([&](auto done) { tls_->async_handshake(ssl::stream_base::client, done); }, error);
        if (error) return failure(url, error);
        if (request.pinned_ca_sha256.empty()) return {};
        return check_pinned(raw, request, url);
    }

    std::unexpected<Error> failure(const Url& url, ErrorCode error) {
        if (tls_) {
            const long verdict = SSL_get_verify_result(tls_->native_handle());
            if (verdict != X509_V_OK && tls_->native_handle() != nullptr &&
                SSL_get_verify_mode(tls_->native_handle()) != SSL_VERIFY_NONE) {
                return denied(url, X509_verify_cert_error_string(verdict));
            }
            if (error.category() == asio::error::get_ssl_category()) {
                return denied(url, error.message());
            }
        }
        const bool late = error == beast::error::timeout;
        return fail(
            base::Fault::io,
            url.host + ":" + std::to_string(url.port) + ": " +
                (late ? std::string{"no answer within the time allowed"} : error.message())
        );
    }

    asio::io_context& io_;
    std::string key_;
    beast::tcp_stream plain_;
    std::optional<ssl::stream<beast::tcp_stream>> tls_;
    beast::flat_buffer buffer_;
    Time idle_since_;
    bool keep_ = false;
};

}  // namespace

struct BeastHttp::Client {
    asio::io_context io{1};
    std::list<std::unique_ptr<Wire>> idle;  // the longest idle first
    std::size_t made = 0;

    std::unique_ptr<Wire> take(const std::string& key) {
        const Time old = std::chrono::steady_clock::now() - idle_max;
        std::erase_if(idle, [&](const auto& wire) { return wire->idle_since() < old; });
        for (auto it = idle.begin(); it != idle.end();) {
            if ((*it)->key() != key) {
                ++it;
                continue;
            }
            std::unique_ptr<Wire> wire = std::move(*it);
            it = idle.erase(it);
            if (!wire->stale()) return wire;
        }
        return {};
    }

    void give_back(std::unique_ptr<Wire> wire) {
        wire->idle_from_now();
        idle.push_back(std::move(wire));
        if (idle.size() > idle_connections_max) idle.pop_front();
    }
};

BeastHttp::BeastHttp() : client_{std::make_unique<Client>()} {}

BeastHttp::~BeastHttp() = default;

std::size_t BeastHttp::connections_made() const {
    return client_->made;
}

Outcome<Response> BeastHttp::request(const ClientRequest& request) {
    const auto url = parse_url(request.url);
    if (!url) return std::unexpected(url.error());
    const Time deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds{request.timeout_ms};
    const std::string key = key_of(request, *url);
    const bool repeatable = request.method != "POST";
    std::unique_ptr<Wire> wire = repeatable ? client_->take(key) : nullptr;
    bool answered = false;
    if (wire) {
        auto response = wire->exchange(request, *url, deadline, answered);
        if (response || answered) {
            if (response && wire->keep()) client_->give_back(std::move(wire));
            return response;
        }
    }
    wire = std::make_unique<Wire>(client_->io, key);
    ++client_->made;
    if (auto opened = wire->open(request, *url, deadline); !opened) {
        return std::unexpected(opened.error());
    }
    auto response = wire->exchange(request, *url, deadline, answered);
    if (response && wire->keep()) client_->give_back(std::move(wire));
    return response;
}

}  // namespace stator::http
