#include "app/parts/learn_options.h"
#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"

namespace stator::parts {

namespace {

class LearnPart final : public part::Part {
  public:
    LearnPart(std::unique_ptr<Streams> streams, std::unique_ptr<pipeline::Pipeline> pipeline)
        : streams_{std::move(streams)}, pipeline_{std::move(pipeline)} {}

    [[nodiscard]] std::string_view name() const override { return "learn"; }

    Outcome<bool> step() override { return pipeline_->step(); }

    void wait(std::int64_t timeout_us) override { pipeline_->wait(timeout_us); }

    std::string metrics() override {
        return pipeline_->metrics().render() + streams_->metrics.render();
    }

  private:
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<pipeline::Pipeline> pipeline_;
};

}  // namespace

pipeline::Options learn_options(const config::Config& config) {
    const site::Layout layout{config};
    pipeline::Options options;
    options.assets = config.assets;
    options.state_file = layout.path("learn/learn.db");
    options.extract.registry = {
        .datasets_url = layout.datasets_url(),
        .models_url = layout.models_url(),
        .elsewhere =
            {.raw = config.learn_raw_url,
             .normalised = config.learn_normalised_url,
             .normalised_upload = config.learn_normalised_upload_url,
             .full = config.learn_full_url,
             .full_upload = config.learn_full_upload_url,
             .quantised_upload = config.learn_quantised_upload_url},
        .ca_file = layout.pki("ca.pem"),
        .certificate_file = layout.pki("learn.pem"),
        .key_file = layout.pki("learn.key")
    };
    options.extract.alarms_file = layout.path("console/alarms.db");
    options.drift.shift_max = config.learn_drift_threshold;
    options.train.epochs = config.learn_epochs;
    options.train.batch_size = config.learn_batch_size;
    if (config.learn_family == "classifier") options.train.family = train::Family::classifier;
    options.mqtt = layout.mqtt("learn");
    options.control_topic = config.topics.control;
    return options;
}

std::string unused_keys(const config::Config& config) {
    const config::Config usual;
    const bool told = config.learn_epochs != usual.learn_epochs ||
                      config.learn_batch_size != usual.learn_batch_size;
    if (!told || config.learn_family == "classifier") return {};
    return "learn.epochs (EPOCS) and learn.batch_size (BATCH_SIZE) change nothing while "
           "learn.family = \"baseline\": that model is computed, not trained in epochs; set "
           "learn.family = \"classifier\"";
}

Made make_learn(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    // The alarms' facts are the console's to write; what there are none of yet must still be there
    // to be read.
    for (const char* below : {"learn", "console"})
        if (auto done = doors.disk.make_directories(layout.path(below)); !done)
            return std::unexpected(done.error());
    if (const std::string unused = unused_keys(config); !unused.empty())
        doors.journal.warn("learn", unused);
    auto streams = make_streams(doors, config, "learn.stream", config.learn_stream);
    if (!streams) return std::unexpected(streams.error());
    auto made = pipeline::Pipeline::make(doors, *(*streams)->once, learn_options(config));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<LearnPart>(std::move(*streams), std::move(*made));
}

}  // namespace stator::parts
