// BeastHttp is the http door on Boost.Beast and OpenSSL.
//
// Server: one io_context, run only inside poll(). A peer gets idle_timeout_s to send a request's
// head, and for bodies that much more time per 64 KiB a second; then 408, or a silent close where
// not one byte of a request came. Client: connections that were kept alive are used again for
// requests that may be repeated (all but POST), so that fetching in ranges pays for one handshake.
// Host names are resolved by the system's resolver, whose time-outs are its own.
#pragma once

#include "world/http/http.h"

namespace stator::http {

class BeastHttp final : public Http {
  public:
    BeastHttp();
    ~BeastHttp() override;
    BeastHttp(const BeastHttp&) = delete;
    BeastHttp& operator=(const BeastHttp&) = delete;

    [[nodiscard]] Outcome<std::unique_ptr<Server>> listen(ListenOptions options, Handler handler)
        override;
    [[nodiscard]] Outcome<Response> request(const ClientRequest& request) override;

    // Connections made so far, for tests of keep-alive.
    [[nodiscard]] std::size_t connections_made() const;

  private:
    struct Client;

    std::unique_ptr<Client> client_;
};

}  // namespace stator::http
