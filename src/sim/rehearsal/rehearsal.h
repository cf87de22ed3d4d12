// A Rehearsal is the whole site in one process and one thread, on virtual time: the same Parts, the
// same story, every door simulated.
//
// All of a run follows from its seed; its trace (what every service said, every request, every
// stored record) is the same text each time. The broker is simulated and asks the gate's own class.
#pragma once

#include <cstdint>
#include <string>

namespace stator::rehearsal {

struct Options {
    std::uint64_t seed = 7;
    std::string trace_file;  // empty: none is written
    bool break_motor = true;
    bool change_load = true;
    bool block_backup = false;
    bool flip_model_byte = false;  // of every model that is fetched at the new load
    std::string fault_kind;        // "imbalance": else it follows from the seed
    std::string sensor_fault;      // "vibration=stuck": from the first calm readings on
    double seconds = 0;            // of virtual time; 0: until the story ends
};

struct Outcome {
    bool closed = false;
    std::string failure;  // why the story did not close; or what broke
    std::string report;
    std::string trace;
    std::string trace_sha256;
    double virtual_s = 0;
    std::uint64_t readings = 0;
    std::uint64_t actions = 0;  // times that the valve was opened
    std::uint64_t trainings = 0;
    std::string device_model;  // what level 1 runs at the end
    std::uint64_t device_release = 0;
};

[[nodiscard]] Outcome rehearse(const Options& options);

// For `stator sim`: prints the report and `trace hash`; 0 when the loop closed.
[[nodiscard]] int run(const Options& options);

}  // namespace stator::rehearsal
