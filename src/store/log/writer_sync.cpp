#include "store/log/writer_state.h"

#include <algorithm>

namespace stator::log {

Outcome<void> SyncPlan::run(disk::Disk& disk) const {
    for (const std::string& path : files_) {
        auto file = disk.open(path, disk::Mode::write);
        if (!file) return std::unexpected(file.error());
        if (auto done = (*file)->sync(); !done) return done;
    }
    for (const std::string& directory : directories_) {
        if (auto done = disk.sync_directory(directory); !done) return done;
    }
    return {};
}

Outcome<void> Writer::hand_over() {
    if (!state_->broken.empty()) return fail(base::Fault::io, state_->broken);
    for (std::size_t i = 0; i < class_count; ++i)
        if (auto done = state_->hand_over(static_cast<Class>(i)); !done) return done;
    return {};
}

bool Writer::gathered() const {
    return std::ranges::any_of(state_->classes, [](const ClassWriter& log) {
        return log.readable() != log.end();
    });
}

bool Writer::broken() const {
    return !state_->broken.empty();
}

std::optional<SyncPlan> Writer::begin_sync() {
    State& s = *state_;
    if (s.sync_running || !s.unsynced || !hand_over()) return std::nullopt;
    SyncPlan plan;
    for (std::size_t i = 0; i < class_count; ++i) {
        s.classes[i].add_to(plan.files_, plan.directories_);
        plan.ends_[i] = s.classes[i].end();
    }
    plan.ordinal_ = s.next_ordinal;
    for (auto* entry : s.unsynced_marks) {
        plan.marks_.emplace_back(entry->first, entry->second.appended);
        entry->second.unsynced = false;
    }
    s.unsynced_marks.clear();
    s.unsynced = false;
    s.sync_running = true;
    return plan;
}

Outcome<void> Writer::finish_sync(const SyncPlan& plan, const Outcome<void>& result) {
    State& s = *state_;
    s.sync_running = false;
    if (!s.broken.empty()) return fail(base::Fault::io, s.broken);
    if (!result) {
        s.broken = s.directory + ": a sync failed, the log must be opened again (" +
                   result.error().what + ")";
        return std::unexpected(result.error());
    }
    for (std::size_t i = 0; i < class_count; ++i) {
        s.classes[i].set_synced(plan.ends_[i]);
        s.publish(static_cast<Class>(i), Word::synced, plan.ends_[i]);
    }
    s.synced_ordinal = plan.ordinal_;
    for (const auto& [sender, mark] : plan.marks_)
        s.synced_marks[sender] = mark;
    return {};
}

Outcome<void> Writer::sync() {
    const auto plan = begin_sync();
    if (!plan) {
        if (!state_->broken.empty()) return fail(base::Fault::io, state_->broken);
        return {};
    }
    return finish_sync(*plan, plan->run(state_->disk));
}

}  // namespace stator::log
