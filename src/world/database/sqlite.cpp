#include "world/database/sqlite.h"

#include <fmt/format.h>

#include <sqlite3.h>

#include <atomic>

namespace stator::database {
namespace {

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

using Handle = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

base::Fault fault_of(int code) {
    switch (code & 0xFF) {
        case SQLITE_CONSTRAINT:
            return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
                           code == SQLITE_CONSTRAINT_ROWID
                       ? base::Fault::exists
                       : base::Fault::bad_input;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return base::Fault::again;
        case SQLITE_FULL:
            return base::Fault::full;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return base::Fault::denied;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return base::Fault::corrupt;
        case SQLITE_CANTOPEN:
            return base::Fault::not_found;
        case SQLITE_ERROR:
        case SQLITE_MISMATCH:
        case SQLITE_RANGE:
        case SQLITE_TOOBIG:
            return base::Fault::bad_input;
        default:
            return base::Fault::io;
    }
}

class SqliteDatabase final : public Database {
  public:
    SqliteDatabase(std::string path, Handle handle)
        : path_{std::move(path)}, handle_{std::move(handle)} {}

    Outcome<std::vector<Row>> query(std::string_view sql, const std::vector<Value>& parameters)
        override {
        sqlite3_stmt* raw = nullptr;
        const char* rest = nullptr;
        const int code = sqlite3_prepare_v2(
            handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, &rest
        );
        const Statement statement{raw};
        if (code != SQLITE_OK) return failed(sql);
        const std::string_view after{
            rest, static_cast<std::size_t>(sql.data() + sql.size() - rest)
        };
        if (after.find_first_not_of("; \t\r\n") != std::string_view::npos)
            return fail(
                base::Fault::bad_input,
                fmt::format("{}: more than one statement in one query: {}", path_, sql)
            );
        if (!statement) return std::vector<Row>{};  // blank
        if (auto bound = bind(statement.get(), parameters); !bound)
            return std::unexpected(bound.error());
        std::vector<Row> rows;
        for (;;) {
            const int step = sqlite3_step(statement.get());
            if (step == SQLITE_DONE) break;
            if (step != SQLITE_ROW) return failed(sql);
            rows.push_back(row_of(statement.get()));
        }
        changed_ = sqlite3_changes64(handle_.get());
        return rows;
    }

    std::int64_t rows_changed() const override { return changed_; }

    Outcome<void> script(const std::string& sql) {
        if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            return failed(sql);
        return {};
    }

  private:
    std::unexpected<Error> failed(std::string_view sql) const {
        const int code = sqlite3_extended_errcode(handle_.get());
        return fail(
            fault_of(code),
            fmt::format("{}: {} (in: {})", path_, sqlite3_errmsg(handle_.get()), sql)
        );
    }

    Outcome<void> bind(sqlite3_stmt* statement, const std::vector<Value>& parameters) const {
        const int wanted = sqlite3_bind_parameter_count(statement);
        if (static_cast<std::size_t>(wanted) != parameters.size())
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "{}: {} parameters given, {} asked for by: {}",
                    path_,
                    parameters.size(),
                    wanted,
                    sqlite3_sql(statement)
                )
            );
        int i = 0;
        for (const Value& value : parameters) {
            int code = SQLITE_OK;
            ++i;
            if (const auto* number = std::get_if<std::int64_t>(&value))
                code = sqlite3_bind_int64(statement, i, *number);
            else if (const auto* real = std::get_if<double>(&value))
                code = sqlite3_bind_double(statement, i, *real);
            else if (const auto* text = std::get_if<std::string>(&value))
                // nullptr for the destructor is SQLITE_STATIC: the parameters outlive the
                // statement.
                code = sqlite3_bind_text64(
                    statement, i, text->data(), text->size(), nullptr, SQLITE_UTF8
                );
            if (code != SQLITE_OK) return failed(sqlite3_sql(statement));
        }
        return {};
    }

    static Row row_of(sqlite3_stmt* statement) {
        Row row;
        const int columns = sqlite3_column_count(statement);
        row.columns.reserve(static_cast<std::size_t>(columns));
        for (int i = 0; i < columns; ++i) {
            switch (sqlite3_column_type(statement, i)) {
                case SQLITE_INTEGER:
                    row.columns.emplace_back(std::int64_t{sqlite3_column_int64(statement, i)});
                    break;
                case SQLITE_FLOAT:
                    row.columns.emplace_back(sqlite3_column_double(statement, i));
                    break;
                case SQLITE_NULL:
                    row.columns.emplace_back(std::monostate{});
                    break;
                default: {  // text and blob alike: bytes
                    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
                    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
                    row.columns.emplace_back(
                        bytes == nullptr ? std::string{} : std::string{bytes, size}
                    );
                }
            }
        }
        return row;
    }

    std::string path_;
    Handle handle_;
    std::int64_t changed_ = 0;
};

Outcome<Handle> open_handle(const std::string& shown, const std::string& name, int flags) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    Handle handle{raw};
    if (code != SQLITE_OK) {
        std::string why = raw != nullptr ? sqlite3_errmsg(raw) : "out of memory";
        return fail(fault_of(code), fmt::format("{}: cannot open the database: {}", shown, why));
    }
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, SqliteDatabases::busy_ms_max);
    return handle;
}

}  // namespace

Outcome<std::unique_ptr<Database>> SqliteDatabases::open(
    const std::string& path, Access access, std::string_view schema
) {
    const bool writes = access == Access::write;
    auto handle = open_handle(
        path, path, writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
    );
    if (!handle) return std::unexpected(handle.error());
    auto database = std::make_unique<SqliteDatabase>(path, std::move(*handle));
    std::string script = "PRAGMA foreign_keys=ON;";
    if (writes)
        script = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;" + script + std::string{schema};
    if (auto done = database->script(script); !done) return std::unexpected(done.error());
    return database;
}

SimulatedDatabases::SimulatedDatabases() {
    static std::atomic<std::uint64_t> doors{0};  // SQLite's shared memory names are per process
    prefix_ = fmt::format("/stator-{}", ++doors);
}

SimulatedDatabases::~SimulatedDatabases() {
    for (const auto& [path, handle] : anchor_)
        sqlite3_close_v2(handle);
}

Outcome<std::unique_ptr<Database>> SimulatedDatabases::open(
    const std::string& path, Access access, std::string_view schema
) {
    const bool writes = access == Access::write;
    if (!writes && !anchor_.contains(path))
        return fail(base::Fault::not_found, path + ": cannot open the database: no such file");
    const std::string name = fmt::format("file:{}{}?vfs=memdb", prefix_, path);
    constexpr int read_write = SQLITE_OPEN_URI | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (!anchor_.contains(path)) {
        auto anchor = open_handle(path, name, read_write);
        if (!anchor) return std::unexpected(anchor.error());
        anchor_.emplace(path, anchor->release());
    }
    auto handle = open_handle(path, name, read_write);
    if (!handle) return std::unexpected(handle.error());
    auto database = std::make_unique<SqliteDatabase>(path, std::move(*handle));
    std::string script = "PRAGMA foreign_keys=ON;";
    script += writes ? std::string{schema} : std::string{"PRAGMA query_only=ON;"};
    if (auto done = database->script(script); !done) return std::unexpected(done.error());
    return database;
}

}  // namespace stator::database
