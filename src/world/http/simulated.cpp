#include "world/http/simulated.h"

#include "world/tls/simulated.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace stator::http {
namespace {

constexpr std::size_t stream_backlog_bytes_max = 1U << 20U;
constexpr std::size_t file_bytes_max = 256U << 10U;
constexpr std::int64_t round_trip_us = 500;
constexpr std::int64_t bytes_per_us = 100;  // 100 MB/s

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

std::size_t size_of(const std::map<std::string, std::string>& headers) {
    std::size_t size = 0;
    for (const auto& [name, value] : headers)
        size += name.size() + value.size() + 4;
    return size;
}

}  // namespace

class SimulatedServer final : public Server {
  public:
    SimulatedServer(
        SimulatedHttp& network, std::uint16_t port, ListenOptions options, Handler handler
    )
        : network_{network},
          port_{port},
          options_{std::move(options)},
          handler_{std::move(handler)} {
        network_.servers_[port_] = this;
    }

    ~SimulatedServer() override { network_.servers_.erase(port_); }

    SimulatedServer(const SimulatedServer&) = delete;
    SimulatedServer& operator=(const SimulatedServer&) = delete;

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    // Requests are served as they are made; this says whether there were any since the last call.
    bool poll(std::int64_t /*timeout_us*/) override { return std::exchange(served_, false); }

    [[nodiscard]] StreamId new_stream() override { return next_stream_++; }

    [[nodiscard]] bool push(StreamId stream, std::string_view bytes) override {
        const auto it = streams_.find(stream);
        if (it == streams_.end()) return false;
        if (it->second.size() + bytes.size() > stream_backlog_bytes_max) {
            streams_.erase(it);
            return false;
        }
        it->second += bytes;
        return true;
    }

    Response serve(Request request) {
        served_ = true;
        if (size_of(request.headers) + request.path.size() > options_.head_bytes_max) {
            return problem(431, "Request Header Fields Too Large", "the request's head");
        }
        if (request.body.size() > options_.body_bytes_max) {
            return problem(413, "Content Too Large", "the request's body");
        }
        if (streams_.size() >= options_.connections_max) {
            return problem(503, "Service Unavailable", "too many connections");
        }
        Response response = answer(handler_, std::move(request));
        if (response.stream) {
            streams_[*response.stream] = response.body;
            response.body.clear();
        }
        return response;
    }

    [[nodiscard]] const ListenOptions& options() const { return options_; }

    std::map<StreamId, std::string>& streams() { return streams_; }

  private:
    SimulatedHttp& network_;
    std::uint16_t port_;
    ListenOptions options_;
    Handler handler_;
    std::map<StreamId, std::string> streams_;  // open ones, with what is not taken yet
    StreamId next_stream_ = 1;
    bool served_ = false;
};

Outcome<std::unique_ptr<Server>> SimulatedHttp::listen(ListenOptions options, Handler handler) {
    std::uint16_t port = options.port;
    while (port == 0) {
        if (!servers_.contains(next_port_)) port = next_port_;
        ++next_port_;
    }
    if (servers_.contains(port)) {
        return fail(base::Fault::exists, "port " + std::to_string(port) + " is taken");
    }
    for (const std::string* path :
         {&options.certificate_file, &options.key_file, &options.client_ca_file}) {
        if (path->empty()) continue;
        if (auto content = read_file(*path); !content) return std::unexpected(content.error());
    }
    return std::make_unique<SimulatedServer>(*this, port, std::move(options), std::move(handler));
}

Outcome<std::string> SimulatedHttp::read_file(const std::string& path) {
    auto file = disk_.open(path, disk::Mode::read);
    if (!file) return std::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    std::string content(std::min<std::size_t>(*size, file_bytes_max), '\0');
    const auto read = (*file)->read_at(0, std::as_writable_bytes(std::span{content}));
    if (!read) return std::unexpected(read.error());
    content.resize(*read);
    return content;
}

