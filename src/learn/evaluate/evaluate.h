// Evaluate answers "what will this change for me?": rows that no model was trained on, replayed.
//
// Champion and challenger run through the device's own code, bit by bit. Healthy rows should raise
// nothing; rows of a fault that a person confirmed should raise one alarm, soon.
#pragma once

#include "shared/bundle/manifest.h"
#include "store/runs/runs.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <string>
#include <vector>

namespace stator::evaluate {

struct Replay {
    std::vector<std::size_t> raised;  // row numbers
    double worst = 0;                 // largest value
    std::size_t rows_in_alarm = 0;
};

// From an empty state.
[[nodiscard]] Outcome<Replay> replay(
    const bundle::Manifest& manifest, const std::string& tflite, const std::vector<runs::Row>& rows
);

struct Evidence {
    std::vector<runs::Row> fresh;  // held out of the fresh rows: the machine as it is now
    std::vector<runs::Row> kept;   // healthy rows of before
    std::vector<std::vector<runs::Row>> faults;  // one stretch an alarm that was called true
};

// Rows further apart than this belong to different stretches.
[[nodiscard]] std::vector<std::vector<runs::Row>> stretches(const std::vector<runs::Row>& rows);

struct Contender {
    std::string name;
    bundle::Manifest manifest;
    std::string tflite;
};

struct Judgement {
    bool promote = false;
    std::string text;  // the table and the reasons
};

// `champion` null: commissioning, the challenger must only be quiet on healthy rows.
[[nodiscard]] Outcome<Judgement> judge(
    const Contender* champion, const Contender& challenger, const Evidence& evidence
);

}  // namespace stator::evaluate
