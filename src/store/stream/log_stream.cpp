#include "store/stream/log_stream.h"

#include "store/log/reader.h"

namespace stator::stream {
namespace {

class LogSource final : public Source {
  public:
    explicit LogSource(std::unique_ptr<log::Reader> reader) : reader_{std::move(reader)} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        return reader_->take(records_max);
    }

    Outcome<void> commit(log::Offset next) override { return reader_->commit(next); }

    void wait(std::int64_t timeout_us) override { reader_->wait(timeout_us); }

    std::uint64_t missed_bytes() override { return reader_->missed_bytes(); }

  private:
    std::unique_ptr<log::Reader> reader_;
};

}  // namespace

Outcome<std::unique_ptr<Source>> LogStream::open(
    log::Class log_class, const ReaderOptions& options
) {
    const log::ReadFrom from{options.name, options.required, options.start == Start::latest};
    auto reader = log::Reader::open(disk_, directory_, log_class, from);
    if (!reader) return std::unexpected(reader.error());
    return std::make_unique<LogSource>(std::move(*reader));
}

}  // namespace stator::stream
