#include "store/verdicts/verdicts.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <type_traits>

namespace stator::verdicts {

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS devices (id TEXT PRIMARY KEY, boot INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, model TEXT NOT NULL, alerted_unix_ms INTEGER NOT NULL,"
    " fold TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS numbers (id TEXT PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);";

static_assert(std::is_trivially_copyable_v<detect::State>);
static_assert(std::endian::native == std::endian::little);

// The fold's bytes as hex, behind their count: a build with another layout starts afresh.
std::string text_of(const detect::State& fold) {
    std::string text = fmt::format("{}:", sizeof fold);
    const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof fold>>(fold);
    constexpr std::string_view digits = "0123456789abcdef";
    text.reserve(text.size() + 2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

Outcome<detect::State> fold_of(const std::string& text, const std::string& id) {
    const std::string size = fmt::format("{}:", sizeof(detect::State));
    std::array<std::uint8_t, sizeof(detect::State)> bytes{};
    if (!text.starts_with(size)) return detect::State{};
    const auto broken = [&] {
        return fail(base::Fault::corrupt, "level2.db: the fold of device " + id + " is damaged");
    };
    if (text.size() != size.size() + 2 * bytes.size()) return broken();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char* at = text.data() + size.size() + 2 * i;
        if (std::from_chars(at, at + 2, bytes[i], 16).ptr != at + 2) return broken();
    }
    return std::bit_cast<detect::State>(bytes);
}

}  // namespace

Outcome<std::unique_ptr<Verdicts>> Verdicts::open(doors::Doors& doors, const std::string& file) {
    auto database = doors.databases.open(
        file, database::Access::write, std::string{schema} + std::string{stream::Outbox::schema}
    );
    if (!database) return std::unexpected(database.error());
    return std::unique_ptr<Verdicts>{new Verdicts{std::move(*database)}};
}

Outcome<std::map<std::string, Device>> Verdicts::load() {
    auto rows = database_->query(
        "SELECT id, boot, seq, model, alerted_unix_ms, fold, text FROM devices LEFT JOIN numbers"
        " USING (id)",
        {}
    );
    if (!rows) return std::unexpected(rows.error());
    std::map<std::string, Device> made;
    for (const database::Row& row : *rows) {
        Device device;
        const auto boot = static_cast<std::uint32_t>(row.integer(1));
        const auto seq = static_cast<std::uint64_t>(row.integer(2));
        device.numbers_text = row.text(6);
        if (boot != 0 || seq != 0)  // else it has numbered nothing
            device.numbers = stream::Numbers::from(device.numbers_text, boot, seq);
        device.memory.model = std::string_view{row.text(3)};
        device.memory.alerted_unix_ms = row.integer(4);
        auto fold = fold_of(row.text(5), row.text(0));
        if (!fold) return std::unexpected(fold.error());
        device.memory.fold = *fold;
        made[row.text(0)] = std::move(device);
    }
    return made;
}

Outcome<void> Verdicts::store(const std::string& id, Device& device) {
    const judge::Memory& memory = device.memory;
    auto done = database_->execute(
        "INSERT INTO devices (id, boot, seq, model, alerted_unix_ms, fold) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT(id) DO UPDATE SET boot=excluded.boot, seq=excluded.seq,"
        " model=excluded.model, alerted_unix_ms=excluded.alerted_unix_ms, fold=excluded.fold",
        {id,
         std::int64_t{device.numbers.boot()},
         static_cast<std::int64_t>(device.numbers.seq()),
         std::string{memory.model.view()},
         memory.alerted_unix_ms,
         text_of(memory.fold)}
    );
    if (!done) return done;
    std::string text = device.numbers.text();
    if (text == device.numbers_text) return {};
    device.numbers_text = std::move(text);
    return database_->execute(
        "INSERT OR REPLACE INTO numbers (id, text) VALUES (?,?)", {id, device.numbers_text}
    );
}

Outcome<std::string> Verdicts::fact(const std::string& name) {
    auto rows = database_->query("SELECT value FROM facts WHERE name = ?", {name});
    if (!rows) return std::unexpected(rows.error());
    return rows->empty() ? std::string{} : rows->front().text(0);
}

Outcome<void> Verdicts::set_fact(const std::string& name, const std::string& value) {
    return database_->execute(
        "INSERT INTO facts (name, value) VALUES (?,?)"
        " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
        {name, value}
    );
}

Outcome<std::uint32_t> Verdicts::next_boot() {
    auto before = fact("boot");
    if (!before) return std::unexpected(before.error());
    std::uint32_t boot = 0;
    std::from_chars(before->data(), before->data() + before->size(), boot);
    ++boot;
    if (auto done = set_fact("boot", fmt::format("{}", boot)); !done)
        return std::unexpected(done.error());
    return boot;
}

Outcome<std::map<std::string, std::string>> Verdicts::models() {
    auto rows = database_->query(
        "SELECT substr(name, 7), value FROM facts"
        " WHERE (name = 'model' OR name LIKE 'model/%') AND value != ''",
        {}
    );
    if (!rows) return std::unexpected(rows.error());
    std::map<std::string, std::string> made;
    for (const database::Row& row : *rows)
        made[row.text(0)] = row.text(1);
    return made;
}

Outcome<void> Verdicts::set_model(const std::string& device_class, const std::string& name) {
    if (auto done = database_->execute("DELETE FROM facts WHERE name = 'model'"); !done)
        return done;
    return set_fact("model/" + device_class, name);
}

Outcome<Place> Verdicts::place(log::Class log_class) {
    auto text = fact("place/" + std::string{log::name_of(log_class)});
    if (!text) return std::unexpected(text.error());
    Place place;
    const char* at = text->data();
    const char* end = at + text->size();
    const auto number = [&](auto& into) {
        at = std::from_chars(at, end, into).ptr;
        if (at != end) ++at;
    };
    number(place.next.epoch);
    number(place.next.position);
    number(place.receive_unix_ms);
    return place;
}

Outcome<void> Verdicts::set_place(log::Class log_class, const Place& place) {
    return set_fact(
        "place/" + std::string{log::name_of(log_class)},
        fmt::format("{} {} {}", place.next.epoch, place.next.position, place.receive_unix_ms)
    );
}

bool Place::covers(const log::Record& record) const {
    return record.offset.epoch != 0 && record.offset < next &&
           record.receive_unix_ms <= receive_unix_ms;
}

}  // namespace stator::verdicts
