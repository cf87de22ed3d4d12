// Commands is the command line: one function a group of sub-commands, which adds them to the
// program.
//
// A sub-command that was chosen sets `chosen`; main() runs it after parsing. Every one takes
// --state, but tinyml, which needs no site.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace stator::commands {

struct Chosen {
    std::string state_dir;  // absolute
    std::function<int()> run;
};

void add_site(CLI::App& program, Chosen& chosen);      // init, up, demo, sim, token
void add_services(CLI::App& program, Chosen& chosen);  // registry, ingest, learn, level2, ...
void add_adopt(CLI::App& program, Chosen& chosen);     // adopt
void add_devices(CLI::App& program, Chosen& chosen);   // device add|list|activate|revoke|code
void add_flash(CLI::App& device, Chosen& chosen);      // device flash
void add_firmware(CLI::App& program, Chosen& chosen);  // firmware pack
void add_tasks(CLI::App& program, Chosen& chosen);     // extract, drift, train, quantise
void add_status(CLI::App& program, Chosen& chosen);    // status
void add_log(CLI::App& program, Chosen& chosen);       // log ls, tail, verify, offsets
void add_tinyml(CLI::App& program, Chosen& chosen);    // tinyml info, check, run, bench

}  // namespace stator::commands
