// Runs keeps the facts of learning: rows and what they are used for, data sets, champions, tasks.
//
// A row belongs to an asset and a time, and has one use at a time:
//
//   fresh -> kept (healthy, compared, never trained on)      held <-> fresh (alarm, verdict)
//   fresh -> reference (the champion was trained on it)      held -> fault (verdict "true")
//
// What a task has done is written together with what it announces (the outbox lies in the same
// database), so after a kill a task either begins again or is known to be done.
#pragma once

#include "shared/bundle/manifest.h"
#include "store/stream/outbox.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::runs {

enum class Use : std::uint8_t {
    fresh,      // may train, not yet part of a model
    held,       // recorded in or shortly before an alarm on which nobody has judged
    fault,      // recorded in an alarm that a person called true: for judging models only
    reference,  // the champion was trained on it
    kept,       // healthy, for judging models only
};

struct Row {
    std::int64_t time_unix_ms = 0;
    std::vector<float> features;  // in the asset's order, physical units
};

// A normalised CSV and what its numbers mean: value * sd + mean is the physical value.
struct DataSet {
    std::string name;
    std::string asset;
    std::vector<float> mean;
    std::vector<float> sd;
    std::int64_t until_unix_ms = 0;  // of its newest fresh row
};

// A model that was judged good: what runs, and its parameters to the bit.
struct Model {
    std::string name;
    int level = 1;
    std::string manifest;  // JSON, unsigned
    std::string tflite;
};

class Runs {
  public:
    // `file`: <state>/learn/learn.db
    [[nodiscard]] static Outcome<std::unique_ptr<Runs>> open(
        doors::Doors& doors, const std::string& file
    );

    [[nodiscard]] database::Database& database() { return *database_; }

    // Tasks by (command, payload).
    [[nodiscard]] Outcome<bool> is_done(std::string_view command, const std::string& payload);
    [[nodiscard]] Outcome<void> set_done(std::string_view command, const std::string& payload);

    // Rows. A row that is there already, or older than the recommissioning, is left out.
    [[nodiscard]] Outcome<void> add_rows(
        const std::string& asset, const std::string& raw_name, const std::vector<Row>& rows
    );
    [[nodiscard]] Outcome<std::vector<Row>> rows(const std::string& asset, Use use);
    [[nodiscard]] Outcome<void> set_use(
        const std::string& asset, const std::vector<Row>& rows, Use use
    );
    // Forgets the oldest rows of a use above `rows_max`.
    [[nodiscard]] Outcome<void> trim(const std::string& asset, Use use, std::size_t rows_max);
    [[nodiscard]] Outcome<std::vector<std::string>> raw_names(const std::string& asset);

    [[nodiscard]] Outcome<void> save(const DataSet& data_set);
    [[nodiscard]] Outcome<std::optional<DataSet>> data_set(const std::string& name);

    // The data set for which train-model was announced and is not done; empty for none.
    [[nodiscard]] Outcome<std::string> awaited(const std::string& asset);
    [[nodiscard]] Outcome<void> set_awaited(const std::string& asset, const std::string& name);

    [[nodiscard]] Outcome<std::optional<Model>> champion(const std::string& asset, int level);
    [[nodiscard]] Outcome<void> set_champion(const std::string& asset, const Model& model);

    // The full-precision models that were trained on `data_set`, as they are named in the registry.
    struct Full {
        int level = 1;
        std::string name;
    };

    [[nodiscard]] Outcome<std::vector<Full>> full_models(const std::string& data_set);
    [[nodiscard]] Outcome<void> add_full_model(const std::string& data_set, const Full& model);
    // Models that were judged good under `data_set` and wait for the registry's promotion.
    [[nodiscard]] Outcome<std::vector<Model>> pending(const std::string& data_set);
    [[nodiscard]] Outcome<void> set_pending(
        const std::string& data_set, const std::vector<Model>& models
    );

    // What was said last, for people.
    [[nodiscard]] Outcome<std::string> last_judgement() { return fact("judgement"); }

    [[nodiscard]] Outcome<void> set_last_judgement(const std::string& text) {
        return set_fact("judgement", text);
    }

    [[nodiscard]] Outcome<std::string> last_drift() { return fact("drift"); }

    [[nodiscard]] Outcome<void> set_last_drift(const std::string& text) {
        return set_fact("drift", text);
    }

    // The machine is another one from now on: reference and champions are forgotten, and rows
    // before `unix_ms` never count.
    [[nodiscard]] Outcome<void> recommission(const std::string& asset, std::int64_t unix_ms);
    [[nodiscard]] Outcome<std::int64_t> recommissioned_unix_ms(const std::string& asset);

  private:
    explicit Runs(std::unique_ptr<database::Database> database) : database_{std::move(database)} {}

    [[nodiscard]] Outcome<std::string> fact(const std::string& name);
    [[nodiscard]] Outcome<void> set_fact(const std::string& name, const std::string& value);

    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::runs
