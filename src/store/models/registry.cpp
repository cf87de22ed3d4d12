#include "store/models/registry.h"

#include "shared/tinyml/model.h"
#include "store/models/firmware.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <span>
#include <vector>

namespace stator::models {

using identity::Role;
using nlohmann::json;

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS models (name TEXT PRIMARY KEY, class TEXT NOT NULL,"
    " level INTEGER NOT NULL, release INTEGER NOT NULL, state TEXT NOT NULL,"
    " draft TEXT NOT NULL, envelope TEXT NOT NULL);";

constexpr std::array<std::string_view, 4> kinds{
    "full", "quantized", "normalized_training_data", "OTA_bin"
};

// kind and name of "/kind/name"; the name is empty for a listing.
struct Place {
    std::string kind;
    std::string name;
};

std::optional<Place> place_of(std::string_view path) {
    for (const std::string_view kind : kinds) {
        const std::string_view rest = path.substr(1);
        if (rest == kind || rest == std::string{kind} + "/") return Place{std::string{kind}, ""};
        if (rest.starts_with(kind) && rest.size() > kind.size() && rest[kind.size()] == '/')
            return Place{std::string{kind}, std::string{rest.substr(kind.size() + 1)}};
    }
    return std::nullopt;
}

Outcome<void> check_tflite(const http::Part& part) {
    tinyml::Reason reason;
    const auto bytes = std::as_bytes(std::span{part.content});
    if (!tinyml::check(bytes, reason))
        return fail(base::Fault::bad_input, fmt::format("{}: {}", part.filename, reason.view()));
    return {};
}

// What every receiver will do, with the same planner and the same runtime: what they would all
// refuse is not signed.
Outcome<void> check_as_receivers_do(
    const bundle::Manifest& manifest, const std::string& tflite, std::uint64_t golden_macs_max
) {
    const auto bytes = std::as_bytes(std::span{tflite});
    const auto refused = [&](std::string_view why) {
        return fail(base::Fault::bad_input, fmt::format("{}: {}", manifest.name.view(), why));
    };
    bundle::Refusal refusal;
    const auto needs = bundle::check_needs(manifest, bytes, refusal);
    if (!needs) return refused(refusal.view());
    if (needs->arena_bytes != manifest.arena_bytes)
        return refused("it needs another arena than its manifest says");
    if (needs->macs * manifest.golden.steps > golden_macs_max)
        return refused(fmt::format(
            "its golden sequence of {} steps takes {} million multiplications, {} are the most: "
            "give it fewer steps",
            manifest.golden.steps,
            needs->macs * manifest.golden.steps / 1'000'000,
            golden_macs_max / 1'000'000
        ));
    std::vector<std::byte> arena(manifest.arena_bytes);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(bytes, arena, reason);
    if (!model) return refused(reason.view());
    if (!bundle::run_golden(manifest, *model, refusal)) return refused(refusal.view());
    return {};
}

http::Response no_name() {
    return http::problem(
        400, "Not understood", "a name is one component of letters, digits . : _ -"
    );
}

http::Response json_response(const json& body) {
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
    return response;
}

}  // namespace

Registry::Registry(
    doors::Doors& doors,
    identity::Access& access,
    Options options,
    std::unique_ptr<files::Files> files
)
    : doors_{doors},
      options_{std::move(options)},
      files_{std::move(files)},
      serve_{*files_, access} {}

Outcome<std::unique_ptr<Registry>> Registry::make(
    doors::Doors& doors, identity::Access& access, Options options
) {
    auto files = files::Files::open(doors, options.state_directory + "/models", schema);
    if (!files) return std::unexpected(files.error());
    return std::unique_ptr<Registry>{
        new Registry{doors, access, std::move(options), std::move(*files)}
    };
}

bool Registry::knows(std::string_view path) {
    return path == "/uploadModel" || path == "/uploadQuantizedModel" ||
           path == "/uploadNormalizedData" || path == "/uploadFirmware" ||
           path.starts_with("/manifest/") || path.starts_with("/api/v1/models") ||
           place_of(path).has_value();
}

http::Response Registry::manifest(const http::Request& request, const std::string& name) {
    if (request.method == "PUT") return put_manifest(request, name);
    if (request.method != "GET") return files::wrong_method(request, "GET, PUT");
    if (auto refused = serve_.refuse_reader(request)) return *refused;
    auto rows = files_->database().query("SELECT envelope FROM models WHERE name = ?", {name});
    if (!rows) return files::problem_of(rows.error());
    if (rows->empty() || rows->front().text(0).empty())
        return http::problem(404, "Not found", "there is no signed manifest of " + name);
    http::Response response;
    response.headers["Content-Type"] = "text/plain; charset=utf-8";
    response.body = rows->front().text(0);
    return http::apply_range(request, std::move(response));
}

http::Response Registry::put_manifest(const http::Request& request, const std::string& name) {
    if (auto refused = serve_.refuse_writer(request)) return *refused;
    const auto manifest = bundle::parse(request.body);
    if (!manifest) return http::problem(400, "Not understood", "the manifest cannot be read");
    if (manifest->name.view() != name)
        return http::problem(400, "Not understood", "the manifest is of another model");
    auto known = files_->database().query("SELECT state FROM models WHERE name = ?", {name});
    if (!known) return files::problem_of(known.error());
    if (!known->empty() && known->front().text(0) != "uploaded")
        return http::problem(409, "Conflict", name + " was promoted: its manifest is fixed");
    auto done = files_->database().execute(
        "INSERT INTO models (name, class, level, release, state, draft, envelope)"
        " VALUES (?,?,?,0,'uploaded',?,'')"
        " ON CONFLICT(name) DO UPDATE SET class=excluded.class, level=excluded.level,"
        " draft=excluded.draft",
        {name,
         std::string{manifest->device_class.view()},
         static_cast<std::int64_t>(manifest->level),
         request.body}
    );
    return done ? json_response({{"name", name}}) : files::problem_of(done.error());
}

// Signed with the site's key by who packed it, whole, and newer than all of its board.
Outcome<void> Registry::check_firmware(const http::Part& part) {
    const auto key =
        doors_.disk.read_all(options_.state_directory + "/pki/model-signing.pub", 8192);
    if (!key) return std::unexpected(key.error());
    const auto header = open_firmware(doors_, part.filename, part.content, *key);
    if (!header) return std::unexpected(header.error());
    const auto files = files_->list("OTA_bin");
    if (!files) return std::unexpected(files.error());
    for (const files::File& file : *files) {
        const auto content = files_->get("OTA_bin", file.name);
        if (!content) return std::unexpected(content.error());
        const auto other = firmware::parse(std::as_bytes(std::span{*content}));
        if (!other || other->board.view() != header->board.view()) continue;
        if (other->release >= header->release && file.name != part.filename)
            return fail(
                base::Fault::exists,
                fmt::format(
                    "{}: release {} does not rise: {} has {}",
                    part.filename,
                    header->release,
                    file.name,
                    other->release
                )
            );
    }
    return {};
}

http::Response Registry::list_models(const http::Request& request) {
    if (request.method != "GET") return files::wrong_method(request, "GET");
    if (auto refused = serve_.refuse_reader(request)) return *refused;
    auto rows = files_->database().query(
        "SELECT m.name, m.class, m.level, m.release, m.state, f.created_unix_ms, f.bytes, f.sha256"
        " FROM models m JOIN files f ON f.kind = 'quantized' AND f.name = m.name ORDER BY f.id",
        {}
    );
    if (!rows) return files::problem_of(rows.error());
    json list = json::array();
    for (const database::Row& row : *rows)
        list.push_back(
            {{"name", row.text(0)},
             {"device_class", row.text(1)},
             {"level", row.integer(2)},
             {"release", row.integer(3)},
             {"state", row.text(4)},
             {"created_unix_ms", row.integer(5)},
             {"bytes", row.integer(6)},
             {"sha256", row.text(7)}}
        );
    return json_response(list);
}

// The draft, and that it is true of the file that is there.
Outcome<bundle::Manifest> Registry::draft_of(const std::string& name, std::string& draft) {
    auto rows = files_->database().query("SELECT draft FROM models WHERE name = ?", {name});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return fail(base::Fault::not_found, "there is no manifest of " + name);
    draft = rows->front().text(0);
    const auto manifest = bundle::parse(draft);
    if (!manifest) return fail(base::Fault::corrupt, "the manifest of " + name + " is damaged");
    auto file = files_->find("quantized", name);
    if (!file) return std::unexpected(file.error());
    const std::string sha256 =
        tls::hex(manifest->tflite_sha256.data(), manifest->tflite_sha256.size());
    if (sha256 != file->sha256 || manifest->tflite_bytes != file->size_bytes)
        return fail(base::Fault::bad_input, "the manifest of " + name + " is about other bytes");
    const auto tflite = files_->get("quantized", name);
    if (!tflite) return std::unexpected(tflite.error());
    if (auto done = check_as_receivers_do(*manifest, *tflite, options_.golden_macs_max); !done)
        return std::unexpected(done.error());
    return *manifest;
}

Outcome<std::string> Registry::promote(const std::string& name) {
    database::Database& database = files_->database();
    auto before =
        database.query("SELECT envelope FROM models WHERE name = ? AND state = 'promoted'", {name});
    if (!before) return std::unexpected(before.error());
    if (!before->empty()) return before->front().text(0);  // said twice: the same answer
    std::string draft;
    auto manifest = draft_of(name, draft);
    if (!manifest) return std::unexpected(manifest.error());
    const std::string device_class{manifest->device_class.view()};
    const auto level = static_cast<std::int64_t>(manifest->level);
    auto transaction = database::Transaction::begin(database);
    if (!transaction) return std::unexpected(transaction.error());
    auto highest = database.query(
        "SELECT COALESCE(MAX(release), 0) FROM models WHERE class = ? AND level = ?",
        {device_class, level}
    );
    if (!highest) return std::unexpected(highest.error());
    const std::int64_t release = highest->front().integer(0) + 1;
    json signed_json = json::parse(draft, nullptr, false);
    if (!signed_json.is_object())
        return fail(base::Fault::corrupt, "the manifest of " + name + " is damaged");
    signed_json["release"] = release;
    const std::string text = signed_json.dump();
    // Numbers went through a parser: what is signed must still be what the maker drafted.
    const auto again = bundle::parse(text);
    if (!again || again->golden.values != manifest->golden.values ||
        again->golden.features != manifest->golden.features ||
        again->fold.mean != manifest->fold.mean || again->fold.sd != manifest->fold.sd)
        return fail(base::Fault::corrupt, "the manifest of " + name + " does not keep its numbers");
    auto key = doors_.disk.read_all(options_.state_directory + "/pki/model-signing.key", 8192);
    if (!key) return std::unexpected(key.error());
    auto signature = doors_.tls.sign(*key, text);
    if (!signature) return std::unexpected(signature.error());
    const std::string envelope = tls::hex(signature->data(), signature->size()) + "\n" + text;
    if (auto done = database.execute(
            "UPDATE models SET state = 'retired' WHERE class = ? AND level = ? AND state = "
            "'promoted'",
            {device_class, level}
        );
        !done)
        return std::unexpected(done.error());
    if (auto done = database.execute(
            "UPDATE models SET state = 'promoted', release = ?, envelope = ? WHERE name = ?",
            {release, envelope, name}
        );
        !done)
        return std::unexpected(done.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    doors_.journal.info(
        "models",
        fmt::format(
            "{} is promoted: class {}, level {}, release {}", name, device_class, level, release
        )
    );
    return envelope;
}

http::Response Registry::promote_model(const http::Request& request) {
    constexpr std::string_view prefix = "/api/v1/models/";
    constexpr std::string_view suffix = "/promote";
    if (!request.path.ends_with(suffix) || request.path.size() <= prefix.size() + suffix.size())
        return http::problem(404, "Not found", request.path);
    if (request.method != "POST") return files::wrong_method(request, "POST");
    if (auto refused = serve_.refuse_writer(request)) return *refused;
    const std::string name =
        request.path.substr(prefix.size(), request.path.size() - prefix.size() - suffix.size());
    if (!files::is_name(name)) return no_name();
    auto envelope = promote(name);
    if (!envelope) return files::problem_of(envelope.error());
    http::Response response;
    response.headers["Content-Type"] = "text/plain; charset=utf-8";
    response.body = std::move(*envelope);
    return response;
}

http::Response Registry::handle(const http::Request& request) {
    if (request.path == "/uploadModel") return serve_.upload(request, "full");
    if (request.path == "/uploadQuantizedModel")
        return serve_.upload(request, "quantized", check_tflite);
    if (request.path == "/uploadNormalizedData")
        return serve_.upload(request, "normalized_training_data");
    if (request.path == "/uploadFirmware")
        return serve_.upload(request, "OTA_bin", [this](const http::Part& part) {
            return check_firmware(part);
        });
    if (request.path.starts_with("/manifest/")) {
        const std::string name = request.path.substr(std::string_view{"/manifest/"}.size());
        return files::is_name(name) ? manifest(request, name) : no_name();
    }
    if (request.path == "/api/v1/models") return list_models(request);
    if (request.path.starts_with("/api/v1/models/")) return promote_model(request);
    if (const auto place = place_of(request.path))
        return place->name.empty() ? serve_.list(request, place->kind, "/" + place->kind)
                                   : serve_.get(request, place->kind, place->name);
    return http::problem(404, "Not found", request.path);
}

}  // namespace stator::models
