#include "act/console/console.h"

#include "act/console/suspicion.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace stator::console {

using nlohmann::json;

namespace {

constexpr std::size_t records_at_once = 500;
constexpr std::int64_t overview_interval_us = 250'000;
constexpr std::array<std::string_view, 5> verdicts{
    "open", "true", "false", "maintenance", "sensor"
};

json json_of(const Happening& item) {
    return {{"kind", item.kind}, {"at_unix_ms", item.at_unix_ms}, {"text", item.text}};
}

json array_of(const auto& items) {
    json list = json::array();
    for (const Happening& item : items)
        list.push_back(json_of(item));
    return list;
}

http::Response answer_json(std::string body, int status = 200) {
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    response.headers["Content-Type"] = "application/json";
    response.headers["Cache-Control"] = "no-store";
    return response;
}

http::Response answer(const Outcome<std::string>& done) {
    if (done) return answer_json(*done);
    switch (done.error().fault) {
        case base::Fault::bad_input:
            return http::problem(400, "Not understood", done.error().what);
        case base::Fault::not_found:
            return http::problem(404, "Not found", done.error().what);
        case base::Fault::denied:
            return http::problem(403, "Refused", done.error().what);
        case base::Fault::exists:
            return http::problem(409, "Conflict", done.error().what);
        default:
            return http::problem(503, "Not now", done.error().what);
    }
}

// What ISO 20816 says of it, for the sentence; nothing where no velocity is measured.
std::string shaking(const signal::Vibration& vibration) {
    if (vibration.zone == signal::Zone::none) return "";
    const std::string_view meaning = vibration.zone == signal::Zone::c   ? ", not for long"
                                     : vibration.zone == signal::Zone::d ? ", may do damage"
                                                                         : "";
    return fmt::format(
        "; vibration {:.1f} mm/s, zone {}{}",
        vibration.velocity_mm_per_s,
        signal::name_of(vibration.zone),
        meaning
    );
}

bool may_change(const std::string& role) {
    return role == "operator" || role == "engineer" || role == "admin" || role == "service";
}

}  // namespace

Console::Console(doors::Doors& doors, Options options, Links links)
    : doors_{doors},
      options_{std::move(options)},
      links_{std::move(links)},
      sessions_{doors.chance, doors.clock},
      steps_{
          std::string{options_.asset.device.view()},
          options_.level2,
          options_.topics,
          options_.site_unix_ms,
          options_.site_measured
      },
      feed_{options_.topics},
      fixed_limit_{options_.baseline_readings} {}

Outcome<std::unique_ptr<Console>> Console::make(
    doors::Doors& doors, stream::Stream& stream, Options options, Links links
) {
    std::unique_ptr<Console> made{new Console{doors, std::move(options), std::move(links)}};
    const auto reader = [&](log::Class log_class) {
        return stream.open(
            log_class, {.name = "console", .required = false, .start = stream::Start::earliest}
        );
    };
    for (const auto& [log_class, source] :
         {std::pair{log::Class::telemetry, &made->telemetry_},
          std::pair{log::Class::alarm, &made->alarms_},
          std::pair{log::Class::control, &made->control_}}) {
        auto opened = reader(log_class);
        if (!opened) return std::unexpected(opened.error());
        *source = std::move(*opened);
    }
    if (!made->options_.web_dir.empty()) {
        auto page = Page::load(doors.disk, made->options_.web_dir);
        // Alarms and commands do not wait for a page.
        if (!page) doors.journal.error("console", page.error().what);
        made->page_ = page ? std::move(*page) : Page::none(page.error().what);
    }
    return made;
}

Outcome<bool> Console::drain(stream::Source& source) {
    auto records = source.take(records_at_once);
    if (!records) return std::unexpected(records.error());
    for (const log::Record& record : *records) {
        steps_.on_record(record);
        feed_.on_record(record);
        if (&source != telemetry_.get()) continue;
        const auto sensor = feed_.sensors().find(std::string{options_.asset.device.view()});
        if (sensor != feed_.sensors().end() && record.sender == sensor->first)
            fixed_limit_.on_reading(sensor->second.values, sensor->second.last_unix_ms);
    }
    missed_bytes_ += source.missed_bytes();
    return !records->empty();
}