Outcome<void> SimulatedHttp::check_server(
    const ClientRequest& request, const ListenOptions& server, const std::string& host
) {
    const auto chain_text = read_file(server.certificate_file);
    if (!chain_text) return std::unexpected(chain_text.error());
    const std::vector<std::string> chain = tls::split_chain(*chain_text);
    if (chain.empty()) return fail(base::Fault::denied, "the server shows no certificate");
    std::string root;
    if (!request.pinned_ca_sha256.empty()) {
        const auto facts = tls_.inspect(chain.back());
        if (!facts || facts->sha256_hex != lower(request.pinned_ca_sha256)) {
            return fail(base::Fault::denied, "the server's CA is not the pinned one");
        }
        root = chain.back();
    } else if (!request.ca_file.empty()) {
        auto text = read_file(request.ca_file);
        if (!text) return std::unexpected(text.error());
        root = std::move(*text);
    } else {
        return fail(base::Fault::denied, "the system's trust roots do not know the server");
    }
    if (auto good = tls_.check(chain.front(), root); !good) return good;
    const auto use = tls::simulated_use(chain.front());
    if (!use) return std::unexpected(use.error());
    if (!use->server || std::ranges::find(use->hosts, host) == use->hosts.end()) {
        return fail(base::Fault::denied, "the server's certificate is not for '" + host + "'");
    }
    return {};
}

Outcome<void> SimulatedHttp::check_client(
    const ClientRequest& request, const ListenOptions& server, Request& incoming
) {
    if (request.certificate_file.empty() || server.client_ca_file.empty()) return {};
    const auto chain = read_file(request.certificate_file);
    if (!chain) return std::unexpected(chain.error());
    const auto key = read_file(request.key_file);
    if (!key) return std::unexpected(key.error());
    const auto ca = read_file(server.client_ca_file);
    if (!ca) return std::unexpected(ca.error());
    const auto facts = tls_.inspect(*chain);
    if (!facts) return std::unexpected(facts.error());
    const auto public_key = tls_.public_key(*key);
    if (!public_key || *public_key != facts->public_key) {
        return fail(base::Fault::denied, request.key_file + " is not the certificate's key");
    }
    if (auto good = tls_.check(*chain, *ca); !good) return good;
    const auto use = tls::simulated_use(*chain);
    if (!use || !use->client) {
        return fail(base::Fault::denied, request.certificate_file + " is no client's certificate");
    }
    incoming.peer_uri = facts->uri;
    incoming.peer_serial = facts->serial;
    return {};
}

Outcome<Response> SimulatedHttp::request(const ClientRequest& request) {
    const auto url = parse_url(request.url);
    if (!url) return std::unexpected(url.error());
    clock_.wait_us(round_trip_us);
    const auto it = servers_.find(url->port);
    if (it == servers_.end()) {
        return fail(base::Fault::io, request.url + ": nobody listens there");
    }
    SimulatedServer& server = *it->second;
    Request incoming;
    incoming.method = request.method;
    incoming.peer_address = "127.0.0.1";
    incoming.body = request.body;
    if (url->tls == server.options().certificate_file.empty()) {
        return fail(base::Fault::io, request.url + ": one side speaks TLS, the other does not");
    }
    if (url->tls) {
        auto good = check_server(request, server.options(), url->host);
        if (good) good = check_client(request, server.options(), incoming);
        if (!good) return fail(good.error().fault, request.url + ": " + good.error().what);
    }
    for (const auto& [name, value] : request.headers)
        incoming.headers[lower(name)] = value;
    incoming.headers["host"] = url->host + ":" + std::to_string(url->port);
    Response response;
    if (auto good = read_target(url->target, incoming); good) {
        response = server.serve(std::move(incoming));
    } else {
        response = problem(400, "Bad Request", good.error().what);
    }
    clock_.wait_us(
        static_cast<std::int64_t>(request.body.size() + response.body.size()) / bytes_per_us
    );
    journal_.say(
        journal::Level::debug,
        "http",
        request.method + " " + request.url + " -> " + std::to_string(response.status) + ", " +
            std::to_string(response.body.size()) + " bytes"
    );
    if (response.body.size() > request.body_bytes_max) {
        return fail(base::Fault::full, request.url + ": the answer is larger than allowed");
    }
    std::map<std::string, std::string> headers;
    for (auto& [name, value] : response.headers)
        headers[lower(name)] = std::move(value);
    headers.emplace("content-length", std::to_string(response.body.size()));
    response.headers = std::move(headers);
    return response;
}

std::string SimulatedHttp::take_stream(std::uint16_t port, StreamId stream) {
    const auto server = servers_.find(port);
    if (server == servers_.end()) return {};
    const auto it = server->second->streams().find(stream);
    return it == server->second->streams().end() ? std::string{} : std::exchange(it->second, {});
}

void SimulatedHttp::drop_stream(std::uint16_t port, StreamId stream) {
    const auto server = servers_.find(port);
    if (server != servers_.end()) server->second->streams().erase(stream);
}

}  // namespace stator::http
