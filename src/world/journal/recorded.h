// RecordedJournal keeps every line: the trace of a simulated run, and what a test asks about.
//
// With a clock each line carries virtual time, so two runs of one seed have the same text().
#pragma once

#include "world/clock/clock.h"
#include "world/journal/journal.h"

#include <string>
#include <vector>

namespace stator::journal {

struct Line {
    std::int64_t monotonic_us = 0;
    Level level = Level::info;
    std::string tag;
    std::string text;
};

class RecordedJournal final : public Journal {
  public:
    RecordedJournal() = default;

    explicit RecordedJournal(clock::Clock& clock) : clock_{&clock} {}

    void say(Level level, std::string_view tag, std::string_view text) override;

    [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }

    // Is there a line whose text holds `part`?
    [[nodiscard]] bool told(std::string_view part) const;
    // All lines: "<seconds> <level> <tag>: <text>\n".
    [[nodiscard]] std::string text() const;

  private:
    clock::Clock* clock_ = nullptr;  // not owned; null: no times
    std::vector<Line> lines_;
};

}  // namespace stator::journal
