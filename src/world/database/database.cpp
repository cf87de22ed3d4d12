#include "world/database/database.h"

namespace stator::database {

std::int64_t Row::integer(std::size_t i) const {
    const Value& value = columns.at(i);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<double>(&value)) return static_cast<std::int64_t>(*number);
    return 0;
}

double Row::real(std::size_t i) const {
    const Value& value = columns.at(i);
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    return 0;
}

const std::string& Row::text(std::size_t i) const {
    static const std::string empty;
    const auto* text = std::get_if<std::string>(&columns.at(i));
    return text != nullptr ? *text : empty;
}

bool Row::is_null(std::size_t i) const {
    return std::holds_alternative<std::monostate>(columns.at(i));
}

Outcome<void> Database::execute(std::string_view sql, const std::vector<Value>& parameters) {
    if (auto rows = query(sql, parameters); !rows) return std::unexpected(rows.error());
    return {};
}

Outcome<Transaction> Transaction::begin(Database& database) {
    // IMMEDIATE: waits for its turn here, so that no statement inside can fail for being second.
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun)
        return std::unexpected(begun.error());
    return Transaction{database};
}

Outcome<void> Transaction::commit() {
    // A failed COMMIT leaves the transaction open: the destructor rolls it back.
    if (auto done = database_->execute("COMMIT"); !done) return done;
    database_ = nullptr;
    return {};
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_{std::exchange(other.database_, nullptr)} {}

Transaction::~Transaction() {
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

}  // namespace stator::database
