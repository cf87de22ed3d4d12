#include "store/stream/outbox.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::stream {
namespace {

constexpr std::size_t in_flight_max = 32;
constexpr std::int64_t first_pause_us = 1'000'000;
constexpr std::int64_t longest_pause_us = 60'000'000;

}  // namespace

Outbox::Outbox(
    database::Database& database,
    mqtt::Client& client,
    clock::Clock& clock,
    journal::Journal& journal
)
    : database_{database}, client_{client}, clock_{clock}, journal_{journal} {}

Outcome<void> Outbox::enqueue(
    database::Database& database, const std::string& topic, const std::string& payload
) {
    return database.execute("INSERT INTO outbox(topic, payload) VALUES(?, ?)", {topic, payload});
}

void Outbox::on_event(const mqtt::Event& event) {
    const auto found = in_flight_.find(event.id);
    if (found == in_flight_.end()) return;
    const std::int64_t row = found->second;
    if (event.kind == mqtt::Event::Kind::acknowledged) {
        acknowledged_.push_back(row);
        refused_.erase(row);
    } else if (event.kind == mqtt::Event::Kind::refused) {
        Refused& refused = refused_[row];
        if (refused.pause_us == 0)
            journal_.warn(
                "outbox",
                fmt::format(
                    "the broker refuses message {} ({}): it is kept and tried again",
                    row,
                    event.reason
                )
            );
        refused.pause_us = std::clamp(2 * refused.pause_us, first_pause_us, longest_pause_us);
        refused.again_us = clock_.monotonic_us() + refused.pause_us;
    } else {
        return;
    }
    in_flight_.erase(found);
}

bool Outbox::waits(std::int64_t row) const {
    if (std::ranges::any_of(in_flight_, [&](const auto& entry) { return entry.second == row; }))
        return true;
    const auto refused = refused_.find(row);
    return refused != refused_.end() && clock_.monotonic_us() < refused->second.again_us;
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
        {static_cast<std::int64_t>(in_flight_max + refused_.size())}
    );
    if (!rows) return std::unexpected(rows.error());
    for (const database::Row& row : *rows) {
        if (in_flight_.size() >= in_flight_max) return {};
        const std::int64_t id = row.integer(0);
        if (waits(id)) continue;
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
