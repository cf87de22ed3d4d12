// The Story is the demonstration's operator: it breaks and repairs the motor, changes its load,
// gives the verdicts, and tells what happens, until the loop has closed or a step has not come in
// time.
//
// It knows only what an operator's script could know: the console's /api/v1. What the motor's
// hidden fault was is revealed to it at the end, for the report. The same Story runs against real
// processes and in the simulation. step() asks the console at most every `poll_interval_us`.
#pragma once

#include "world/clock/clock.h"
#include "world/http/http.h"
#include "world/journal/journal.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stator::story {

enum class Chapter : std::uint8_t {
    commissioning,   // steps 1 to 5
    calm,            // a while with the first model and no fault
    fault,           // hidden fault grows; step 6
    repair,          // repaired; waiting for calm
    new_load,        // false alarms come
    learning_again,  // verdict given; waiting for the second model and for quiet
    old_fault,       // the same fault again; step 7
    reveal,
    done,
    failed,
};

struct Options {
    std::string console_url;  // "http://127.0.0.1:8080"
    std::string token;        // an operator's
    std::string device;
    std::int64_t poll_interval_us = 200'000;
    std::int64_t chapter_timeout_us = 60'000'000;
    std::uint64_t calm_readings = 60;
    bool break_motor = true;
    bool change_load = true;
    bool give_false_verdict = true;
    std::string fault_kind;  // empty: hidden, from the motor's seed
    double acceleration = 1.0;
};

class Story {
  public:
    Story(http::Http& http, clock::Clock& clock, journal::Journal& journal, Options options);

    bool step();

    [[nodiscard]] bool finished() const {
        return chapter_ == Chapter::done || chapter_ == Chapter::failed;
    }

    [[nodiscard]] bool closed() const { return chapter_ == Chapter::done; }

    [[nodiscard]] Chapter chapter() const { return chapter_; }

    // Why it ended without closing: the step that did not come, and what was waited for.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    // The last overview (JSON) and the motor's own account (JSON, after `reveal`).
    [[nodiscard]] const std::string& overview() const { return overview_; }

    [[nodiscard]] const std::string& revealed() const { return revealed_; }

  private:
    struct Facts {           // of an overview
        int steps_done = 0;  // 0..7 in a row
        std::uint64_t readings = 0;
        std::uint64_t readings_since_model = 0;
        bool alarm = false;
        std::string action;
        bool false_alarms_stopped = false;
        std::vector<std::int64_t> open_episodes;
        std::vector<std::string> step_lines;
    };

    [[nodiscard]] bool look(Facts& facts);
    [[nodiscard]] bool ask(const std::string& path, const std::string& body, std::string* answer);
    void enter(Chapter chapter, const std::string& told);
    void fail_at(int step, const std::string& waited_for);
    void tell_steps(const Facts& facts);
    void advance(const Facts& facts);
    void advance_fault(const Facts& facts);
    void advance_new_load(const Facts& facts);
    [[nodiscard]] bool give_verdicts(
        const Facts& facts, const std::string& verdict, const std::string& note
    );
    [[nodiscard]] int awaited_step() const;

    http::Http& http_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    Options options_;
    Chapter chapter_ = Chapter::commissioning;
    std::int64_t entered_us_ = 0;
    std::int64_t next_us_ = 0;
    std::uint64_t readings_at_entry_ = 0;
    int told_steps_ = 0;
    std::uint64_t calm_since_ = 0;
    std::string overview_;
    std::string revealed_;
    std::string failure_;
};

}  // namespace stator::story
