#include "store/devices/registry.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::devices {

using identity::Role;
using nlohmann::json;

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS devices (id TEXT PRIMARY KEY, role TEXT NOT NULL,"
    " state INTEGER NOT NULL, title TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS assigned (level2 TEXT NOT NULL, device TEXT NOT NULL,"
    " PRIMARY KEY (level2, device));"
    "CREATE TABLE IF NOT EXISTS certificates (serial TEXT PRIMARY KEY, device TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS legacy (device TEXT PRIMARY KEY, bare INTEGER NOT NULL,"
    " password_hash TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
    "INSERT OR IGNORE INTO facts (name, value) VALUES ('generation', 0);";

http::Response text(std::string body) {
    http::Response response;
    response.headers["Content-Type"] = "text/plain; charset=utf-8";
    response.body = std::move(body);
    return response;
}

http::Response problem_of(const Error& error) {
    switch (error.fault) {
        case base::Fault::bad_input:
            return http::problem(400, "Not understood", error.what);
        case base::Fault::not_found:
            return http::problem(404, "Not found", error.what);
        case base::Fault::denied:
            return http::problem(403, "Refused", error.what);
        case base::Fault::exists:
            return http::problem(409, "Conflict", error.what);
        default:
            return http::problem(503, "Not now", error.what);
    }
}

http::Response wrong_method(const http::Request& request, const std::string& allowed) {
    auto response = http::problem(405, "Not allowed", request.path + " takes " + allowed);
    response.headers["Allow"] = allowed;
    return response;
}

// The form's device_id, checked.
Outcome<std::string> device_id_of(const http::Request& request) {
    auto form = http::parse_form(request.body);
    if (!form) return std::unexpected(form.error());
    const auto found = form->find("device_id");
    if (found == form->end()) return fail(base::Fault::bad_input, "the form needs device_id=ID");
    if (!identity::is_id(found->second))
        return fail(
            base::Fault::bad_input, "a device_id is 1 to 64 of letters, digits, '.', '_', '-'"
        );
    return found->second;
}

}  // namespace

Registry::Registry(doors::Doors& doors, Options options, identity::Site site)
    : doors_{doors},
      options_{std::move(options)},
      site_{std::move(site)},
      tokens_{doors, site_.pki("tokens.json")},
      enrolment_{doors, site_},
      access_{tokens_, [this](std::string_view serial) { return is_revoked(serial); }} {}

Outcome<std::unique_ptr<Registry>> Registry::make(doors::Doors& doors, Options options) {
    auto site = identity::open(doors, options.state_directory);
    if (!site) return std::unexpected(site.error());
    std::unique_ptr<Registry> made{new Registry{doors, std::move(options), std::move(*site)}};
    const std::string directory = made->options_.state_directory + "/registry";
    if (auto done = doors.disk.make_directories(directory); !done)
        return std::unexpected(done.error());
    auto database =
        doors.databases.open(directory + "/devices.db", database::Access::write, schema);
    if (!database) return std::unexpected(database.error());
    made->database_ = std::move(*database);
    // A kill may have come between a change and its snapshot.
    if (auto done = made->write_snapshot(); !done) return std::unexpected(done.error());
    return made;
}

Outcome<void> Registry::change(
    const std::string& sql, const std::vector<database::Value>& parameters
) {
    auto transaction = database::Transaction::begin(*database_);
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = database_->execute(sql, parameters); !done) return done;
    if (auto done =
            database_->execute("UPDATE facts SET value = value + 1 WHERE name = 'generation'");
        !done)
        return done;
    if (auto done = transaction->commit(); !done) return done;
    return write_snapshot();
}

