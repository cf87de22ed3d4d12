#include "app/story/story.h"

#include "world/json/json.h"

#include <fmt/format.h>

namespace stator::story {

using nlohmann::json;

namespace {

std::string plant(const char* action, const std::string& more = {}) {
    return fmt::format(R"({{"action":"{}"{}}})", action, more);
}

}  // namespace

Story::Story(http::Http& http, clock::Clock& clock, journal::Journal& journal, Options options)
    : http_{http}, clock_{clock}, journal_{journal}, options_{std::move(options)} {
    entered_us_ = clock_.monotonic_us();
}

bool Story::ask(const std::string& path, const std::string& body, std::string* answer) {
    http::ClientRequest request;
    request.method = body.empty() ? "GET" : "POST";
    request.url = options_.console_url + path;
    request.headers["Authorization"] = "Bearer " + options_.token;
    if (!body.empty()) request.headers["Content-Type"] = "application/json";
    request.body = body;
    request.timeout_ms = 5000;
    auto response = http_.request(request);
    if (!response) return false;  // the console may still be starting: the chapter's time decides
    if (response->status != 200) {
        journal_.warn(
            "story", fmt::format("{} answered {}: {}", path, response->status, response->body)
        );
        return false;
    }
    if (answer != nullptr) *answer = std::move(response->body);
    return true;
}

bool Story::look(Facts& facts) {
    if (!ask("/api/v1/overview", {}, &overview_)) return false;
    const json view = json::parse(overview_, nullptr, false);
    if (!view.is_object() || !view.contains("loop") || !view.contains("steps")) return false;
    bool in_a_row = true;
    for (const json& step : view["steps"]) {
        in_a_row = in_a_row && step.value("done", false);
        if (!in_a_row) break;
        facts.steps_done = step.value("number", 0);
        facts.step_lines.push_back(fmt::format(
            "step {}: {} ({:.1f} s): {}",
            step.value("number", 0),
            step.value("title", ""),
            static_cast<double>(step.value("took_ms", 0LL)) / 1000.0,
            step.value("measured", "")
        ));
    }
    const json& loop = view["loop"];
    facts.readings = loop.value("readings", 0ULL);
    facts.readings_since_model = loop.value("readings_since_model", 0ULL);
    facts.alarm = loop.value("alarm", false);
    facts.action = loop.value("action", "");
    facts.false_alarms_stopped = loop.value("false_alarms_stopped", false);
    for (const json& episode : view["episodes"])
        if (episode.value("verdict", "") == "open" &&
            episode.value("device", "") == options_.device)
            facts.open_episodes.push_back(episode.value("id", 0LL));
    return true;
}

void Story::enter(Chapter chapter, const std::string& told) {
    chapter_ = chapter;
    entered_us_ = clock_.monotonic_us();
    readings_at_entry_ = 0;
    calm_since_ = 0;
    if (!told.empty()) journal_.info("story", told);
}

int Story::awaited_step() const {
    switch (chapter_) {
        case Chapter::commissioning:
            return told_steps_ < 5 ? told_steps_ + 1 : 5;
        case Chapter::calm:
        case Chapter::fault:
            return 6;
        default:
            return 7;
    }
}

void Story::fail_at(int step, const std::string& waited_for) {
    failure_ = fmt::format("step {} did not come: waited for {}", step, waited_for);
    chapter_ = Chapter::failed;
    journal_.error("story", failure_);
    // The report judges a failed run, too, where the motor can still be asked.
    if (ask("/api/v1/plant", plant("reveal"), &revealed_))
        journal_.info("story", "the motor's own account: " + revealed_);
}

void Story::tell_steps(const Facts& facts) {
    for (int i = told_steps_ + 1; i <= facts.steps_done; ++i)
        journal_.info("story", facts.step_lines.at(static_cast<std::size_t>(i)));
    told_steps_ = std::max(told_steps_, facts.steps_done);
}

bool Story::give_verdicts(const Facts& facts, const std::string& verdict, const std::string& note) {
    bool all = true;
    for (const std::int64_t id : facts.open_episodes)
        all = ask(fmt::format("/api/v1/episodes/{}/verdict", id),
                  json{{"verdict", verdict}, {"note", note}}.dump(),
                  nullptr) &&
              all;
    return all;
}

bool Story::step() {
    const std::int64_t now_us = clock_.monotonic_us();
    if (finished() || now_us < next_us_) return false;
    next_us_ = now_us + options_.poll_interval_us;
    Facts facts;
    if (look(facts)) {
        if (told_steps_ == 0 && facts.step_lines.size() > 0)
            journal_.info("story", facts.step_lines.front());
        tell_steps(facts);
        if (readings_at_entry_ == 0) readings_at_entry_ = facts.readings;
        advance(facts);
    }
    if (!finished() && now_us - entered_us_ > options_.chapter_timeout_us) {
        constexpr std::string_view waits[] = {
            "the commissioning model on device and level 2",
            "calm readings with the first model",
            "level 1's alarm, the backup's observed effect and level 2's alert",
            "the alarm to end after the repair",
            "false alarms at the new load",
            "the second model and the end of the false alarms",
            "the old fault to be found by the second model",
            "the motor's own account"
        };
        fail_at(awaited_step(), std::string{waits[static_cast<std::size_t>(chapter_)]});
    }
    return true;
}

void Story::advance(const Facts& facts) {
    const std::uint64_t readings_here = facts.readings - readings_at_entry_;
    switch (chapter_) {
        case Chapter::commissioning:
            if (facts.steps_done >= 5) enter(Chapter::calm, "the commissioning model watches");
            break;
        case Chapter::calm:
            if (readings_here < options_.calm_readings) break;
            if (!options_.break_motor) {
                enter(Chapter::reveal, "no fault is wanted");
            } else if (ask("/api/v1/plant",
                           plant(
                               "break",
                               options_.fault_kind.empty()
                                   ? ""
                                   : fmt::format(R"(,"kind":"{}")", options_.fault_kind)
                           ),
                           nullptr)) {
                enter(Chapter::fault, "somewhere in the motor a fault begins to grow");
            }
            break;
        case Chapter::fault:
            advance_fault(facts);
            break;
        case Chapter::repair:
            if (facts.alarm) {
                calm_since_ = 0;
            } else if (calm_since_ == 0) {
                calm_since_ = facts.readings;
            } else if (facts.readings - calm_since_ >= options_.calm_readings) {
                if (!options_.change_load) {
                    enter(Chapter::reveal, "the load stays as it is");
                } else if (ask("/api/v1/plant", plant("load", R"(,"level":1)"), nullptr)) {
                    enter(Chapter::new_load, "the motor runs at another load");
                }
            }
            break;
        case Chapter::new_load:
            advance_new_load(facts);
            break;
        case Chapter::learning_again:
            if (options_.give_false_verdict && !facts.open_episodes.empty()) [[maybe_unused]]
                const bool given = give_verdicts(facts, "false", "new load");
            if (facts.false_alarms_stopped &&
                ask("/api/v1/plant", plant("break", R"(,"kind":"again")"), nullptr))
                enter(
                    Chapter::old_fault, "the false alarms have stopped; the old fault comes back"
                );
            break;
        case Chapter::old_fault:
            if (facts.steps_done >= 7 && give_verdicts(facts, "true", "the old fault"))
                enter(Chapter::reveal, "the loop has closed");
            break;
        case Chapter::reveal:
            if (ask("/api/v1/plant", plant("reveal"), &revealed_))
                enter(Chapter::done, "the motor's own account: " + revealed_);
            break;
        case Chapter::done:
        case Chapter::failed:
            break;
    }
}

void Story::advance_fault(const Facts& facts) {
    if (facts.action == "not-observed") {
        fail_at(6, "the backup pump's flow: effect not observed");
        return;
    }
    if (facts.steps_done < 6) return;
    if (give_verdicts(facts, "true", "found by the operator") &&
        ask("/api/v1/plant", plant("repair"), nullptr))
        enter(Chapter::repair, "the operator says the alarm is true, and repairs the motor");
}

void Story::advance_new_load(const Facts& facts) {
    if (!facts.alarm || facts.open_episodes.empty()) return;
    if (!options_.give_false_verdict) {
        enter(Chapter::reveal, "no verdict is given");
    } else if (give_verdicts(facts, "false", "new load")) {
        enter(Chapter::learning_again, "the operator says the alarm is false: new load");
    }
}

}  // namespace stator::story
