#include "app/demo/recorded.h"

#include "sim/recording/recording.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::demo {

namespace {
constexpr std::uint32_t baseline_rows = 400;  // as the SKAB protocol has it
}

Outcome<void> use_recording(
    disk::Disk& disk,
    const std::string& file,
    const std::string& map,
    double rows_per_s,
    config::Config& config
) {
    auto recording = recording::Recording::open(disk, file, map);
    if (!recording) return std::unexpected(recording.error());
    asset::Asset asset = recording->asset();
    asset.id = "recorded-1";
    asset.title = "Recorded machine";
    asset.device = "recorded-1";
    asset.device_class = "recorded";
    config.assets = {asset};
    config.node_device = "recorded-1";
    config.ingest_max_rows = baseline_rows;
    config.node_interval_ms =
        static_cast<std::uint32_t>(std::max(1.0, 1000.0 / std::max(rows_per_s, 0.001)));
    return {};
}

bool recording_done(http::Http& http, const config::Config& config, std::string& report) {
    http::ClientRequest request;
    request.url = fmt::format("http://127.0.0.1:{}/recording", config.ports.ops_node);
    request.timeout_ms = 1000;
    auto response = http.request(request);
    if (!response || response->status != 200) return false;
    const auto body = nlohmann::json::parse(response->body, nullptr, false);
    if (!body.is_object() || !body.value("done", false)) return false;
    report = body.value("report", "");
    return true;
}

}  // namespace stator::demo
