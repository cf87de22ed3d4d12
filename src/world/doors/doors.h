// All doors together: what a service is handed at its start, real or simulated.
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/database/database.h"
#include "world/disk/disk.h"
#include "world/http/http.h"
#include "world/journal/journal.h"
#include "world/mqtt/mqtt.h"
#include "world/tls/tls.h"

namespace stator::doors {

struct Doors {
    clock::Clock& clock;
    disk::Disk& disk;
    chance::Chance& chance;
    mqtt::Mqtt& mqtt;
    http::Http& http;
    tls::Tls& tls;
    database::Databases& databases;
    journal::Journal& journal;
};

}  // namespace stator::doors
