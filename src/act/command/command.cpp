#include "act/command/command.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::command {

using nlohmann::json;

namespace {

constexpr std::size_t records_at_once = 500;
constexpr std::string_view record_waveform = "record-waveform";
constexpr std::array<std::string_view, 4> orders{
    "backup-on", "backup-off", "reset", record_waveform
};

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS commands (id TEXT PRIMARY KEY, device TEXT NOT NULL,"
    " command TEXT NOT NULL, who TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,"
    " at_unix_ms INTEGER NOT NULL);";

}  // namespace

Command::Command(doors::Doors& doors, metrics::Metrics& metrics, Options options)
    : doors_{doors}, metrics_{metrics}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Command>> Command::make(
    doors::Doors& doors,
    stream::Stream& stream,
    mqtt::Client& client,
    metrics::Metrics& metrics,
    Options options
) {
    std::unique_ptr<Command> made{new Command{doors, metrics, std::move(options)}};
    auto database = doors.databases.open(
        made->options_.file,
        database::Access::write,
        std::string{schema} + std::string{stream::Outbox::schema}
    );
    if (!database) return std::unexpected(database.error());
    made->database_ = std::move(*database);
    made->outbox_ =
        std::make_unique<stream::Outbox>(*made->database_, client, doors.clock, doors.journal);
    auto control = stream.open(
        log::Class::control, {.name = "command", .required = false, .start = stream::Start::latest}
    );
    if (!control) return std::unexpected(control.error());
    made->control_ = std::move(*control);
    return made;
}

Outcome<std::string> Command::order(const std::string& body, const std::string& who) {
    const json asked = json::parse(body, nullptr, false);
    if (!asked.is_object())
        return fail(
            base::Fault::bad_input,
            R"(send {"device":ID,"command":"backup-on"|"backup-off"|"reset"|"record-waveform"})"
        );
    const std::string device = stator::json::text_of(asked, "device");
    const std::string command = stator::json::text_of(asked, "command");
    if (device.empty() || device.find_first_of("/+#") != std::string::npos)
        return fail(base::Fault::bad_input, "a command needs a device's id");
    if (std::ranges::find(orders, command) == orders.end())
        return fail(
            base::Fault::bad_input,
            "a command is one of backup-on, backup-off, reset, record-waveform"
        );
    // Its answer is the waveform: no action follows that could be waited for.
    const bool records = command == record_waveform;
    const std::string id = fmt::format("{:016x}", doors_.chance.next_u64());
    auto transaction = database::Transaction::begin(*database_);
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = database_->execute(
            "INSERT INTO commands (id, device, command, who, state, reason, at_unix_ms)"
            " VALUES (?,?,?,?,?,'',?)",
            {id, device, command, who, records ? "sent" : "accepted", doors_.clock.unix_ms()}
        );
        !done)
        return std::unexpected(done.error());
    if (auto done = outbox_->enqueue(
            "stator/devices/" + device + "/command",
            json{
                {"command", command},
                {"payload", records ? stator::json::text_of(asked, "channel") : id}
            }.dump()
        );
        !done)
        return std::unexpected(done.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    metrics_.add("stator_command_orders_total");
    doors_.journal.info("command", fmt::format("{} orders {} of {}", who, command, device));
    return json{{"id", id}}.dump();
}

Outcome<void> Command::on_record(const log::Record& record) {
    const auto event = wire::decode_event(record.payload);
    if (!event) return {};
    const auto* action = std::get_if<wire::ActionEvent>(&event->what);
    if (action == nullptr || action->command_id.empty()) return {};
    return database_->execute(
        "UPDATE commands SET state = ?, reason = ? WHERE id = ? AND device = ?",
        {std::string{wire::name_of(action->state)},
         std::string{action->reason.view()},
         std::string{action->command_id.view()},
         std::string{event->device.view()}}
    );
}

Outcome<bool> Command::step() {
    auto records = control_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    for (const log::Record& record : *records)
        if (record.topic.ends_with("/event"))
            if (auto done = on_record(record); !done)
                return fail(base::Fault::closed, "commands.db: " + done.error().what);
    if (!records->empty())
        if (auto done = control_->commit(records->back().next); !done)
            return std::unexpected(done.error());
    const std::int64_t now_ms = doors_.clock.unix_ms();
    if (now_ms >= next_expiry_ms_) {
        next_expiry_ms_ = now_ms + 1000;
        if (auto done = database_->execute(
                "UPDATE commands SET state = 'expired' WHERE state = 'accepted' AND at_unix_ms < ?",
                {now_ms - options_.expiry_ms}
            );
            !done)
            return std::unexpected(done.error());
    }
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return !records->empty();
}

std::string Command::commands_json() {
    json list = json::array();
    auto rows = database_->query(
        "SELECT id, device, command, who, state, reason, at_unix_ms FROM commands"
        " ORDER BY at_unix_ms DESC LIMIT 50",
        {}
    );
    if (rows)
        for (const database::Row& row : *rows)
            list.push_back(
                {{"id", row.text(0)},
                 {"device", row.text(1)},
                 {"command", row.text(2)},
                 {"who", row.text(3)},
                 {"state", row.text(4)},
                 {"reason", row.text(5)},
                 {"at_unix_ms", row.integer(6)}}
            );
    return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace stator::command
