#include "store/files/files.h"

#include <algorithm>

namespace stator::files {

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " name TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " created_unix_ms INTEGER NOT NULL, UNIQUE (kind, name));";

bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == ':' || c == '_' || c == '-';
}

File file_of(const database::Row& row) {
    return {
        .name = row.text(0),
        .sha256 = row.text(1),
        .size_bytes = static_cast<std::uint64_t>(row.integer(2)),
        .created_unix_ms = row.integer(3)
    };
}

}  // namespace

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= name_bytes_max && name.front() != '.' &&
           std::ranges::all_of(name, is_name_byte);
}

Outcome<std::unique_ptr<Files>> Files::open(
    doors::Doors& doors, const std::string& directory, std::string_view more_schema
) {
    std::unique_ptr<Files> made{new Files{doors, directory}};
    if (auto done = doors.disk.make_directories(directory + "/bytes"); !done)
        return std::unexpected(done.error());
    auto database = doors.databases.open(
        directory + "/files.db",
        database::Access::write,
        std::string{schema} + std::string{more_schema}
    );
    if (!database) return std::unexpected(database.error());
    made->database_ = std::move(*database);
    return made;
}

std::string Files::path_of(const std::string& sha256) const {
    return directory_ + "/bytes/" + sha256;
}

Outcome<File> Files::put(
    const std::string& kind, const std::string& name, const std::string& content
) {
    if (!is_name(name))
        return fail(
            base::Fault::bad_input,
            "a name is one component of letters, digits and . : _ -, at most 128"
        );
    const std::string sha256 = tls::sha256_hex(content);
    if (const auto known = find(kind, name)) {
        if (known->sha256 == sha256) {
            // The same bytes heal a damaged file.
            if (const auto kept = get(kind, name); !kept)
                if (auto done = doors_.disk.replace(path_of(sha256), content); !done)
                    return std::unexpected(done.error());
            return *known;
        }
        return fail(base::Fault::exists, name + " is there with other bytes");
    }
    if (auto done = doors_.disk.replace(path_of(sha256), content); !done)
        return std::unexpected(done.error());
    const File file{
        .name = name,
        .sha256 = sha256,
        .size_bytes = content.size(),
        .created_unix_ms = doors_.clock.unix_ms()
    };
    if (auto done = database_->execute(
            "INSERT INTO files (kind, name, sha256, bytes, created_unix_ms) VALUES (?,?,?,?,?)",
            {kind, name, sha256, static_cast<std::int64_t>(content.size()), file.created_unix_ms}
        );
        !done)
        return std::unexpected(done.error());
    return file;
}

Outcome<File> Files::find(const std::string& kind, const std::string& name) {
    auto rows = database_->query(
        "SELECT name, sha256, bytes, created_unix_ms FROM files WHERE kind = ? AND name = ?",
        {kind, name}
    );
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return fail(base::Fault::not_found, "there is no " + name);
    return file_of(rows->front());
}

Outcome<std::string> Files::get(const std::string& kind, const std::string& name) {
    auto file = find(kind, name);
    if (!file) return std::unexpected(file.error());
    auto content = doors_.disk.read_all(path_of(file->sha256), file_bytes_max);
    if (!content) return content;
    if (tls::sha256_hex(*content) != file->sha256)
        return fail(
            base::Fault::corrupt,
            path_of(file->sha256) + " (" + name + ") is damaged: its hash is another"
        );
    return content;
}

Outcome<std::vector<File>> Files::list(const std::string& kind) {
    auto rows = database_->query(
        "SELECT name, sha256, bytes, created_unix_ms FROM files WHERE kind = ? ORDER BY id", {kind}
    );
    if (!rows) return std::unexpected(rows.error());
    std::vector<File> made;
    made.reserve(rows->size());
    for (const database::Row& row : *rows)
        made.push_back(file_of(row));
    return made;
}

}  // namespace stator::files
