#include "act/console/feed.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::console {

using nlohmann::json;

namespace {

constexpr std::int64_t send_interval_us = 200'000;
constexpr std::int64_t beat_interval_us = 10'000'000;  // keeps proxies and browsers from giving up
constexpr std::size_t batch_max = 200;
constexpr std::size_t sensors_max = 200;

// Members of a telemetry message that are not measured values.
constexpr std::array<std::string_view, 8> not_channels{
    "boot", "seq", "timeStamp", "inference", "threshold", "alarm", "release", "level"
};

std::int64_t time_of(const json& message, std::int64_t fallback_unix_ms) {
    const auto found = message.find("timeStamp");
    if (found == message.end()) return fallback_unix_ms;
    if (found->is_number_integer()) return found->get<std::int64_t>();
    if (!found->is_string()) return fallback_unix_ms;
    const auto& text = found->get_ref<const std::string&>();
    if (text.empty() || text.size() > 15 ||
        !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
        return fallback_unix_ms;
    return std::stoll(text);
}

}  // namespace

void Feed::on_record(const log::Record& record) {
    const wire::TopicKind kind = topics_.place_of(record.topic).kind;
    const bool alert = kind == wire::TopicKind::alert;
    if (!alert && kind != wire::TopicKind::data) return;
    const json message = json::parse(record.payload, nullptr, false);
    if (!message.is_object()) return;
    const auto id = message.find("deviceID");
    if (id == message.end() || !id->is_string()) return;
    const auto& device = id->get_ref<const std::string&>();
    if (alert) {
        const auto value = message.find("inference");
        const bool has_room = level2_.size() < sensors_max || level2_.contains(device);
        if (has_room && value != message.end() && value->is_number())
            level2_[device] = value->get<double>();
        return;
    }
    Sensor sensor;
    sensor.last_unix_ms = time_of(message, record.receive_unix_ms);
    for (const auto& [name, value] : message.items())
        if (value.is_number() && std::ranges::find(not_channels, name) == not_channels.end())
            sensor.values[name] = value.get<double>();
    if (const auto features = message.find("features");
        features != message.end() && features->is_object())
        for (const auto& [name, value] : features->items())
            if (value.is_number()) sensor.features[name] = value.get<double>();
    if (const auto value = message.find("inference"); value != message.end() && value->is_number())
        sensor.level1 = value->get<double>();
    remember(std::move(sensor), device);
}

void Feed::remember(Sensor sensor, const std::string& device) {
    const auto found = sensors_.find(device);
    if (found == sensors_.end() && sensors_.size() >= sensors_max) return;
    sensor.readings = found == sensors_.end() ? 1 : found->second.readings + 1;
    if (!streams_.empty()) {
        json reading{
            {"device", device}, {"at_unix_ms", sensor.last_unix_ms}, {"values", sensor.values}
        };
        reading["level1"] = sensor.level1 ? json(*sensor.level1) : json();
        const auto second = level2(device);
        reading["level2"] = second ? json(*second) : json();
        batch_.push_back(reading.dump());
        if (batch_.size() > batch_max) batch_.pop_front();
    }
    sensors_[device] = std::move(sensor);
}

std::optional<double> Feed::level2(const std::string& device) const {
    const auto found = level2_.find(device);
    if (found == level2_.end()) return std::nullopt;
    return found->second;
}

http::Response Feed::open(http::Server& server) {
    http::Response response;
    response.headers["Content-Type"] = "text/event-stream";
    response.headers["Cache-Control"] = "no-store";
    response.stream = server.new_stream();
    streams_.push_back({.id = *response.stream});
    return response;
}

void Feed::send(http::Server& server, const std::string& overview, std::int64_t now_us) {
    if (now_us < next_send_us_) return;
    next_send_us_ = now_us + send_interval_us;
    std::string readings;
    if (!batch_.empty())
        readings = fmt::format("event: readings\ndata: [{}]\n\n", fmt::join(batch_, ","));
    batch_.clear();
    const bool changed = overview != last_overview_;
    const bool beat = now_us >= next_beat_us_;
    if (beat) next_beat_us_ = now_us + beat_interval_us;
    std::erase_if(streams_, [&](Page& page) {
        std::string text;
        if (changed || page.fresh) text = fmt::format("event: overview\ndata: {}\n\n", overview);
        text += readings;
        if (text.empty() && beat) text = ": still here\n\n";
        page.fresh = false;
        return !text.empty() && !server.push(page.id, text);
    });
    last_overview_ = overview;
}

}  // namespace stator::console
