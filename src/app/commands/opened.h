// Opened is what every sub-command begins with: the site's configuration, and how an Error is told.
#pragma once

#include "app/commands/commands.h"
#include "app/config/config.h"
#include "app/real/real.h"

#include <string>

namespace stator::commands {

// Prints the sentence to standard error; returns the exit code.
int tell(const Error& error);

// `component`: whose names of the environment count, as config::read_environment() has it.
[[nodiscard]] Outcome<config::Config> open_config(
    real::Real& real, const std::string& state_dir, const std::string& component = {}
);

void add_state(CLI::App& command, Chosen& chosen);

}  // namespace stator::commands
