// Verdicts keeps what a detector at the edge must not forget: each device's fold and the last
// record that went into it.
//
// A batch is one transaction with the alerts that it announces (the outbox), so that after a kill
// each record has been judged exactly once in effect: by their numbers those that came are known
// (stream::Numbers), and of those that carry none the place in the stream is.
#pragma once

#include "shared/judge/judge.h"
#include "store/log/record.h"
#include "store/stream/numbers.h"
#include "store/stream/outbox.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace stator::verdicts {

struct Device {
    judge::Memory memory;
    stream::Numbers numbers;   // of the readings that were taken
    std::string numbers_text;  // as they are stored
};

// Up to where a class of the stream is done. A log that was begun anew starts at lower offsets with
// later times, so both must say that a record came before.
struct Place {
    log::Offset next;
    std::int64_t receive_unix_ms = 0;

    [[nodiscard]] bool covers(const log::Record& record) const;
};

class Verdicts {
  public:
    // `file`: <state>/level2/level2.db
    [[nodiscard]] static Outcome<std::unique_ptr<Verdicts>> open(
        doors::Doors& doors, const std::string& file
    );

    [[nodiscard]] database::Database& database() { return *database_; }

    [[nodiscard]] Outcome<std::map<std::string, Device>> load();
    // Inside the caller's transaction.
    [[nodiscard]] Outcome<void> store(const std::string& id, Device& device);
    // A number that rises with each call, across restarts: the boot of this process's own messages.
    [[nodiscard]] Outcome<std::uint32_t> next_boot();

    // The names of the models that run, by device class; under "" one that an older release wrote,
    // when there was one class.
    [[nodiscard]] Outcome<std::map<std::string, std::string>> models();
    // `name` empty: none.
    [[nodiscard]] Outcome<void> set_model(const std::string& device_class, const std::string& name);

    // Only of a stream whose offsets outlive a reader: the log's.
    [[nodiscard]] Outcome<Place> place(log::Class log_class);
    [[nodiscard]] Outcome<void> set_place(log::Class log_class, const Place& place);

  private:
    explicit Verdicts(std::unique_ptr<database::Database> database)
        : database_{std::move(database)} {}

    [[nodiscard]] Outcome<std::string> fact(const std::string& name);
    [[nodiscard]] Outcome<void> set_fact(const std::string& name, const std::string& value);

    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::verdicts
