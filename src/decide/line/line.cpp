#include "decide/line/line.h"

#include <fmt/format.h>

namespace stator::line {

namespace {

constexpr int messages_a_step_max = 16;                         // of one client
constexpr std::size_t unread_bytes_max = 8 * answer_bytes_max;  // answers that wait for a client
constexpr int accepts_a_step_max = 64;

}  // namespace

Outcome<std::unique_ptr<Line>> Line::open(
    doors::Doors& doors, sockets::Sockets& sockets, const Options& options, Answer answer
) {
    std::unique_ptr<Line> made{new Line{doors, options, std::move(answer)}};
    auto listener = sockets.listen(options.address, options.port);
    if (!listener) return fail(listener.error().fault, "the line socket: " + listener.error().what);
    made->listener_ = std::move(*listener);
    return made;
}

bool Line::let_in() {
    bool worked = false;
    for (int i = 0; i < accepts_a_step_max; ++i) {
        auto next = listener_->accept();
        if (!next) {
            doors_.journal.warn("line", next.error().what);
            return worked;
        }
        if (!*next) return worked;
        worked = true;
        if (clients_.size() >= options_.connections_max) {
            metrics_.add("stator_line_refused_total");
            static_cast<void>((*next)->write(write_error(
                fmt::format("{} are connected, which is all there may be", clients_.size())
            )));
            continue;
        }
        clients_.push_back({.connection = std::move(*next), .heard_us = doors_.clock.monotonic_us()}
        );
    }
    return worked;
}

bool Line::answer_messages(Client& client) {
    bool worked = false;
    for (int i = 0; i < messages_a_step_max && client.out.size() < unread_bytes_max; ++i) {
        const Frame frame = next_frame(client.in);
        if (frame.cut == Cut::more && client.ended) {
            client.out += write_error("the message ended within its object");
            client.in.clear();
            return true;
        }
        if (frame.cut == Cut::nothing || frame.cut == Cut::more) {
            client.in.erase(0, frame.end);  // white space must not fill the buffer
            return worked;
        }
        worked = true;
        if (frame.cut == Cut::object) {
            client.out +=
                answer_(std::string_view{client.in}.substr(frame.begin, frame.end - frame.begin));
            metrics_.add("stator_line_messages_total");
        } else if (frame.cut == Cut::nonsense) {
            client.out += write_error("a message is one JSON object, and this begins with no '{'");
            metrics_.add("stator_line_nonsense_total");
        } else {
            client.out += write_error(
                fmt::format("the object is not complete after {} bytes", message_bytes_max)
            );
            metrics_.add("stator_line_nonsense_total");
            client.ended = true;  // where the next message begins nobody knows
        }
        client.in.erase(0, frame.end);
    }
    return worked;
}

bool Line::serve(Client& client) {
    const std::int64_t now_us = doors_.clock.monotonic_us();
    bool worked = false;
    if (!client.ended && client.in.size() < message_bytes_max) {
        auto got = client.connection->read(client.in, message_bytes_max - client.in.size());
        client.ended = !got;
        if (got && *got) {
            client.heard_us = now_us;
            worked = true;
        }
    }
    worked = answer_messages(client) || worked;
    if (!client.out.empty()) {
        auto sent = client.connection->write(client.out);
        if (!sent) {
            client.gone = true;
            return true;
        }
        client.out.erase(0, *sent);
        worked = worked || *sent != 0;
        if (*sent != 0) client.heard_us = now_us;
    }
    const bool silent = now_us - client.heard_us > options_.silence_us_max;
    client.gone = silent || (client.ended && client.in.empty() && client.out.empty());
    return worked || client.gone;
}

bool Line::step() {
    bool worked = let_in();
    for (Client& client : clients_)
        worked = serve(client) || worked;
    std::erase_if(clients_, [](const Client& client) { return client.gone; });
    metrics_.set("stator_line_connections", static_cast<double>(clients_.size()));
    return worked;
}

void Line::wait(std::int64_t timeout_us) {
    std::vector<sockets::Connection*> all;
    for (const Client& client : clients_)
        if (!client.ended) all.push_back(client.connection.get());
    listener_->wait(all, timeout_us);
}

}  // namespace stator::line
