#include "store/stream/sequences.h"

#include "shared/wire/messages.h"

#include <algorithm>

namespace stator::stream {

namespace {

class OnceSource final : public Source {
  public:
    OnceSource(std::unique_ptr<Source> inner, metrics::Metrics& metrics, std::string labels)
        : inner_{std::move(inner)}, metrics_{metrics}, labels_{std::move(labels)} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        auto records = inner_->take(records_max);
        if (!records || records->empty()) return records;
        const Sequences::Counts before = sequences_.counts();
        const log::Offset next = records->back().next;
        std::erase_if(*records, [&](const log::Record& one) { return !sequences_.accept(one); });
        const Sequences::Counts& now = sequences_.counts();
        tell("stator_stream_duplicates_total", now.duplicates - before.duplicates);
        tell("stator_stream_late_total", now.late - before.late);
        tell("stator_stream_seq_not_in_class_total", now.not_in_class - before.not_in_class);
        tell("stator_stream_unwatched_total", now.unwatched - before.unwatched);
        // Who commits after the last that it was given has done with those behind it, too.
        if (!records->empty()) records->back().next = next;
        return records;
    }

    Outcome<void> commit(log::Offset next) override { return inner_->commit(next); }

    void wait(std::int64_t timeout_us) override { inner_->wait(timeout_us); }

    std::uint64_t missed_bytes() override { return inner_->missed_bytes(); }

  private:
    void tell(std::string_view name, std::uint64_t by) {
        if (by != 0) metrics_.add(name, static_cast<double>(by), labels_);
    }

    std::unique_ptr<Source> inner_;
    metrics::Metrics& metrics_;
    std::string labels_;
    Sequences sequences_;
};

}  // namespace

bool Sequences::accept(const log::Record& record) {
    const auto head = wire::decode_head(record.payload);
    if (!head || !head->seq) {
        ++counts_.fresh;
        return true;
    }
    std::string speaker = record.topic + '\n' + record.sender + '\n';
    speaker += head->device.view();
    auto found = speakers_.find(speaker);
    if (found == speakers_.end()) {
        if (speakers_.size() >= speakers_max) {
            ++counts_.unwatched;
            ++counts_.fresh;
            return true;
        }
        found = speakers_.emplace(std::move(speaker), Numbers{}).first;
    }
    const Numbers::Taken taken = found->second.take(head->boot.value_or(0), *head->seq);
    counts_.not_in_class += taken.jumped;
    if (taken.came == Numbers::Came::again) {
        ++counts_.duplicates;
        return false;
    }
    ++counts_.fresh;
    if (taken.came == Numbers::Came::late) ++counts_.late;
    return true;
}

Outcome<std::unique_ptr<Source>> OnceStream::open(
    log::Class log_class, const ReaderOptions& options
) {
    auto source = inner_.open(log_class, options);
    if (!source) return source;
    std::string labels = metrics::label("reader", options.name) + "," +
                         metrics::label("class", log::name_of(log_class));
    return std::make_unique<OnceSource>(std::move(*source), metrics_, std::move(labels));
}

}  // namespace stator::stream
