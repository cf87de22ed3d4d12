// SimulatedHttp is the http door of the simulation: one network in memory, no bytes on a wire.
//
// request() calls the other side's handler directly. Who may talk to whom is decided as in earnest:
// certificates are read through the disk and checked (issuer, time, host name, use, key) by the
// simulated tls door; the peer's URI and serial come from the client's certificate. Limits on
// bodies hold. A request costs a little virtual time and leaves a line in the journal (tag "http").
// All hosts are one machine: a port is a listener, whatever name it is called by.
#pragma once

#include "world/clock/clock.h"
#include "world/disk/disk.h"
#include "world/http/http.h"
#include "world/journal/journal.h"
#include "world/tls/tls.h"

#include <map>
#include <string>

namespace stator::http {

class SimulatedServer;

class SimulatedHttp final : public Http {
  public:
    SimulatedHttp(disk::Disk& disk, tls::Tls& tls, clock::Clock& clock, journal::Journal& journal)
        : disk_{disk}, tls_{tls}, clock_{clock}, journal_{journal} {}

    [[nodiscard]] Outcome<std::unique_ptr<Server>> listen(ListenOptions options, Handler handler)
        override;
    [[nodiscard]] Outcome<Response> request(const ClientRequest& request) override;

    // What the server at `port` pushed into the stream since the last call: the reader's side.
    [[nodiscard]] std::string take_stream(std::uint16_t port, StreamId stream);
    // The reader goes away: the next push() says false.
    void drop_stream(std::uint16_t port, StreamId stream);

  private:
    friend class SimulatedServer;

    [[nodiscard]] Outcome<std::string> read_file(const std::string& path);
    // The client's view of the server's certificate, and the server's of the client's.
    [[nodiscard]] Outcome<void> check_server(
        const ClientRequest& request, const ListenOptions& server, const std::string& host
    );
    [[nodiscard]] Outcome<void> check_client(
        const ClientRequest& request, const ListenOptions& server, Request& incoming
    );

    disk::Disk& disk_;
    tls::Tls& tls_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    std::map<std::uint16_t, SimulatedServer*> servers_;  // by port; they unregister themselves
    std::uint16_t next_port_ = 40'000;
};

}  // namespace stator::http
