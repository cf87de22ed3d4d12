// Line serves the line socket: a client writes one telemetry JSON and reads one line of answer.
//
// It may go on or close; one that has closed its sending side still gets its answers. Everything
// has a limit: connections (more are told so and closed), the bytes of a message (told so and
// closed), answers that nobody reads (no more is read meanwhile), silence (closed). Peers cost
// nothing but their buffers; one that sends all the time cannot starve the others or the stream.
#pragma once

#include "decide/line/frame.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"
#include "world/sockets/sockets.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stator::line {

struct Options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 9898;
    std::size_t connections_max = 64;
    std::int64_t silence_us_max = 300'000'000;
};

class Line {
  public:
    // The answer to one object: write_answer() or write_error().
    using Answer = std::function<std::string(std::string_view json)>;

    [[nodiscard]] static Outcome<std::unique_ptr<Line>> open(
        doors::Doors& doors, sockets::Sockets& sockets, const Options& options, Answer answer
    );

    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }

    [[nodiscard]] bool step();

    // Somebody is connected: wait here rather than elsewhere.
    [[nodiscard]] bool busy() const { return !clients_.empty(); }

    void wait(std::int64_t timeout_us);

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

  private:
    struct Client {
        std::unique_ptr<sockets::Connection> connection;
        std::string in;
        std::string out;
        std::int64_t heard_us = 0;
        bool ended = false;  // sends nothing more
        bool gone = false;
    };

    Line(doors::Doors& doors, Options options, Answer answer)
        : doors_{doors}, options_{std::move(options)}, answer_{std::move(answer)} {}

    bool let_in();
    bool serve(Client& client);
    bool answer_messages(Client& client);

    doors::Doors& doors_;
    Options options_;
    Answer answer_;
    metrics::Metrics metrics_;
    std::unique_ptr<sockets::Listener> listener_;
    std::vector<Client> clients_;
};

}  // namespace stator::line
