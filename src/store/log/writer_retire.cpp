#include "store/log/writer_state.h"

namespace stator::log {

Outcome<void> RetirePlan::run(disk::Disk& disk) {
    for (auto& [log_class, part] : parts_) {
        auto done = part.run(disk);
        // The reserve has no space: it is made ready when there is.
        if (!done && done.error().fault != base::Fault::full) return done;
    }
    return {};
}

Outcome<std::optional<RetirePlan>> Writer::begin_retire() {
    State& s = *state_;
    if (!s.broken.empty()) return fail(base::Fault::io, s.broken);
    if (auto done = s.read_places(); !done) return std::unexpected(done.error());
    if (s.disk_full) {
        const auto free = s.disk.free_bytes(s.directory);
        if (!free) return std::unexpected(free.error());
        s.disk_full = *free < s.of(Class::telemetry).budget().segment_bytes;
    }
    RetirePlan plan;
    for (std::size_t i = 0; i < class_count; ++i) {
        const auto c = static_cast<Class>(i);
        ClassWriter& log = s.classes[i];
        const bool squeezed = s.disk_full && !log.budget().reserved;
        if (auto part = log.begin_retirement(s.pins[i].position, squeezed))
            plan.parts_.emplace_back(c, std::move(*part));
        s.update_hold(c);
    }
    if (plan.parts_.empty()) return std::nullopt;
    return plan;
}

Outcome<void> Writer::finish_retire(const RetirePlan& plan, const Outcome<void>& result) {
    State& s = *state_;
    for (const auto& [log_class, part] : plan.parts_) {
        ClassWriter& log = s.of(log_class);
        log.finish(part);
        if (log.unsure()) s.broken = s.unsure_text(log_class);
        s.publish(log_class, Word::first, log.first());
        s.update_hold(log_class);
    }
    return result;
}

Outcome<void> Writer::retire() {
    auto plan = begin_retire();
    if (!plan) return std::unexpected(plan.error());
    if (!*plan) return {};
    const auto result = (*plan)->run(state_->disk);
    return finish_retire(**plan, result);
}

}  // namespace stator::log
