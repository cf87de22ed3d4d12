// Steps is the story of the loop, read off the stream: which of the seven steps has happened, when,
// and what was measured.
//
// It is a fold over records and verdicts and asks nobody anything, so that a page that was opened
// late, or a console that was restarted, tells the same story from the same log. Duplicates of a
// record change nothing that counts.
#pragma once

#include "shared/wire/topics.h"
#include "store/log/record.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace stator::console {

inline constexpr std::size_t step_count = 8;  // 0, the site itself, to 7

struct Step {
    std::string title;
    bool done = false;
    std::int64_t at_unix_ms = 0;
    std::int64_t took_ms = 0;  // since the step before
    std::string measured;
};

struct Happening {
    std::string kind;  // fault, alarm, action, effect, repair, verdict, model, drift, note
    std::int64_t at_unix_ms = 0;
    std::string text;
};

struct RunningModel {
    std::string name;
    std::uint64_t release = 0;
    std::string state;
};

class Steps {
  public:
    // `device`: the asset's; others' records do not count. The site exists since `site_unix_ms`.
    // `level2`: the client id of the level-2 service. What was received before `site_unix_ms` is
    // not part of this story.
    Steps(
        std::string device,
        std::string level2,
        const wire::Topics& topics,
        std::int64_t site_unix_ms,
        std::string site_measured
    );

    void on_record(const log::Record& record);
    void on_verdict(const std::string& verdict, const std::string& note, std::int64_t unix_ms);
    void on_note(const std::string& kind, const std::string& text, std::int64_t unix_ms);

    [[nodiscard]] const std::array<Step, step_count>& steps() const { return steps_; }

    [[nodiscard]] const std::deque<Happening>& events() const { return events_; }

    // Since the last quiet: fault -> alarm -> action -> effect.
    [[nodiscard]] const std::vector<Happening>& timeline() const { return timeline_; }

    [[nodiscard]] const std::map<int, RunningModel>& models() const { return models_; }

    [[nodiscard]] bool alarm_active() const { return alarm_active_; }

    [[nodiscard]] std::uint64_t readings() const { return readings_; }

    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }

    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }

    [[nodiscard]] std::uint64_t false_alarms_stopped_after_ms() const { return quiet_after_ms_; }

    [[nodiscard]] std::uint64_t readings_since_model() const { return readings_since_model_; }

    // One word of what the actuation came to: "", "acting", "confirmed", "not-observed", "refused".
    [[nodiscard]] const std::string& action() const { return action_; }

  private:
    void finish(std::size_t step, std::int64_t unix_ms, std::string measured);
    void tell(const std::string& kind, std::int64_t unix_ms, const std::string& text, bool line);
    void on_telemetry(const log::Record& record);
    void on_level1(const log::Record& record);
    void on_level2(const log::Record& record);
    void on_control(const log::Record& record);
    void on_event(const log::Record& record);
    void on_model_event(const log::Record& record, const std::string& text);
    void on_action_event(const log::Record& record, const std::string& text);
    void maybe_finish_6(std::int64_t unix_ms);
    void maybe_finish_7(std::int64_t unix_ms);

    std::string device_;
    std::string level2_;
    wire::Topics topics_;
    std::int64_t start_unix_ms_ = 0;
    std::array<Step, step_count> steps_;
    std::deque<Happening> events_;                   // newest first, bounded
    std::vector<Happening> timeline_;                // bounded
    std::map<int, RunningModel> models_;             // by level
    std::map<std::string, std::uint64_t> last_seq_;  // device/boot -> seq

    std::uint64_t readings_ = 0;
    std::uint64_t duplicates_ = 0;
    std::uint64_t gaps_ = 0;
    std::uint64_t readings_since_model_ = 0;
    std::uint64_t quiet_readings_ = 0;
    std::uint64_t quiet_after_ms_ = 0;
    bool alarm_active_ = false;
    bool alarm2_active_ = false;
    std::int64_t alarm_unix_ms_ = 0;
    std::int64_t alarm2_unix_ms_ = 0;
    std::int64_t effect_unix_ms_ = 0;
    double effect_flow_l_per_min_ = 0;
    std::string action_;
    std::int64_t false_verdict_unix_ms_ = 0;
    std::int64_t drift_unix_ms_ = 0;
    std::int64_t second_model_unix_ms_ = 0;
    bool false_alarms_stopped_ = false;
};

}  // namespace stator::console
