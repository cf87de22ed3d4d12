#include "app/story/report.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace stator::story {

using nlohmann::json;

namespace {

struct Fault {
    std::string kind;
    std::int64_t onset_unix_ms = 0;
    std::int64_t failure_unix_ms = 0;  // when the motor is worn out, had nobody come
    std::int64_t end_unix_ms = 0;      // repaired, or now
};

struct Alarm {
    std::int64_t start_unix_ms = 0;
    std::string what;
};

struct Suspicion {  // of an alarm of level 2
    std::int64_t start_unix_ms = 0;
    std::string kind;
    std::string evidence;
};

struct Tally {
    std::size_t missed = 0;
    std::size_t false_events = 0;
    std::vector<std::string> lines;
};

std::vector<Fault> faults_of(const json& account) {
    std::vector<Fault> faults;
    if (!account.is_object() || !account.contains("faults")) return faults;
    for (const json& item : account["faults"])
        faults.push_back(
            {.kind = item.value("kind", ""),
             .onset_unix_ms = item.value("onset_unix_ms", 0LL),
             .failure_unix_ms = item.value("failure_unix_ms", 0LL),
             .end_unix_ms = item.value("end_unix_ms", 0LL)}
        );
    return faults;
}

double plant_s(std::int64_t duration_ms, double acceleration) {
    return static_cast<double>(duration_ms) / 1000.0 * acceleration;
}

Tally tally(
    const std::vector<Fault>& faults, const std::vector<Alarm>& alarms, double acceleration
) {
    Tally made;
    for (const Fault& fault : faults) {
        const auto hit = std::ranges::find_if(alarms, [&](const Alarm& alarm) {
            return alarm.start_unix_ms >= fault.onset_unix_ms &&
                   (fault.end_unix_ms == 0 || alarm.start_unix_ms <= fault.end_unix_ms);
        });
        if (hit == alarms.end()) {
            ++made.missed;
            made.lines.push_back(fmt::format("{}: MISSED", fault.kind));
        } else {
            made.lines.push_back(fmt::format(
                "{}: found {:.0f} s after its onset, {:.0f} s before failure (plant time)",
                fault.kind,
                plant_s(hit->start_unix_ms - fault.onset_unix_ms, acceleration),
                plant_s(fault.failure_unix_ms - hit->start_unix_ms, acceleration)
            ));
        }
    }
    for (const Alarm& alarm : alarms) {
        const bool in_fault = std::ranges::any_of(faults, [&](const Fault& fault) {
            return alarm.start_unix_ms >= fault.onset_unix_ms &&
                   (fault.end_unix_ms == 0 || alarm.start_unix_ms <= fault.end_unix_ms);
        });
        if (!in_fault) ++made.false_events;
    }
    return made;
}

// What was suspected while each fault lasted, beside what it was.
std::string suspicions(const std::vector<Fault>& faults, const json& view) {
    std::vector<Suspicion> all;
    for (const json& episode : view["episodes"])
        if (episode.value("level", 0) == 2 &&
            episode.value("device", "") == view["asset"].value("device", ""))
            all.push_back(
                {.start_unix_ms = episode.value("start_unix_ms", 0LL),
                 .kind = episode.value("suspected", ""),
                 .evidence = episode.value("evidence", "")}
            );
    std::ranges::sort(all, {}, &Suspicion::start_unix_ms);
    std::string text;
    for (const Fault& fault : faults) {
        std::string said;
        for (const Suspicion& it : all) {
            if (it.start_unix_ms < fault.onset_unix_ms ||
                (fault.end_unix_ms != 0 && it.start_unix_ms > fault.end_unix_ms))
                continue;
            const std::string_view how = it.kind == fault.kind                     ? "right"
                                         : it.kind.empty() || it.kind == "unclear" ? "not named"
                                                                                   : "WRONG";
            said += fmt::format(
                "{}{}{}: {}",
                said.empty() ? "" : "; ",
                it.kind.empty() ? "nothing" : it.kind,
                it.evidence.empty() ? "" : " (" + it.evidence + ")",
                how
            );
        }
        text += fmt::format(
            "    {}: suspected {}\n",
            fault.kind,
            said.empty() ? "nothing: no alarm of level 2" : said
        );
    }
    return text;
}

std::string peer(const std::string& name, const Tally& it) {
    std::string text = fmt::format(
        "  {:<28} missed faults {}, false alarm events {}\n", name, it.missed, it.false_events
    );
    for (const std::string& line : it.lines)
        text += "    " + line + "\n";
    return text;
}

}  // namespace

std::string report(
    const std::string& overview,
    const std::string& revealed,
    const std::string& failure,
    const Cost& cost
) {
    const json view = json::parse(overview, nullptr, false);
    const json account = json::parse(revealed, nullptr, false);
    std::string text = failure.empty() ? "THE LOOP CLOSED\n" : "THE LOOP DID NOT CLOSE\n";
    if (!failure.empty()) text += failure + "\n";
    if (!view.is_object()) return text + "the console could not be read\n";
    text += fmt::format("{}, {}\n\n", view["asset"].value("title", ""), view.value("badge", ""));
    const std::int64_t started = view["steps"][0].value("at_unix_ms", 0LL);
    for (const json& step : view["steps"]) {
        const bool done = step.value("done", false);
        text += fmt::format(
            "  {} {} {}\n      {}\n",
            step.value("number", 0),
            done ? fmt::format(
                       "at {:6.1f} s, took {:5.1f} s:",
                       static_cast<double>(step.value("at_unix_ms", 0LL) - started) / 1000.0,
                       static_cast<double>(step.value("took_ms", 0LL)) / 1000.0
                   )
                 : "NOT REACHED:               ",
            step.value("title", ""),
            done ? step.value("measured", "") : "-"
        );
    }
    const std::vector<Fault> faults = faults_of(account);
    std::vector<Alarm> ours;
    for (const json& episode : view["episodes"])
        if (episode.value("level", 0) == 1 &&
            episode.value("device", "") == view["asset"].value("device", ""))
            ours.push_back({.start_unix_ms = episode.value("start_unix_ms", 0LL), .what = "level 1"}
            );
    std::ranges::sort(ours, {}, &Alarm::start_unix_ms);
    std::vector<Alarm> theirs;
    for (const json& event : view["fixed_limit"])
        theirs.push_back(
            {.start_unix_ms = event.value("start_unix_ms", 0LL), .what = event.value("channel", "")}
        );
    text += "\nJudged by the motor's own account:\n";
    text += peer("Stator, level 1", tally(faults, ours, cost.acceleration));
    text += peer("fixed limit, raw channels", tally(faults, theirs, cost.acceleration));
    if (!faults.empty()) text += "  Kind of fault, by level 2:\n" + suspicions(faults, view);
    const json& loop = view["loop"];
    text += fmt::format(
        "\nreadings {}, duplicates {}, gaps declared {}, bytes missed by the page {}\n",
        loop.value("readings", 0ULL),
        loop.value("duplicates", 0ULL),
        loop.value("gaps_declared", 0ULL),
        loop.value("missed_bytes", 0ULL)
    );
    if (const std::string judged = view.value("judgement", ""); !judged.empty())
        text += "\nThe last model's judging:\n" + judged + "\n";
    text += fmt::format("\nwall time {:.1f} s", cost.wall_s);
    if (cost.first_page_s > 0)
        text += fmt::format(", first live page after {:.1f} s", cost.first_page_s);
    if (cost.resident_mb > 0)
        text +=
            fmt::format(", resident memory of all processes at most {:.0f} MB", cost.resident_mb);
    return text + "\n";
}

}  // namespace stator::story
