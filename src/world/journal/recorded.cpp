#include "world/journal/recorded.h"

#include "world/journal/real.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::journal {

void RecordedJournal::say(Level level, std::string_view tag, std::string_view text) {
    lines_.push_back(
        {clock_ != nullptr ? clock_->monotonic_us() : 0, level, std::string{tag}, one_line(text)}
    );
}

bool RecordedJournal::told(std::string_view part) const {
    return std::ranges::any_of(lines_, [&](const Line& line) {
        return line.text.find(part) != std::string::npos;
    });
}

std::string RecordedJournal::text() const {
    std::string all;
    for (const Line& line : lines_) {
        all += fmt::format(
            "{}.{:06} {} {}: {}\n",
            line.monotonic_us / 1'000'000,
            line.monotonic_us % 1'000'000,
            name_of(line.level),
            line.tag,
            line.text
        );
    }
    return all;
}

}  // namespace stator::journal
