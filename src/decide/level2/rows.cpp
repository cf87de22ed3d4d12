#include "decide/level2/rows.h"

#include <map>
#include <vector>

namespace stator::level2 {

namespace {

void judge_together(RunningModel& running, const std::vector<Row*>& rows) {
    const judge::Model model = judge_of(running);
    const std::size_t width = model.fold.feature_count * model.fold.window_count;
    std::vector<detect::Pending> pending(rows.size());
    std::vector<float> inputs;
    inputs.reserve(rows.size() * width);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        judge::begin(*rows[i]->memory, rows[i]->reading, model, pending[i]);
        if (!pending[i].asks) continue;
        const auto input = std::span{pending[i].input}.first(width);
        inputs.insert(inputs.end(), input.begin(), input.end());
    }
    std::vector<float> values(inputs.size() / width);
    running.run(inputs, values);
    std::size_t next = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const float value = pending[i].asks ? values[next++] : 0.0F;
        Row& row = *rows[i];
        row.made = judge::finish(*row.memory, row.reading, *row.asset, model, pending[i], value);
    }
}

}  // namespace

std::size_t judge_rows(std::span<Row> rows) {
    std::map<const judge::Memory*, std::size_t> had;
    std::vector<std::map<RunningModel*, std::vector<Row*>>> waves;
    for (Row& row : rows) {
        const std::size_t wave = had[row.memory]++;
        if (wave == waves.size()) waves.emplace_back();
        waves[wave][row.running].push_back(&row);
    }
    std::size_t batches = 0;
    for (const auto& wave : waves) {
        for (const auto& [running, of_wave] : wave)
            judge_together(*running, of_wave);
        batches += wave.size();
    }
    return batches;
}

}  // namespace stator::level2
