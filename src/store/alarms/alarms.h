// Alarms keeps the facts of every alarm's life: one row an episode, from raised to ended.
//
// An episode belongs to one device and level (1 device, 2 edge, 0 silence, -1 sensors) and there is
// at most one that lasts. A verdict is a person's word on it; "open" until then. Rows recorded
// inside an episode do not train unless its verdict is "false". One process writes; others open it
// read-only.
#pragma once

#include "world/database/database.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::alarms {

struct Episode {
    std::int64_t id = 0;
    std::string device;
    int level = 1;
    std::string severity = "none";  // worst so far: none, potential, imminent
    std::int64_t start_unix_ms = 0;
    std::int64_t end_unix_ms = 0;  // 0 while it lasts
    double peak = 0;
    std::string model;
    std::string verdict = "open";  // open, true, false, maintenance, sensor
    std::string note;
    std::string who;  // gave the verdict
    bool acknowledged = false;
    std::map<std::string, double> contributions;  // at the peak, as are the next two
    std::string suspected;  // the last kind of fault that was named; empty: nobody said
    std::string evidence;
};

// After ISA-18.2: unacknowledged, acknowledged, returned unacknowledged, normal.
[[nodiscard]] std::string_view state_of(const Episode& episode);

// The last message of a source (device or level-2 service) that was counted.
struct Place {
    std::int64_t boot = 0;
    std::int64_t seq = 0;
};

class Alarms {
  public:
    // `file`: <state>/console/alarms.db
    [[nodiscard]] static Outcome<std::unique_ptr<Alarms>> open(
        doors::Doors& doors, const std::string& file, database::Access access
    );

    [[nodiscard]] database::Database& database() { return *database_; }

    [[nodiscard]] Outcome<std::vector<Episode>> newest(std::size_t count);
    [[nodiscard]] Outcome<std::optional<Episode>> lasting(const std::string& device, int level);
    [[nodiscard]] Outcome<std::optional<Episode>> find(std::int64_t id);
    // Every episode that touches [from, to]; for those who choose what may train.
    [[nodiscard]] Outcome<std::vector<Episode>> touching(
        std::int64_t from_unix_ms, std::int64_t to_unix_ms
    );

    // Inserts when id is 0 (and sets it), else updates.
    [[nodiscard]] Outcome<void> save(Episode& episode);

    [[nodiscard]] Outcome<Place> place(const std::string& source);
    [[nodiscard]] Outcome<void> set_place(const std::string& source, const Place& place);

  private:
    [[nodiscard]] Outcome<void> save_life(Episode& episode);

    explicit Alarms(std::unique_ptr<database::Database> database)
        : database_{std::move(database)} {}

    [[nodiscard]] Outcome<std::vector<Episode>> select(
        const std::string& where, const std::vector<database::Value>& parameters
    );

    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::alarms