Outcome<bool> Console::step(http::Server& server) {
    bool worked = false;
    for (stream::Source* source : {telemetry_.get(), alarms_.get(), control_.get()}) {
        auto drained = drain(*source);
        if (!drained) return std::unexpected(drained.error());
        worked = worked || *drained;
    }
    const std::int64_t now_us = doors_.clock.monotonic_us();
    if (now_us >= next_overview_us_ && feed_.pages() > 0) {
        next_overview_us_ = now_us + overview_interval_us;
        overview_ = overview();
    }
    feed_.send(server, overview_, now_us);
    return worked;
}

signal::Vibration Console::vibration() const {
    std::array<float, asset::features_max> features{};
    features.fill(std::numeric_limits<float>::quiet_NaN());
    const auto sensor = feed_.sensors().find(std::string{options_.asset.device.view()});
    if (sensor == feed_.sensors().end()) return {};
    for (std::size_t i = 0; i < options_.asset.features.size(); ++i) {
        const auto name = asset::feature_name(options_.asset, i);
        const auto found = sensor->second.features.find(std::string{name.view()});
        if (found != sensor->second.features.end())
            features.at(i) = static_cast<float>(found->second);
    }
    return signal::vibration_of(options_.asset, features);
}

std::string Console::sentence(std::string& condition) const {
    const std::string title{options_.asset.title.view()};
    const auto sensor = feed_.sensors().find(std::string{options_.asset.device.view()});
    if (sensor == feed_.sensors().end()) {
        condition = "waiting";
        return title + ": waiting for its first reading";
    }
    if (!steps_.models().contains(1)) {
        condition = "learning";
        return title + ": learning what is normal";
    }
    if (!steps_.alarm_active()) {
        condition = "healthy";
        return title + ": healthy" + shaking(vibration());
    }
    condition = "suspected";
    std::string text = title + ": " + suspicion_of(links_.episodes()) + shaking(vibration());
    if (steps_.action() == "acting") text += "; backup starting";
    if (steps_.action() == "confirmed") text += "; backup running, flow confirmed";
    if (steps_.action() == "not-observed") text += "; backup started, effect not observed";
    if (steps_.action() == "refused") text += "; not acted upon";
    if (steps_.action() == "acting" || steps_.action() == "confirmed") condition = "acting";
    return text;
}

std::string Console::overview() {
    json view;
    json channels = json::array();
    for (const asset::Channel& channel : options_.asset.channels)
        channels.push_back(
            {{"name", std::string{channel.name.view()}}, {"unit", std::string{channel.unit.view()}}}
        );
    const std::string device{options_.asset.device.view()};
    view["asset"] = {
        {"id", std::string{options_.asset.id.view()}},
        {"title", std::string{options_.asset.title.view()}},
        {"device", device},
        {"mode", options_.asset.mode == asset::Mode::act ? "act" : "observe"},
        {"channels", channels}
    };
    std::string condition;
    view["sentence"] = sentence(condition);
    view["condition"] = condition;
    if (const signal::Vibration it = vibration(); it.zone != signal::Zone::none)
        view["vibration"] = {
            {"velocity_mm_per_s", it.velocity_mm_per_s},
            {"zone", std::string{signal::name_of(it.zone)}}
        };
    view["badge"] = options_.badge;
    view["limit"] = options_.asset.severity_potential;
    view["plant"] = static_cast<bool>(links_.plant);
    view["steps"] = json::array();
    int number = 0;
    for (const Step& step : steps_.steps())
        view["steps"].push_back(
            {{"number", number++},
             {"title", step.title},
             {"done", step.done},
             {"at_unix_ms", step.at_unix_ms},
             {"took_ms", step.took_ms},
             {"measured", step.measured}}
        );
    view["timeline"] = array_of(steps_.timeline());
    view["events"] = array_of(steps_.events());
    json episodes = json::parse(links_.episodes(), nullptr, false);
    view["episodes"] = episodes.is_array() ? episodes : json::array();
    view["models"] = json::array();
    for (const auto& [level, model] : steps_.models())
        view["models"].push_back(
            {{"level", level},
             {"name", model.name},
             {"release", model.release},
             {"state", model.state}}
        );
    view["sensors"] = json::array();
    for (const auto& [id, sensor] : feed_.sensors())
        if (id != device)
            view["sensors"].push_back(
                {{"device", id}, {"last_unix_ms", sensor.last_unix_ms}, {"values", sensor.values}}
            );
    view["judgement"] = links_.judgement ? links_.judgement() : "";
    view["fixed_limit"] = json::array();
    for (const LimitEvent& event : fixed_limit_.events())
        view["fixed_limit"].push_back(
            {{"channel", event.channel},
             {"start_unix_ms", event.start_unix_ms},
             {"end_unix_ms", event.end_unix_ms}}
        );
    view["loop"] = {
        {"readings", steps_.readings()},
        {"duplicates", steps_.duplicates()},
        {"gaps_declared", steps_.gaps()},
        {"missed_bytes", missed_bytes_},
        {"alarm", steps_.alarm_active()},
        {"action", steps_.action()},
        {"readings_since_model", steps_.readings_since_model()},
        {"false_alarms_stopped", steps_.false_alarms_stopped_after_ms() != 0}
    };
    // What a device sent may not be UTF-8 everywhere: replaced, never thrown about.
    return view.dump(-1, ' ', false, json::error_handler_t::replace);
}

