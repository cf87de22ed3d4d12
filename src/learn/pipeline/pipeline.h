// The Pipeline turns commands into tasks: extract-data -> extract and drift, train-model -> train,
// then quantise, which judges and, when the challenger is better, promotes.
//
// It reads the control log and answers over MQTT through the outbox. A task is known by (command,
// payload) and done once; one that was cut off begins again. A failure of the world is told and
// tried again after a growing pause; a task that can never succeed is told and dropped.
#pragma once

#include "learn/drift/drift.h"
#include "learn/extract/extract.h"
#include "learn/train/train.h"
#include "shared/asset/asset.h"
#include "store/runs/runs.h"
#include "store/stream/outbox.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace stator::pipeline {

struct Options {
    std::vector<asset::Asset> assets;
    std::string state_file;   // <state>/learn/learn.db
    extract::Config extract;  // with the registry's addresses and the alarms' file
    drift::Config drift;
    train::Config train;
    mqtt::Options mqtt;
    std::size_t kept_max = 1000;  // healthy rows that judge later models
    std::string control_topic = "control-message";
};

// extract-data: extract and drift. The name of the data set to train on, or empty.
[[nodiscard]] Outcome<std::string> look_for_drift(
    doors::Doors& doors,
    runs::Runs& runs,
    const asset::Asset& asset,
    const Options& options,
    const std::string& raw_name
);

// The message train-model for this data set, in the outbox, and that it is awaited: in one
// transaction of the caller's.
[[nodiscard]] Outcome<void> announce_training(
    runs::Runs& runs, const Options& options, const std::string& asset, const std::string& data_set
);

// train: the full-precision model of each level into the registry; their names there.
[[nodiscard]] Outcome<std::vector<std::string>> train_models(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
);

// quantise: fetches them, and makes, judges and promotes the int8 models. True when challengers
// were promoted. The command train-model of this data set is done then.
[[nodiscard]] Outcome<bool> quantise_and_judge(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
);

class Pipeline {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Pipeline>> make(
        doors::Doors& doors, stream::Stream& stream, Options options
    );

    [[nodiscard]] Outcome<bool> step();

    void wait(std::int64_t timeout_us) { control_->wait(timeout_us); }

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

    [[nodiscard]] runs::Runs& runs() { return *runs_; }

  private:
    struct Task {
        std::string command;
        std::string payload;
        int failures = 0;
    };

    Pipeline(doors::Doors& doors, Options options);

    [[nodiscard]] Outcome<bool> drain_control();
    [[nodiscard]] Outcome<bool> work();
    [[nodiscard]] Outcome<void> run(const Task& task);
    [[nodiscard]] Outcome<void> run_extract(const Task& task);
    [[nodiscard]] Outcome<void> drop(const Task& task, const std::string& why);

    doors::Doors& doors_;
    Options options_;
    metrics::Metrics metrics_;
    std::unique_ptr<runs::Runs> runs_;
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> control_;
    std::deque<Task> tasks_;
    log::Offset next_;  // commit here when all tasks are done
    std::int64_t not_before_us_ = 0;
    std::int64_t pause_us_ = 0;
};

}  // namespace stator::pipeline
