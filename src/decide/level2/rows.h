// Rows are the readings of one poll, judged together: devices side by side in a batch, each one's
// readings one after the other, for what a reading does to its device's fold is part of the next
// one's input. The same bits as one by one.
#pragma once

#include "decide/level2/models.h"
#include "shared/asset/asset.h"
#include "shared/judge/judge.h"

#include <cstddef>
#include <span>
#include <string>

namespace stator::level2 {

struct Row {
    std::string device;
    const asset::Asset* asset = nullptr;
    RunningModel* running = nullptr;
    judge::Memory* memory = nullptr;  // the device's
    judge::Reading reading;
    judge::Judgement made;  // by judge_rows()
};

// How many batches that were.
std::size_t judge_rows(std::span<Row> rows);

}  // namespace stator::level2
