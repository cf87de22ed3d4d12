#include "learn/evaluate/evaluate.h"

#include "shared/tinyml/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace stator::evaluate {

namespace {

using runs::Row;

struct Score {
    Replay fresh;
    Replay kept;
    std::vector<Replay> faults;

    [[nodiscard]] std::size_t false_alarms() const {
        return fresh.raised.size() + kept.raised.size();
    }

    [[nodiscard]] std::size_t found() const {
        return static_cast<std::size_t>(std::ranges::count_if(faults, [](const Replay& fault) {
            return !fault.raised.empty();
        }));
    }
};

Outcome<Score> score(const Contender& contender, const Evidence& evidence) {
    Score made;
    auto fresh = replay(contender.manifest, contender.tflite, evidence.fresh);
    if (!fresh) return std::unexpected(fresh.error());
    made.fresh = std::move(*fresh);
    auto kept = replay(contender.manifest, contender.tflite, evidence.kept);
    if (!kept) return std::unexpected(kept.error());
    made.kept = std::move(*kept);
    for (const auto& rows : evidence.faults) {
        auto fault = replay(contender.manifest, contender.tflite, rows);
        if (!fault) return std::unexpected(fault.error());
        made.faults.push_back(std::move(*fault));
    }
    return made;
}

std::string found_text(const Replay& fault) {
    return fault.raised.empty() ? "missed" : fmt::format("after {} rows", fault.raised.front());
}

struct Change {
    std::size_t added = 0;
    std::size_t removed = 0;
    std::size_t earlier = 0;
    std::size_t later = 0;
};

Change change_of(const Score& old, const Score& now) {
    Change made;
    const auto count = [&](const Replay& before, const Replay& after) {
        const std::size_t a = before.raised.size();
        const std::size_t b = after.raised.size();
        made.added += b > a ? b - a : 0;
        made.removed += a > b ? a - b : 0;
    };
    count(old.fresh, now.fresh);
    count(old.kept, now.kept);
    for (std::size_t i = 0; i < old.faults.size(); ++i) {
        const auto& before = old.faults[i].raised;
        const auto& after = now.faults[i].raised;
        made.added += before.empty() && !after.empty() ? 1 : 0;
        made.removed += !before.empty() && after.empty() ? 1 : 0;
        if (before.empty() || after.empty()) continue;
        made.earlier += after.front() < before.front() ? 1 : 0;
        made.later += after.front() > before.front() ? 1 : 0;
    }
    return made;
}

std::string table(
    const Contender* champion, const Score* old, const Score& now, const Evidence& evidence
) {
    const auto line =
        [&](std::string_view what, auto rows, std::string_view before, std::string_view after) {
            return fmt::format("{:<34}{:>8}{:>20}{:>20}\n", what, rows, before, after);
        };
    const auto alarms = [](const Replay& it) {
        return fmt::format("{} alarms, max {:.2f}", it.raised.size(), it.worst);
    };
    std::string text = line(
        "of the rows nobody trained on",
        "rows",
        champion != nullptr ? "champion" : "(none)",
        "challenger"
    );
    text += line(
        "healthy, as it is now",
        evidence.fresh.size(),
        old != nullptr ? alarms(old->fresh) : "-",
        alarms(now.fresh)
    );
    if (!evidence.kept.empty())
        text += line(
            "healthy, before",
            evidence.kept.size(),
            old != nullptr ? alarms(old->kept) : "-",
            alarms(now.kept)
        );
    for (std::size_t i = 0; i < evidence.faults.size(); ++i)
        text += line(
            fmt::format("confirmed fault {}", i + 1),
            evidence.faults[i].size(),
            old != nullptr ? found_text(old->faults[i]) : "-",
            found_text(now.faults[i])
        );
    return text;
}

// The reasons against the challenger; empty: it is better.
std::string objections(const Score& old, const Score& now) {
    std::string text;
    if (now.found() < old.found())
        text +=
            fmt::format(" it misses {} faults that are found today;", old.found() - now.found());
    if (now.false_alarms() > old.false_alarms())
        text += fmt::format(" it adds {} false alarms;", now.false_alarms() - old.false_alarms());
    const bool better = now.false_alarms() < old.false_alarms() || now.found() > old.found();
    const bool calmer =
        now.fresh.rows_in_alarm < old.fresh.rows_in_alarm || now.fresh.worst <= old.fresh.worst;
    if (text.empty() && !better && !calmer) text = " it changes nothing for the better;";
    if (!text.empty()) text.pop_back();
    return text;
}

}  // namespace

Outcome<Replay> replay(
    const bundle::Manifest& manifest, const std::string& tflite, const std::vector<Row>& rows
) {
    const auto bytes = std::as_bytes(std::span{tflite});
    std::vector<std::byte> arena(manifest.arena_bytes);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(bytes, arena, reason);
    if (!model)
        return fail(
            base::Fault::corrupt, fmt::format("{}: {}", manifest.name.view(), reason.view())
        );
    Replay made;
    detect::State state;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].features.size() != manifest.fold.feature_count)
            return fail(base::Fault::bad_input, "rows of another set of features");
        const detect::Verdict verdict =
            detect::step(state, rows[i].features, manifest.fold, *model);
        if (verdict.raised) made.raised.push_back(i);
        if (verdict.alarm) ++made.rows_in_alarm;
        made.worst = std::max(made.worst, static_cast<double>(verdict.value));
    }
    return made;
}

std::vector<std::vector<Row>> stretches(const std::vector<Row>& rows) {
    // A pause far above the usual step begins a new stretch.
    constexpr std::int64_t steps_max = 20;
    std::vector<std::vector<Row>> made;
    if (rows.empty()) return made;
    std::vector<std::int64_t> steps;
    for (std::size_t i = 1; i < rows.size(); ++i)
        steps.push_back(rows[i].time_unix_ms - rows[i - 1].time_unix_ms);
    std::ranges::sort(steps);
    const std::int64_t usual =
        steps.empty() ? 1 : std::max<std::int64_t>(steps[steps.size() / 2], 1);
    made.emplace_back();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i > 0 && rows[i].time_unix_ms - rows[i - 1].time_unix_ms > steps_max * usual)
            made.emplace_back();
        made.back().push_back(rows[i]);
    }
    return made;
}

Outcome<Judgement> judge(
    const Contender* champion, const Contender& challenger, const Evidence& evidence
) {
    auto now = score(challenger, evidence);
    if (!now) return std::unexpected(now.error());
    Judgement made;
    if (champion == nullptr) {
        made.promote = now->false_alarms() == 0;
        made.text = fmt::format(
            "{} (level {}, commissioning)\n{}{}\n",
            challenger.name,
            challenger.manifest.level,
            table(nullptr, nullptr, *now, evidence),
            made.promote ? "promoted: quiet on healthy rows it has not seen"
                         : "not promoted: it raises alarms on healthy rows it has not seen"
        );
        return made;
    }
    auto old = score(*champion, evidence);
    if (!old) return std::unexpected(old.error());
    const Change change = change_of(*old, *now);
    const std::string against = objections(*old, *now);
    made.promote = against.empty();
    made.text = fmt::format(
        "{} against {} (level {})\n{}alarms added {}, removed {}, earlier {}, later {}\n{}{}\n",
        challenger.name,
        champion->name,
        challenger.manifest.level,
        table(champion, &*old, *now, evidence),
        change.added,
        change.removed,
        change.earlier,
        change.later,
        made.promote ? "promoted: no fault is missed, no false alarm is added" : "not promoted:",
        against
    );
    return made;
}

}  // namespace stator::evaluate