Outcome<void> Registry::write_snapshot() {
    const std::string path = rights_path(options_.state_directory);
    constexpr int tries_max = 500;
    constexpr std::int64_t pause_us = 10'000;
    auto lock = doors_.disk.lock(path + ".lock");
    for (int i = 0; !lock && lock.error().fault == base::Fault::again && i < tries_max; ++i) {
        doors_.clock.wait_us(pause_us);
        lock = doors_.disk.lock(path + ".lock");
    }
    if (!lock) return std::unexpected(lock.error());
    // Read under the lock: the newest facts win, whoever writes last.
    auto generation = database_->query("SELECT value FROM facts WHERE name = 'generation'", {});
    if (!generation) return std::unexpected(generation.error());
    auto devices = database_->query("SELECT id, role, state FROM devices ORDER BY id", {});
    if (!devices) return std::unexpected(devices.error());
    auto assigned = database_->query("SELECT level2, device FROM assigned ORDER BY device", {});
    if (!assigned) return std::unexpected(assigned.error());
    auto serials = database_->query(
        "SELECT c.serial FROM certificates c JOIN devices d ON d.id = c.device WHERE d.state = ?",
        {static_cast<std::int64_t>(State::revoked)}
    );
    if (!serials) return std::unexpected(serials.error());
    Rights rights;
    rights.generation = static_cast<std::uint64_t>(generation->front().integer(0));
    for (const database::Row& row : *devices) {
        Right right{
            .id = row.text(0), .role = row.text(1), .state = static_cast<State>(row.integer(2))
        };
        for (const database::Row& pair : *assigned)
            if (pair.text(0) == right.id) right.assigned.push_back(pair.text(1));
        rights.devices.push_back(std::move(right));
    }
    for (const database::Row& row : *serials)
        rights.revoked_serials.push_back(row.text(0));
    std::ranges::sort(rights.revoked_serials);
    if (auto done = add_legacy_to(rights); !done) return done;
    return save_rights(doors_.disk, path, rights);
}

Outcome<void> Registry::add_legacy_to(Rights& rights) {
    auto rows = database_->query("SELECT device, bare, password_hash FROM legacy", {});
    if (!rows) return std::unexpected(rows.error());
    for (const database::Row& row : *rows)
        rights.legacy.push_back(
            {.id = row.text(0), .bare = row.integer(1) != 0, .password_hash = row.text(2)}
        );
    return {};
}

Outcome<Device> Registry::find(const std::string& id) {
    auto rows = database_->query("SELECT id, role, state, title FROM devices WHERE id = ?", {id});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return fail(base::Fault::not_found, "there is no device " + id);
    const database::Row& row = rows->front();
    return Device{
        .id = row.text(0),
        .role = identity::role_named(row.text(1)).value_or(Role::nobody),
        .state = static_cast<State>(row.integer(2)),
        .title = row.text(3)
    };
}

Outcome<void> Registry::provision(const std::string& id, Role role, const std::string& title) {
    if (!identity::is_id(id))
        return fail(
            base::Fault::bad_input,
            "'" + id + "' is no id: 1 to 64 of letters, digits, '.', '_', '-'"
        );
    if (const auto known = find(id); known && known->title == title) return {};
    return change(
        "INSERT INTO devices (id, role, state, title) VALUES (?,?,?,?)"
        " ON CONFLICT(id) DO UPDATE SET title=excluded.title",
        {id,
         std::string{identity::name_of(role)},
         static_cast<std::int64_t>(State::provisioned),
         title}
    );
}

Outcome<void> Registry::activate(const std::string& id) {
    auto device = find(id);
    if (!device) return std::unexpected(device.error());
    if (device->state == State::active) return {};
    if (device->state == State::revoked)
        return fail(base::Fault::denied, "device " + id + " was revoked, which is for good");
    return change(
        "UPDATE devices SET state = ? WHERE id = ?", {static_cast<std::int64_t>(State::active), id}
    );
}

Outcome<void> Registry::revoke(const std::string& id) {
    auto device = find(id);
    if (!device) return std::unexpected(device.error());
    // Its certificates with it (is_revoked, write_snapshot): one statement, so nothing is half
    // done.
    if (auto done = change(
            "UPDATE devices SET state = ? WHERE id = ?",
            {static_cast<std::int64_t>(State::revoked), id}
        );
        !done)
        return done;
    doors_.journal.info("devices", id + " is revoked");
    return {};
}

Outcome<void> Registry::assign(
    const std::string& level2_id, const std::vector<std::string>& devices
) {
    for (const std::string& device : devices) {
        auto known = database_->query(
            "SELECT 1 FROM assigned WHERE level2 = ? AND device = ?", {level2_id, device}
        );
        if (!known) return std::unexpected(known.error());
        if (!known->empty()) continue;
        if (auto done = change(
                "INSERT OR IGNORE INTO assigned (level2, device) VALUES (?,?)", {level2_id, device}
            );
            !done)
            return done;
    }
    return {};
}

