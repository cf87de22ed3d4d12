// The database door: SQLite, the keeper of facts.
//
// Durable (WAL, synchronous=FULL): a committed transaction survives a power cut. One process writes
// a file; others may open it read-only. The simulated door keeps each path in memory and hands the
// same content to whoever opens the path again.
#pragma once

#include "world/outcome/outcome.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stator::database {

using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Row {
    std::vector<Value> columns;
    [[nodiscard]] std::int64_t integer(std::size_t i) const;  // 0 for NULL
    [[nodiscard]] double real(std::size_t i) const;
    [[nodiscard]] const std::string& text(std::size_t i) const;  // "" for NULL
    [[nodiscard]] bool is_null(std::size_t i) const;
};

class Database {
  public:
    virtual ~Database() = default;
    // One statement with ? parameters. Fault::exists for a broken uniqueness constraint.
    [[nodiscard]] virtual Outcome<std::vector<Row>> query(
        std::string_view sql, const std::vector<Value>& parameters
    ) = 0;
    [[nodiscard]] virtual std::int64_t rows_changed() const = 0;  // by the last statement

    [[nodiscard]] Outcome<void> execute(
        std::string_view sql, const std::vector<Value>& parameters = {}
    );
};

// Rolls back unless commit() was called.
class Transaction {
  public:
    [[nodiscard]] static Outcome<Transaction> begin(Database& database);
    [[nodiscard]] Outcome<void> commit();
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

  private:
    explicit Transaction(Database& database) : database_{&database} {}

    Database* database_;  // null when done
};

enum class Access : std::uint8_t { write, read_only };

class Databases {
  public:
    virtual ~Databases() = default;
    // `schema`: statements separated by ';', run when writing; CREATE ... IF NOT EXISTS.
    [[nodiscard]] virtual Outcome<std::unique_ptr<Database>> open(
        const std::string& path, Access access, std::string_view schema
    ) = 0;
};

}  // namespace stator::database
