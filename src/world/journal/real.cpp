#include "world/journal/real.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <utility>

namespace stator::journal {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

}  // namespace

struct RealJournal::Logger {
    spdlog::logger logger;
};

RealJournal::RealJournal(Level lowest)
    : logger_{std::make_unique<Logger>(
          Logger{spdlog::logger{"stator", std::make_shared<spdlog::sinks::stderr_color_sink_st>()}}
      )} {
    logger_->logger.set_level(to_spdlog(lowest));
    logger_->logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
}

RealJournal::~RealJournal() = default;

void RealJournal::say(Level level, std::string_view tag, std::string_view text) {
    // spdlog catches what its sinks throw and says so on standard error itself.
    logger_->logger.log(to_spdlog(level), "{}: {}", tag, one_line(text));
}

std::string one_line(std::string_view text) {
    std::string line;
    line.reserve(text.size());
    for (const char c : text) {
        if (c == '\n') {
            line += "\\n";
        } else if (c == '\t') {
            line += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            line += c;
        }
    }
    return line;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
    }
    return "unknown";
}

}  // namespace stator::journal
