// What every database door promises, run over SQLite on disk and in memory.
#include "world/database/sqlite.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

namespace stator::database {
namespace {

template <typename T>
class EveryDatabase : public testing::Test {
  public:
    std::filesystem::path root =
        std::filesystem::temp_directory_path() / ("stator-database-" + std::to_string(getpid()));
    T door;

    void SetUp() override { std::filesystem::create_directories(root); }

    void TearDown() override { std::filesystem::remove_all(root); }

    std::unique_ptr<Database> open(Access access) {
        auto opened = door.open(
            (root / "facts.db").string(),
            access,
            "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, x REAL);"
        );
        EXPECT_TRUE(opened) << opened.error().what;
        return opened ? std::move(*opened) : nullptr;
    }
};

using Doors = testing::Types<SqliteDatabases, SimulatedDatabases>;
TYPED_TEST_SUITE(EveryDatabase, Doors);

TYPED_TEST(EveryDatabase, KeepsWhatWasCommittedForWhoeverOpensThePathAgain) {
    {
        const auto db = this->open(Access::write);
        auto transaction = Transaction::begin(*db);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(
            db->execute("INSERT INTO t VALUES(?, ?, ?)", {std::int64_t{1}, std::string{"a"}, 2.5})
        );
        ASSERT_TRUE(transaction->commit());
    }
    const auto db = this->open(Access::read_only);
    const auto rows = db->query("SELECT id, name, x, NULL FROM t", {});
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), 1U);
    EXPECT_EQ((*rows)[0].integer(0), 1);
    EXPECT_EQ((*rows)[0].text(1), "a");
    EXPECT_EQ((*rows)[0].real(2), 2.5);
    EXPECT_TRUE((*rows)[0].is_null(3));
    EXPECT_FALSE(db->execute("DELETE FROM t"));
}

TYPED_TEST(EveryDatabase, ForgetsATransactionThatWasNotCommitted) {
    const auto db = this->open(Access::write);
    {
        auto transaction = Transaction::begin(*db);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(db->execute("INSERT INTO t VALUES(1, 'a', 0)"));
    }
    EXPECT_EQ((*db->query("SELECT COUNT(*) FROM t", {}))[0].integer(0), 0);
}

TYPED_TEST(EveryDatabase, SaysExistsForABrokenUniqueness) {
    const auto db = this->open(Access::write);
    ASSERT_TRUE(db->execute("INSERT INTO t VALUES(1, 'a', 0)"));
    EXPECT_EQ(db->rows_changed(), 1);
    const auto again = db->execute("INSERT INTO t VALUES(2, 'a', 0)");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().fault, base::Fault::exists);
}

}  // namespace
}  // namespace stator::database
