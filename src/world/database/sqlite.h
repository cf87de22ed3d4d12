// SqliteDatabases opens SQLite files: durable on disk, or in memory by path.
//
// On disk: WAL with synchronous=FULL, writers wait for each other up to busy_ms_max. In memory
// (the simulated door): the same engine; a path keeps its content until the door is destroyed.
#pragma once

#include "world/database/database.h"

#include <map>

struct sqlite3;

namespace stator::database {

class SqliteDatabases final : public Databases {
  public:
    static constexpr int busy_ms_max = 5000;

    [[nodiscard]] Outcome<std::unique_ptr<Database>> open(
        const std::string& path, Access access, std::string_view schema
    ) override;
};

class SimulatedDatabases final : public Databases {
  public:
    SimulatedDatabases();
    ~SimulatedDatabases() override;
    SimulatedDatabases(const SimulatedDatabases&) = delete;
    SimulatedDatabases& operator=(const SimulatedDatabases&) = delete;
    SimulatedDatabases(SimulatedDatabases&&) = delete;
    SimulatedDatabases& operator=(SimulatedDatabases&&) = delete;

    [[nodiscard]] Outcome<std::unique_ptr<Database>> open(
        const std::string& path, Access access, std::string_view schema
    ) override;

  private:
    std::string prefix_;                      // apart from every other door of this process
    std::map<std::string, sqlite3*> anchor_;  // keeps each path's content alive
};

}  // namespace stator::database
