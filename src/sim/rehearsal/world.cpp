#include "sim/rehearsal/world.h"

namespace stator::rehearsal {

namespace {
constexpr std::int64_t start_unix_ms = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
constexpr std::size_t certificate_bytes_max = 64U << 10U;
}  // namespace

World::World(std::uint64_t seed)
    : clock{start_unix_ms},
      chance{seed},
      disk{seed},
      journal{clock},
      tls{chance, clock},
      http{disk, tls, clock, journal},
      device_http{http},
      mqtt{clock, chance},
      doors{clock, disk, chance, mqtt, http, tls, databases, journal},
      device_doors{clock, disk, chance, mqtt, device_http, tls, databases, journal} {}

stator::Outcome<void> World::start_broker(
    const std::string& state_dir, std::uint64_t telemetry_bytes
) {
    log::Budgets budgets;
    budgets.telemetry = {
        .bytes = telemetry_bytes, .segment_bytes = telemetry_bytes / 8, .reserved = false
    };
    budgets.required = {{"ingest", log::Class::telemetry}};
    auto storage = gate::LogStorage::open(
        disk, clock, journal, {runner_, runner_}, state_dir + "/log", std::move(budgets)
    );
    if (!storage) return std::unexpected(storage.error());
    storage_ = std::move(*storage);
    rights_ = std::make_unique<devices::RightsReader>(disk, devices::rights_path(state_dir));
    gate_ = std::make_unique<gate::Gate>(*storage_, *rights_, clock, journal);
    mqtt.start(gate_.get());
    return {};
}

stator::Outcome<void> World::know(const std::string& certificate_file) {
    auto pem = disk.read_all(certificate_file, certificate_bytes_max);
    if (!pem) return std::unexpected(pem.error());
    const std::vector<std::string> chain = tls::split_chain(*pem);
    if (chain.empty())
        return fail(base::Fault::corrupt, certificate_file + " holds no certificate");
    auto facts = tls.inspect(chain.front());
    if (!facts) return std::unexpected(facts.error());
    mqtt.set_identity(certificate_file, {.uri = facts->uri, .serial = facts->serial});
    return {};
}

}  // namespace stator::rehearsal
