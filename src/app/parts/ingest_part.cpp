#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "store/ingest/ingest.h"
#include "store/stream/census.h"

namespace stator::parts {

namespace {

constexpr std::size_t census_at_once = 2000;  // records: readings are not kept waiting

class IngestPart final : public part::Part {
  public:
    IngestPart(
        std::unique_ptr<Streams> streams,
        std::unique_ptr<ingest::Ingest> ingest,
        std::unique_ptr<stream::Census> census
    )
        : streams_{std::move(streams)}, ingest_{std::move(ingest)}, census_{std::move(census)} {}

    [[nodiscard]] std::string_view name() const override { return "ingest"; }

    Outcome<bool> step() override {
        auto stepped = ingest_->step();
        if (!stepped || census_ == nullptr) return stepped;
        auto more = census_->step(census_at_once);
        if (!more) return more;
        return *stepped || *more;
    }

    void wait(std::int64_t timeout_us) override { ingest_->wait(timeout_us); }

    std::string metrics() override {
        if (census_ != nullptr) census_->tell(ingest_->metrics());
        return ingest_->metrics().render() + streams_->metrics.render();
    }

  private:
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<ingest::Ingest> ingest_;
    std::unique_ptr<stream::Census> census_;  // none where the site's log is on another machine
};

}  // namespace

Made make_ingest(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    ingest::Options options;
    options.file = layout.path("ingest/ingest.db");
    options.assets = config.assets;
    options.rows_max = config.ingest_max_rows;
    options.upload_url = config.ingest_upload_url.empty() ? layout.datasets_url() + "/upload"
                                                          : config.ingest_upload_url;
    options.ca_file = layout.pki("ca.pem");
    options.certificate_file = layout.pki("ingest.pem");
    options.key_file = layout.pki("ingest.key");
    options.mqtt = layout.mqtt("ingest");
    options.data_topic = config.topics.data;
    options.control_topic = config.topics.control;
    if (auto done = doors.disk.make_directories(layout.path("ingest")); !done)
        return std::unexpected(done.error());
    auto streams = make_streams(doors, config, "ingest.stream", config.ingest_stream);
    if (!streams) return std::unexpected(streams.error());
    auto made = ingest::Ingest::make(doors, *(*streams)->inner, std::move(options));
    if (!made) return std::unexpected(made.error());
    std::unique_ptr<stream::Census> census;
    const bool log_is_here = doors.disk.exists(layout.log_directory() + "/readers");
    if ((*streams)->kafka == nullptr || log_is_here) {
        auto opened = stream::Census::open(doors.disk, layout.log_directory());
        if (!opened) return std::unexpected(opened.error());
        census = std::move(*opened);
    }
    return std::make_unique<IngestPart>(std::move(*streams), std::move(*made), std::move(census));
}

}  // namespace stator::parts
