#include "app/commands/opened.h"

#include "app/site/prepare.h"
#include "world/process/self.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace stator::commands {

int tell(const Error& error) {
    fmt::print(stderr, "stator: {}\n", error.what);
    return 1;
}

Outcome<config::Config> open_config(
    real::Real& real, const std::string& state_dir, const std::string& component
) {
    if (!real.disk.exists(state_dir + "/stator.toml"))
        return fail(
            base::Fault::not_found,
            "there is no site in " + state_dir + ": run `stator init`, or name one with --state"
        );
    return site::load(real.disk, state_dir, process::environment(), component);
}

void add_state(CLI::App& command, Chosen& chosen) {
    command.add_option("--state", chosen.state_dir, "The site's directory (default ./state)");
}

}  // namespace stator::commands
