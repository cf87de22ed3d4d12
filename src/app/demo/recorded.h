// Recorded is the demonstration's other motor: one that was recorded, fed row by row.
#pragma once

#include "app/config/config.h"
#include "world/disk/disk.h"
#include "world/http/http.h"

#include <string>

namespace stator::demo {

// Makes the recording's machine the site's asset (it observes: nothing can be actuated), and its
// first 400 rows the baseline.
[[nodiscard]] Outcome<void> use_recording(
    disk::Disk& disk,
    const std::string& file,
    const std::string& map,
    double rows_per_s,
    config::Config& config
);

// True when every row was judged; then `report` says how well.
[[nodiscard]] bool recording_done(
    http::Http& http, const config::Config& config, std::string& report
);

}  // namespace stator::demo
