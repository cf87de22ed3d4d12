#include "world/sockets/simulated.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::sockets {

namespace {

using Pipe = std::shared_ptr<SimulatedSockets::Pipe>;

class SimulatedConnection final : public Connection {
  public:
    SimulatedConnection(Pipe in, Pipe out) : in_{std::move(in)}, out_{std::move(out)} {}

    ~SimulatedConnection() override {
        in_->gone = true;
        out_->closed = true;
    }

    SimulatedConnection(const SimulatedConnection&) = delete;
    SimulatedConnection& operator=(const SimulatedConnection&) = delete;

    Outcome<bool> read(std::string& into, std::size_t bytes_max) override {
        if (in_->bytes.empty() && in_->closed) return fail(base::Fault::closed, "the peer closed");
        const std::size_t some = std::min(bytes_max, in_->bytes.size());
        into.append(in_->bytes, 0, some);
        in_->bytes.erase(0, some);
        return some != 0;
    }

    Outcome<std::size_t> write(std::string_view bytes) override {
        if (out_->gone) return fail(base::Fault::closed, "the peer is gone");
        const std::size_t some =
            std::min(bytes.size(), SimulatedSockets::pipe_bytes_max - out_->bytes.size());
        out_->bytes += bytes.substr(0, some);
        return some;
    }

  private:
    Pipe in_;
    Pipe out_;
};

class SimulatedListener final : public Listener {
  public:
    SimulatedListener(std::shared_ptr<SimulatedSockets::Port> state, std::uint16_t port)
        : state_{std::move(state)}, port_{port} {}

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    Outcome<std::unique_ptr<Connection>> accept() override {
        if (state_->waiting.empty()) return std::unique_ptr<Connection>{};
        auto next = std::move(state_->waiting.front());
        state_->waiting.pop_front();
        return next;
    }

    void wait(const std::vector<Connection*>& /*also*/, std::int64_t /*timeout_us*/) override {}

  private:
    std::shared_ptr<SimulatedSockets::Port> state_;
    std::uint16_t port_;
};

}  // namespace

Outcome<std::unique_ptr<Listener>> SimulatedSockets::listen(
    const std::string& /*address*/, std::uint16_t port
) {
    while (port == 0 || (ports_.contains(port) && !ports_[port].expired())) {
        if (port != 0) return fail(base::Fault::again, fmt::format("port {} is taken", port));
        port = 50'000;
        while (ports_.contains(port))
            ++port;
    }
    auto state = std::make_shared<Port>();
    ports_[port] = state;
    return std::make_unique<SimulatedListener>(std::move(state), port);
}

Outcome<std::unique_ptr<Connection>> SimulatedSockets::connect(
    const std::string& host, std::uint16_t port
) {
    const auto state = ports_[port].lock();
    if (!state) return fail(base::Fault::again, fmt::format("{}:{}: refused", host, port));
    const auto there = std::make_shared<Pipe>();
    const auto back = std::make_shared<Pipe>();
    state->waiting.push_back(std::make_unique<SimulatedConnection>(there, back));
    return std::make_unique<SimulatedConnection>(back, there);
}

}  // namespace stator::sockets
