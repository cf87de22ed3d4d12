// The http door: a small server that is polled, and a client that answers or says why not.
//
// Server: one thread; idle connections, slow peers and event streams cost a socket, not a thread.
// Limits (head, body, connections, seconds) have names in ListenOptions and give 413, 431, 408,
// 503. The handler is called from poll() only and must not block for long. Client: blocking,
// bounded by timeout_ms, verifies the peer's certificate and host name against ca_file; redirects
// are not followed. In the simulation a request calls the other side's handler directly.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::http {

struct Request {
    std::string method{};                          // upper case
    std::string path{};                            // decoded, starts with '/', without the query
    std::map<std::string, std::string> query{};    // decoded
    std::map<std::string, std::string> headers{};  // names in lower case
    std::string body{};
    std::string peer_uri{};      // SAN URI of the verified client certificate, or empty
    std::string peer_serial{};   // its serial number, upper-case hex, or empty
    std::string peer_address{};  // without the port
};

using StreamId = std::uint64_t;

struct Response {
    int status = 200;
    std::map<std::string, std::string> headers{};  // Content-Length is the door's business
    std::string body{};
    // An open-ended body (server-sent events): the door keeps the connection; push() continues it.
    std::optional<StreamId> stream{};
};

using Handler = std::function<Response(const Request&)>;

struct ListenOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: a free one
    // TLS 1.2 or later when certificate_file is set. A client certificate is asked for; when it is
    // given it must be valid under client_ca_file; whether one is needed is the handler's decision.
    std::string certificate_file{};
    std::string key_file{};
    std::string client_ca_file{};
    std::size_t body_bytes_max = 64U << 20U;
    std::size_t head_bytes_max = 16U << 10U;
    std::size_t connections_max = 512;
    int idle_timeout_s = 30;
};

class Server {
  public:
    virtual ~Server() = default;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
    // Serves what is due; waits at most timeout_us for something to be. True when it did anything.
    virtual bool poll(std::int64_t timeout_us) = 0;
    // A fresh id for Response::stream.
    [[nodiscard]] virtual StreamId new_stream() = 0;
    // False when the peer has gone or is more than a bounded backlog behind: forget the stream.
    [[nodiscard]] virtual bool push(StreamId stream, std::string_view bytes) = 0;
};

struct ClientRequest {
    std::string method = "GET";
    std::string url{};  // http:// or https://, host, port, path and query, already encoded
    std::map<std::string, std::string> headers{};
    std::string body{};
    std::string ca_file{};  // trust root; empty: the system's
    std::string certificate_file{};
    std::string key_file{};
    // Trust exactly the CA certificate whose SHA-256 (hex) this is; used to enrol. Excludes
    // ca_file.
    std::string pinned_ca_sha256{};
    int timeout_ms = 10'000;
    std::size_t body_bytes_max = 64U << 20U;
};

// The response as the client sees it has its headers' names in lower case.
class Http {
  public:
    virtual ~Http() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Server>> listen(
        ListenOptions options, Handler handler
    ) = 0;
    [[nodiscard]] virtual Outcome<Response> request(const ClientRequest& request) = 0;
};

// What a door sends for `request`: the handler's response; HEAD is answered as GET, without a body
// but with its Content-Length.
[[nodiscard]] Response answer(const Handler& handler, Request request);

// Multipart/form-data and application/x-www-form-urlencoded bodies, for both sides.
struct Part {
    std::string name{};
    std::string filename{};
    std::string content{};
};

[[nodiscard]] Outcome<std::vector<Part>> parse_multipart(
    std::string_view content_type, std::string_view body
);
// The body for one file part, and its Content-Type in `content_type`.
[[nodiscard]] std::string make_multipart(const Part& part, std::string& content_type);
[[nodiscard]] Outcome<std::map<std::string, std::string>> parse_form(std::string_view body);
[[nodiscard]] std::string percent_encode(std::string_view text);
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
// The part of a whole 200 response that the request's Range header asks for: 206, or 416 when there
// is no such part (RFC 9110, 14). One byte range; anything else gets the whole.
[[nodiscard]] Response apply_range(const Request& request, Response whole);
// An RFC 9457 problem body, with its Content-Type.
[[nodiscard]] Response problem(int status, std::string_view title, std::string_view detail);

// The target of a request line as path and query; Fault::bad_input for one that is not "/...",
// has a broken escape or an escaped NUL.
[[nodiscard]] Outcome<void> read_target(std::string_view target, Request& request);

struct Url {
    bool tls = false;
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::string target;  // begins with '/'
};

[[nodiscard]] Outcome<Url> parse_url(std::string_view url);

}  // namespace stator::http