Outcome<void> Registry::note_serial(const std::string& id, const std::string& serial) {
    return database_->execute(
        "INSERT OR IGNORE INTO certificates (serial, device) VALUES (?,?)", {serial, id}
    );
}

bool Registry::is_revoked(std::string_view serial) {
    auto rows = database_->query(
        "SELECT 1 FROM certificates c JOIN devices d ON d.id = c.device"
        " WHERE c.serial = ? AND d.state = ?",
        {std::string{serial}, static_cast<std::int64_t>(State::revoked)}
    );
    return !rows || !rows->empty();  // when it cannot be known, it counts as revoked
}

Outcome<Added> Registry::add_with_certificate(const std::string& id) {
    Added added;
    added.directory = options_.state_directory + "/nodes/" + id;
    added.certificate_file = added.directory + "/certificate.pem";
    added.key_file = added.directory + "/key.pem";
    // One that a killed `add` left behind is provisioned: this one goes on.
    if (const auto known = find(id);
        known && (known->state != State::provisioned || known->role != Role::sensor))
        return fail(base::Fault::exists, "there is a device " + id + " already");
    if (auto done = provision(id, Role::sensor, id); !done) return std::unexpected(done.error());
    if (auto done = doors_.disk.make_directories(added.directory); !done)
        return std::unexpected(done.error());
    auto key = doors_.tls.make_key();
    if (!key) return std::unexpected(key.error());
    auto request = doors_.tls.make_request(*key, id);
    if (!request) return std::unexpected(request.error());
    auto enrolled = enrolment_.issue(*request, id, Role::sensor);
    if (!enrolled) return std::unexpected(enrolled.error());
    constexpr unsigned private_mode = 0600;
    if (auto done = doors_.disk.replace(added.key_file, *key, private_mode); !done)
        return std::unexpected(done.error());
    if (auto done = note_serial(id, enrolled->serial); !done) return std::unexpected(done.error());
    if (auto done = doors_.disk.replace(added.certificate_file, enrolled->certificate); !done)
        return std::unexpected(done.error());
    if (auto done = activate(id); !done) return std::unexpected(done.error());
    return added;
}

Outcome<std::string> Registry::make_code(const std::string& id) {
    auto device = find(id);
    if (!device) return std::unexpected(device.error());
    return enrolment_.make_code(id, device->role);
}

Outcome<std::string> Registry::admit_legacy(const std::string& id, Role role, Legacy how) {
    if (const auto known = find(id); !known)
        if (auto done = provision(id, role, id); !done) return std::unexpected(done.error());
    std::string password;
    std::string hash;
    if (how == Legacy::password) {
        constexpr std::size_t password_bytes = 16;
        constexpr std::size_t salt_bytes = 8;
        std::array<std::byte, password_bytes + salt_bytes> drawn{};
        doors_.chance.fill(drawn);
        const std::string hex =
            tls::hex(reinterpret_cast<const std::uint8_t*>(drawn.data()), drawn.size());
        password = hex.substr(0, 2 * password_bytes);
        hash = hash_password(hex.substr(2 * password_bytes), password);
    }
    if (auto done = activate(id); !done) return std::unexpected(done.error());
    if (auto done = change(
            "INSERT INTO legacy (device, bare, password_hash) VALUES (?,?,?) ON CONFLICT(device)"
            " DO UPDATE SET bare=excluded.bare, password_hash=excluded.password_hash",
            {id, static_cast<std::int64_t>(how == Legacy::bare), hash}
        );
        !done)
        return std::unexpected(done.error());
    doors_.journal.warn("devices", id + " is let in without certificate, from the loopback");
    return password;
}

Outcome<void> Registry::end_legacy(const std::string& id) {
    auto rows = database_->query("SELECT 1 FROM legacy WHERE device = ?", {id});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty())
        return fail(base::Fault::not_found, "there is no legacy exception for device " + id);
    return change("DELETE FROM legacy WHERE device = ?", {id});
}

Outcome<std::vector<Device>> Registry::list() {
    auto rows = database_->query(
        "SELECT id, role, state, title, EXISTS (SELECT 1 FROM legacy WHERE device = id)"
        " FROM devices ORDER BY id",
        {}
    );
    if (!rows) return std::unexpected(rows.error());
    std::vector<Device> made;
    for (const database::Row& row : *rows)
        made.push_back(
            {.id = row.text(0),
             .role = identity::role_named(row.text(1)).value_or(Role::nobody),
             .state = static_cast<State>(row.integer(2)),
             .title = row.text(3),
             .legacy = row.integer(4) != 0}
        );
    return made;
}

