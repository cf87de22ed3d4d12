#include "app/parts/machine.h"
#include "sim/recording/recording.h"
#include "sim/score/score.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <vector>

namespace stator::parts {

using nlohmann::json;

namespace {

class RecordedMachine final : public Machine {
  public:
    RecordedMachine(recording::Recording recording, std::size_t baseline_rows)
        : recording_{std::move(recording)}, baseline_rows_{baseline_rows} {}

    hal::Adc& adc() override { return recording_; }

    hal::Actuators& actuators() override { return recording_; }

    // A row is one reading: the next comes when the node has judged this one.
    void advance(std::int64_t /*monotonic_us*/, const node::Status& status) override {
        if (status.readings == readings_ || done_) return;
        readings_ = status.readings;
        alarms_.push_back(status.alarm);
        judged_ += status.release != 0 ? 1U : 0U;
        done_ = !recording_.next_row();
    }

    http::Response handle(const http::Request& request) override {
        if (request.path != "/recording") return http::problem(404, "Not found", request.path);
        json answer{
            {"rows", recording_.rows()}, {"row", alarms_.size()}, {"done", done_}, {"report", ""}
        };
        if (done_) answer["report"] = report();
        http::Response response;
        response.headers["Content-Type"] = "application/json";
        response.body = answer.dump();
        return response;
    }

  private:
    [[nodiscard]] std::string report() const;

    recording::Recording recording_;
    std::size_t baseline_rows_;
    std::uint64_t readings_ = 0;
    std::size_t judged_ = 0;
    std::vector<bool> alarms_;
    bool done_ = false;
};

std::string RecordedMachine::report() const {
    std::string text = fmt::format(
        "rows {}, baseline {}, judged by a model {}\n", alarms_.size(), baseline_rows_, judged_
    );
    if (recording_.labels().size() != alarms_.size())
        return text + "The recording has no labels: nothing to judge by.\n";
    const score::Score it = score::judge(alarms_, recording_.labels(), baseline_rows_);
    text += "Judged by the labels (rows before the model ran count as no alarm):\n";
    text += fmt::format("  false alarm events   {}\n", it.false_alarm_events);
    text += !it.labelled ? "  fault                none is labelled\n"
            : it.detected
                ? fmt::format("  fault                found, delay {} rows\n", *it.delay_rows)
                : "  fault                MISSED, delay -\n";
    text += fmt::format(
        "  F1                   {:.3f}\n  false-alarm rate     {:.1f} %\n"
        "  missed-alarm rate    {:.1f} %\n",
        it.counts.f1(),
        it.counts.false_alarm_rate_percent(),
        it.counts.missed_alarm_rate_percent()
    );
    return text;
}

}  // namespace

Outcome<std::unique_ptr<Machine>> make_recorded_machine(
    disk::Disk& disk, const std::string& file, const std::string& map, std::size_t baseline_rows
) {
    auto recording = recording::Recording::open(disk, file, map);
    if (!recording) return std::unexpected(recording.error());
    return std::make_unique<RecordedMachine>(std::move(*recording), baseline_rows);
}

}  // namespace stator::parts
