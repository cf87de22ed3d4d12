#include "world/http/beast.h"
#include "world/http/beast_connection.h"
#include "world/tls/openssl_types.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

namespace stator::http {
namespace {

constexpr std::size_t handlers_a_poll_max = 256;
constexpr auto accept_pause = std::chrono::milliseconds{100};

Outcome<void> load_certificates(ssl::context& context, const ListenOptions& options) {
    SSL_CTX* raw = context.native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    // Nothing is resumed: each connection proves its certificate anew.
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 0);
    if (SSL_CTX_use_certificate_chain_file(raw, options.certificate_file.c_str()) != 1) {
        return tls::openssl_fail(
            base::Fault::bad_input, options.certificate_file + " cannot be used as a certificate"
        );
    }
    if (SSL_CTX_use_PrivateKey_file(raw, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(raw) != 1) {
        return tls::openssl_fail(
            base::Fault::bad_input,
            options.key_file + " is not the key of " + options.certificate_file
        );
    }
    if (options.client_ca_file.empty()) return {};
    const char* ca = options.client_ca_file.c_str();
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(ca);
    if (SSL_CTX_load_verify_file(raw, ca) != 1 || names == nullptr) {
        return tls::openssl_fail(
            base::Fault::bad_input, options.client_ca_file + " cannot be used as a CA"
        );
    }
    SSL_CTX_set_client_CA_list(raw, names);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);  // asked for, not demanded
    return {};
}

class BeastServer final : public Server {
  public:
    BeastServer(ListenOptions options, Handler handler)
        : core_{std::move(options), std::move(handler)} {}

    Outcome<void> open() {
        const ListenOptions& options = core_.options;
        if (!options.certificate_file.empty()) {
            core_.tls.emplace(ssl::context::tls_server);
            if (auto loaded = load_certificates(*core_.tls, options); !loaded) return loaded;
        }
        boost::system::error_code error;
        const std::string name = options.address == "localhost" ? "127.0.0.1" : options.address;
        const auto address = asio::ip::make_address(name, error);
        if (error) {
            return fail(base::Fault::bad_input, "'" + options.address + "' is no IP address");
        }
        const tcp::endpoint endpoint{address, options.port};
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error) {
            const bool taken = error == asio::error::address_in_use;
            return fail(
                taken ? base::Fault::exists : base::Fault::io,
                "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " +
                    error.message()
            );
        }
        port_ = acceptor_.local_endpoint(error).port();
        accept();
        return {};
    }

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    bool poll(std::int64_t timeout_us) override {
        if (core_.io.stopped()) core_.io.restart();
        std::size_t done = 0;
        while (done < handlers_a_poll_max && core_.io.poll_one() > 0)
            ++done;
        if (done > 0 || timeout_us <= 0) return done > 0;
        if (core_.io.run_one_for(std::chrono::microseconds{timeout_us}) == 0) return false;
        while (done < handlers_a_poll_max && core_.io.poll_one() > 0)
            ++done;
        return true;
    }

    [[nodiscard]] StreamId new_stream() override { return core_.next_stream++; }

    [[nodiscard]] bool push(StreamId stream, std::string_view bytes) override {
        const auto it = core_.streams.find(stream);
        if (it == core_.streams.end()) return false;
        const auto connection = it->second.lock();
        if (connection && connection->push(bytes)) return true;
        core_.streams.erase(stream);
        return false;
    }

  private:
    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (error) {  // out of descriptors: wait for some to be free
                pause_.expires_after(accept_pause);
                pause_.async_wait([this](boost::system::error_code stop) {
                    if (!stop) accept();
                });
                return;
            }
            start(std::move(socket));
            accept();
        });
    }

    void start(tcp::socket socket) {
        // A few connections beyond the limit are answered 503, so that a person sees why.
        if (core_.connections >= core_.options.connections_max + refused_connections_max) return;
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay{true}, ignored);
        socket.set_option(asio::socket_base::keep_alive{true}, ignored);
        if (core_.tls) {
            using Stream = ssl::stream<tcp::socket>;
            std::make_shared<Connection<Stream>>(core_, Stream{std::move(socket), *core_.tls})
                ->start();
        } else {
            std::make_shared<Connection<tcp::socket>>(core_, std::move(socket))->start();
        }
    }

    Core core_;
    tcp::acceptor acceptor_{core_.io};
    asio::steady_timer pause_{core_.io};
    std::uint16_t port_ = 0;
};

}  // namespace

Outcome<std::unique_ptr<Server>> BeastHttp::listen(ListenOptions options, Handler handler) {
    auto server = std::make_unique<BeastServer>(std::move(options), std::move(handler));
    if (auto opened = server->open(); !opened) return std::unexpected(opened.error());
    return server;
}

}  // namespace stator::http