http::Response Registry::provision_device(const http::Request& request) {
    if (auto refused = access_.require(request, Role::operator_)) return *refused;
    auto id = device_id_of(request);
    if (!id) return problem_of(id.error());
    // One that is known keeps its title.
    if (const auto known = find(*id); !known)
        if (auto done = provision(*id, Role::actor, *id); !done) return problem_of(done.error());
    // In the reference design a device that an operator has registered is active from then on.
    if (auto done = activate(*id); !done) return problem_of(done.error());
    return text(*id + " is registered\n");
}

http::Response Registry::confirm_activation(const http::Request& request) {
    auto id = device_id_of(request);
    if (!id) return problem_of(id.error());
    const auto device = find(*id);
    return text(device && device->state == State::active ? "TRUE" : "FALSE");
}

http::Response Registry::enrol(const http::Request& request) {
    const json body = json::parse(request.body, nullptr, false);
    if (!body.is_object() || !body.contains("code") || !body.contains("request") ||
        !body.contains("deviceID") || !body["code"].is_string() || !body["request"].is_string() ||
        !body["deviceID"].is_string())
        return http::problem(
            400, "Not understood", R"(send {"code":"..","request":"PEM","deviceID":".."})"
        );
    const auto id = body["deviceID"].get<std::string>();
    // A code from before the revocation must not undo it.
    if (const auto known = find(id); known && known->state == State::revoked)
        return http::problem(403, "Refused", "device " + id + " was revoked, which is for good");
    auto enrolled = enrolment_.enrol(
        body["code"].get_ref<const std::string&>(),
        body["request"].get_ref<const std::string&>(),
        id
    );
    if (!enrolled) return problem_of(enrolled.error());
    if (auto done = note_serial(id, enrolled->serial); !done) return problem_of(done.error());
    doors_.journal.info("devices", id + " enrolled");
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = json{
        {"certificate", enrolled->certificate},
        {"ca", enrolled->ca},
        {"role", std::string{identity::name_of(enrolled->role)}}
    }.dump();
    return response;
}

http::Response Registry::list_devices(const http::Request& request) {
    if (auto refused = access_.require(request, Role::viewer, {Role::service})) return *refused;
    auto devices = list();
    if (!devices) return problem_of(devices.error());
    json made = json::array();
    for (const Device& device : *devices)
        made.push_back(
            {{"id", device.id},
             {"role", std::string{identity::name_of(device.role)}},
             {"state", std::string{name_of(device.state)}},
             {"title", device.title},
             {"legacy", device.legacy}}
        );
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = made.dump(-1, ' ', false, json::error_handler_t::replace);
    return response;
}

http::Response Registry::change_device(const http::Request& request) {
    if (auto refused = access_.require(request, Role::operator_)) return *refused;
    constexpr std::string_view prefix = "/api/v1/devices/";
    const std::string rest = request.path.substr(prefix.size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string::npos) return http::problem(404, "Not found", request.path);
    const std::string id = rest.substr(0, slash);
    const std::string verb = rest.substr(slash + 1);
    if (verb != "activate" && verb != "revoke")
        return http::problem(404, "Not found", request.path);
    auto done = verb == "activate" ? activate(id) : revoke(id);
    return done ? text("done\n") : problem_of(done.error());
}

http::Response Registry::handle(const http::Request& request) {
    const bool post = request.method == "POST";
    const auto only_post = [&](http::Response (Registry::*serve)(const http::Request&)) {
        if (!post) return wrong_method(request, "POST");
        return (this->*serve)(request);
    };
    if (request.path == "/provisionDevice") return only_post(&Registry::provision_device);
    if (request.path == "/confirmActivation") return only_post(&Registry::confirm_activation);
    if (request.path == "/enrol") return only_post(&Registry::enrol);
    if (request.path == "/api/v1/devices") {
        if (request.method != "GET") return wrong_method(request, "GET");
        return list_devices(request);
    }
    if (request.path.starts_with("/api/v1/devices/")) return only_post(&Registry::change_device);
    return http::problem(404, "Not found", request.path);
}

}  // namespace stator::devices
