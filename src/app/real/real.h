// Real is the world of a real process: every door opened on this machine.
#pragma once

#include "world/chance/real.h"
#include "world/clock/real.h"
#include "world/database/sqlite.h"
#include "world/disk/posix.h"
#include "world/doors/doors.h"
#include "world/http/beast.h"
#include "world/journal/real.h"
#include "world/mqtt/mosquitto_client.h"
#include "world/tls/openssl.h"

namespace stator::real {

struct Real {
    clock::RealClock clock;
    disk::PosixDisk disk;
    chance::RealChance chance;
    mqtt::MosquittoMqtt mqtt{clock, chance};
    http::BeastHttp http;
    tls::OpenSslTls tls{clock};
    database::SqliteDatabases databases;
    journal::RealJournal journal;
    doors::Doors doors{clock, disk, chance, mqtt, http, tls, databases, journal};
};

}  // namespace stator::real
