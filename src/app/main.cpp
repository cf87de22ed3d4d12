// The program: one binary, a sub-command a process or task.
#include "app/commands/commands.h"
#include "world/process/self.h"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    using namespace stator;
    try {
        CLI::App program{
            "Stator watches a machine, learns what is normal for it, says when that ends, acts, "
            "and "
            "learns again.",
            "stator"
        };
        const std::string version = std::string{"stator "} + STATOR_VERSION;
        program.set_version_flag("--version", version);
        program.require_subcommand(1);
        program.fallthrough(false);
        commands::Chosen chosen;
        chosen.state_dir = process::working_directory() + "/state";
        commands::add_site(program, chosen);
        commands::add_services(program, chosen);
        commands::add_adopt(program, chosen);
        commands::add_devices(program, chosen);
        commands::add_tasks(program, chosen);
        commands::add_status(program, chosen);
        commands::add_log(program, chosen);
        commands::add_tinyml(program, chosen);
        commands::add_firmware(program, chosen);
        for (CLI::App* command : program.get_subcommands({}))
            command->set_version_flag("--version", version);
        CLI11_PARSE(program, argc, argv);
        if (!chosen.state_dir.starts_with("/"))
            chosen.state_dir = process::working_directory() + "/" + chosen.state_dir;
        return chosen.run ? chosen.run() : 0;
    } catch (const std::exception& error) {
        std::cerr << "stator: " << error.what() << '\n';
        return 1;
    }
}
