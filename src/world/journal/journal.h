// The Journal is the door through which a service tells people what it does.
//
// The real one writes a line to standard error; the simulated one is the trace of a run. `tag` is
// the module's noun. Say what happened, to which file, key or device, and what to do about it.
#pragma once

#include <cstdint>
#include <string_view>

namespace stator::journal {

enum class Level : std::uint8_t { debug, info, warning, error };

class Journal {
  public:
    virtual ~Journal() = default;
    virtual void say(Level level, std::string_view tag, std::string_view text) = 0;

    void info(std::string_view tag, std::string_view text) { say(Level::info, tag, text); }

    void warn(std::string_view tag, std::string_view text) { say(Level::warning, tag, text); }

    void error(std::string_view tag, std::string_view text) { say(Level::error, tag, text); }
};

}  // namespace stator::journal
