// SimulatedDoors is every door at once for a test, simulated from one seed: a base class, so that a
// test says `clock`, `disk` and `doors`.
#pragma once

#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/doors/doors.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <cstdint>

namespace stator::doors {

struct SimulatedDoors {
    explicit SimulatedDoors(std::int64_t start_unix_ms = 1'700'000'000'000, std::uint64_t seed = 1)
        : clock{start_unix_ms}, chance{seed}, disk{seed} {}

    clock::VirtualClock clock;
    chance::SeededChance chance;
    disk::SimulatedDisk disk;
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt mqtt{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    Doors doors{clock, disk, chance, mqtt, http, tls, databases, journal};
};

}  // namespace stator::doors
