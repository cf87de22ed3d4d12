#include "store/stream/outbox.h"

#include <algorithm>

namespace stator::stream {
namespace {

constexpr std::size_t in_flight_max = 32;

}  // namespace

Outbox::Outbox(database::Database& database, mqtt::Client& client)
    : database_{database}, client_{client} {}

Outcome<void> Outbox::enqueue(const std::string& topic, const std::string& payload) {
    return database_.execute("INSERT INTO outbox(topic, payload) VALUES(?, ?)", {topic, payload});
}

void Outbox::on_event(const mqtt::Event& event) {
    const auto found = in_flight_.find(event.id);
    if (found == in_flight_.end()) return;
    if (event.kind == mqtt::Event::Kind::acknowledged) acknowledged_.push_back(found->second);
    // A refused one is published again at a later step(), after those that wait.
    if (event.kind == mqtt::Event::Kind::acknowledged || event.kind == mqtt::Event::Kind::refused)
        in_flight_.erase(found);
}

Outcome<void> Outbox::step() {
    while (!acknowledged_.empty()) {
        const std::int64_t row = acknowledged_.back();
        if (auto done = database_.execute("DELETE FROM outbox WHERE id = ?", {row}); !done)
            return done;
        acknowledged_.pop_back();
    }
    if (in_flight_.size() >= in_flight_max || !client_.connected()) return {};
    auto rows = database_.query(
        "SELECT id, topic, payload FROM outbox ORDER BY id LIMIT ?",
        {static_cast<std::int64_t>(in_flight_max)}
    );
    if (!rows) return std::unexpected(rows.error());
    for (const database::Row& row : *rows) {
        const std::int64_t id = row.integer(0);
        const bool waits =
            std::ranges::any_of(in_flight_, [&](const auto& entry) { return entry.second == id; });
        if (waits) continue;
        auto published = client_.publish({row.text(1), row.text(2), 1, false});
        if (!published) {
            if (published.error().fault == base::Fault::full) return {};  // again at the next step
            return std::unexpected(published.error());
        }
        in_flight_[*published] = id;
    }
    return {};
}

Outcome<std::size_t> Outbox::waiting() {
    auto rows = database_.query("SELECT COUNT(*) FROM outbox", {});
    if (!rows) return std::unexpected(rows.error());
    return static_cast<std::size_t>((*rows)[0].integer(0));
}

}  // namespace stator::stream