http::Response Console::verdict(
    const http::Request& request, const std::string& id, const std::string& who
) {
    std::int64_t episode = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), episode);
    const json body = json::parse(request.body, nullptr, false);
    if (error != std::errc{} || end != id.data() + id.size() || !body.is_object())
        return http::problem(
            400,
            "Not understood",
            R"(send {"verdict":"false","note":"new load"} for an episode's id)"
        );
    const std::string verdict = stator::json::text_of(body, "verdict");
    if (std::ranges::find(verdicts, verdict) == verdicts.end())
        return http::problem(
            400, "Not understood", "a verdict is one of true, false, maintenance, sensor, open"
        );
    const std::string note = stator::json::text_of(body, "note");
    if (auto done = links_.verdict(episode, verdict, note, who); !done)
        return answer(std::unexpected(done.error()));
    steps_.on_verdict(verdict, note, doors_.clock.unix_ms());
    return answer_json("{}");
}

http::Response Console::change(const http::Request& request, const std::string& role) {
    constexpr std::string_view episodes = "/api/v1/episodes/";
    if (!may_change(role))
        return http::problem(403, "Refused", "this needs the operator role; you are " + role);
    const auto type = request.headers.find("content-type");
    if (type == request.headers.end() || !type->second.starts_with("application/json"))
        return http::problem(415, "Not understood", "send application/json");
    if (request.path == "/api/v1/link") return answer_json(json{{"code", new_code()}}.dump());
    if (request.path == "/api/v1/commands") return answer(links_.command(request.body, role));
    if (request.path == "/api/v1/plant") {
        if (!links_.plant)
            return http::problem(404, "Not found", "this site's motor is not a simulated one");
        auto done = links_.plant(request.body);
        const json body = json::parse(request.body, nullptr, false);
        if (done && body.is_object()) {
            const std::string action = stator::json::text_of(body, "action");
            if (action == "break")
                steps_.on_note("fault", "the motor was broken on purpose", doors_.clock.unix_ms());
            if (action == "repair")
                steps_.on_note("repair", "the motor was repaired", doors_.clock.unix_ms());
            if (action == "load")
                steps_.on_note("note", "the load changed", doors_.clock.unix_ms());
        }
        return answer(done);
    }
    if (request.path.starts_with(episodes) && request.path.ends_with("/verdict")) {
        const std::size_t from = episodes.size();
        const std::size_t to = request.path.size() - std::string_view{"/verdict"}.size();
        if (to > from) return verdict(request, request.path.substr(from, to - from), role);
    }
    return http::problem(404, "Not found", request.path);
}

http::Response Console::handle(const http::Request& request) {
    if (request.path == "/enter" && request.method == "GET") return sessions_.enter(request);
    // The page's browser acts for the person at this machine, who was shown the link: an operator.
    const std::string role = sessions_.known(request) ? "operator" : links_.role(request);
    if (role.empty())
        return http::problem(
            401,
            "Who are you?",
            "Open the link that `stator up` printed, print a new one with `stator console link`, "
            "or "
            "send an operator's token."
        );
    if (request.method == "POST") return change(request, role);
    if (request.method != "GET")
        return http::problem(405, "Not allowed", request.method + " " + request.path);
    if (request.path == "/api/v1/overview") return answer_json(overview());
    if (request.path == "/api/v1/live") {
        if (server_ == nullptr) return http::problem(503, "Not now", "no event streams here");
        overview_ = overview();
        return feed_.open(*server_);
    }
    if (request.path.starts_with("/api/")) return http::problem(404, "Not found", request.path);
    return page_.get(request.path);
}

}  // namespace stator::console
