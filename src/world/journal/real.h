// RealJournal writes one line a message to standard error: time, level, tag, text.
//
// Control characters in the text are escaped: what a device says cannot forge a line.
#pragma once

#include "world/journal/journal.h"

#include <memory>
#include <string>

namespace stator::journal {

class RealJournal final : public Journal {
  public:
    explicit RealJournal(Level lowest = Level::info);
    ~RealJournal() override;
    RealJournal(const RealJournal&) = delete;
    RealJournal& operator=(const RealJournal&) = delete;
    void say(Level level, std::string_view tag, std::string_view text) override;

  private:
    struct Logger;

    std::unique_ptr<Logger> logger_;
};

// `text` on one line, with \n, \t and \xNN for control characters.
[[nodiscard]] std::string one_line(std::string_view text);
[[nodiscard]] std::string_view name_of(Level level);

}  // namespace stator::journal
