// Rollouts keeps the facts of every roll-out: which model goes to whom, how far it has come, and
// why it stopped.
#pragma once

#include "store/stream/outbox.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::rollouts {

// ring: told to each device by itself; broadcast: told to all, done; failed: stopped.
enum class State : std::uint8_t { ring, broadcast, failed };

struct Rollout {
    std::string model;
    std::string device_class;
    int level = 1;
    std::int64_t release = 0;
    State state = State::ring;
    std::string reason;
    std::int64_t start_unix_ms = 0;
};

struct Progress {  // of one device
    std::string device;
    std::string state;  // asked, downloading, downloaded, trial, confirmed, refused
    std::string reason;
};

class Rollouts {
  public:
    // `file`: <state>/console/rollouts.db
    [[nodiscard]] static Outcome<std::unique_ptr<Rollouts>> open(
        doors::Doors& doors, const std::string& file
    );

    [[nodiscard]] database::Database& database() { return *database_; }

    [[nodiscard]] Outcome<std::optional<Rollout>> find(const std::string& model);
    // The newest of a class and level.
    [[nodiscard]] Outcome<std::optional<Rollout>> newest(
        const std::string& device_class, int level
    );
    [[nodiscard]] Outcome<std::vector<Rollout>> all();
    [[nodiscard]] Outcome<void> save(const Rollout& rollout);

    [[nodiscard]] Outcome<std::vector<Progress>> progress(const std::string& model);
    [[nodiscard]] Outcome<void> set_progress(const std::string& model, const Progress& progress);

  private:
    explicit Rollouts(std::unique_ptr<database::Database> database)
        : database_{std::move(database)} {}

    [[nodiscard]] Outcome<std::vector<Rollout>> select(
        const std::string& where, const std::vector<database::Value>& parameters
    );

    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::rollouts
