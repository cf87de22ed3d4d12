#include "app/demo/demo.h"

#include "app/demo/recorded.h"
#include "app/loop/loop.h"
#include "app/real/real.h"
#include "app/site/layout.h"
#include "app/site/prepare.h"
#include "app/story/report.h"
#include "app/story/story.h"
#include "app/up/up.h"
#include "store/identity/site.h"
#include "store/runs/runs.h"
#include "world/json/json.h"
#include "world/process/real.h"
#include "world/process/resident.h"
#include "world/process/self.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace stator::demo {

namespace {

constexpr std::int64_t idle_us = 20'000;
constexpr std::int64_t weighing_us = 2'000'000;

// The demonstration's choices, so that the story fits into two minutes: written to stator.toml of a
// new state directory, and there for everybody to change.
config::Config fresh_config(const Options& options) {
    config::Config config;
    config.state_dir = options.state_dir;
    config.ingest_max_rows = 240;
    config.node_interval_ms = 25;  // one second of plant time
    config.demo_acceleration = 40.0;
    config.log_telemetry_bytes = 256ULL << 20U;
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "pump-1";
    asset.title = "Pump 1";
    asset.device = "14333616";
    asset.mode = asset::Mode::act;  // the demonstration's own motor: nobody can be hurt
    config.assets.push_back(asset);
    config.node_device = asset.device.view();
    return config;
}

class Demo {
  public:
    explicit Demo(const Options& options) : options_{options} {}

    int run();

  private:
    [[nodiscard]] Outcome<void> prepare();
    [[nodiscard]] Outcome<void> start();
    [[nodiscard]] bool print_link();
    [[nodiscard]] bool first_page();
    int tell();
    int end(const std::string& failure);
    void weigh();

    void say(const std::string& text) {
        std::printf("%s\n", text.c_str());
        std::fflush(stdout);
    }

    Options options_;
    real::Real real_;
    process::RealProcesses processes_;
    config::Config config_;
    std::string token_;
    std::int64_t started_us_ = 0;
    std::int64_t story_unix_ms_ = 0;
    double first_page_s_ = 0;
    std::uint64_t resident_bytes_max_ = 0;
    std::int64_t next_weighing_us_ = 0;
    std::optional<up::Up> up_;
    std::optional<story::Story> story_;
};

Outcome<void> Demo::prepare() {
    doors::Doors& doors = real_.doors;
    config::Config fresh = fresh_config(options_);
    if (!options_.recording.empty())
        if (auto done = use_recording(
                doors.disk, options_.recording, options_.map, options_.rows_per_s, fresh
            );
            !done)
            return done;
    const bool left = doors.disk.exists(options_.state_dir + "/stator.toml");
    if (auto done = site::write_config(doors.disk, fresh, true); !done) return done;
    auto config = site::load(doors.disk, options_.state_dir, process::environment());
    if (!config) return std::unexpected(config.error());
    config_ = std::move(*config);
    if (config_.assets.empty())
        return fail(
            base::Fault::bad_input, options_.state_dir + "/stator.toml: the demo needs an [[asset]]"
        );
    if (options_.seed != 0) config_.demo_seed = options_.seed;
    auto site = identity::init(doors, options_.state_dir, {.site_name = config_.site_name});
    if (!site) return std::unexpected(site.error());
    if (!site->made.empty())
        say(fmt::format("init: made {} files in {}", site->made.size(), site->pki("")));
    if (!site->admin_token.empty())
        say("init: the admin's token, shown this once: " + site->admin_token);
    auto ports = site::choose_ports(doors, config_);
    if (!ports) return std::unexpected(ports.error());
    for (const std::string& told : *ports)
        say("ports: " + told);
    story_unix_ms_ = doors.clock.unix_ms();
    const asset::Asset& asset = config_.assets.front();
    if (auto done = site::provision(doors, config_, *site, asset); !done) return done;
    auto token = site::operator_token(doors, config_);
    if (!token) return std::unexpected(token.error());
    token_ = *token;
    if (auto plant = site::plant_token(doors, config_); !plant)
        return std::unexpected(plant.error());
    if (!left) return {};
    // A state directory from before: the site goes on, but the motor on the bench is a new one, and
    // what is normal for it must be learnt again.
    say("the site in " + options_.state_dir + " goes on with a new motor: it is commissioned again"
    );
    if (auto done = doors.disk.make_directories(options_.state_dir + "/learn"); !done) return done;
    auto runs = runs::Runs::open(doors, options_.state_dir + "/learn/learn.db");
    if (!runs) return std::unexpected(runs.error());
    return (*runs)->recommission(std::string{asset.id.view()}, story_unix_ms_);
}

Outcome<void> Demo::start() {
    up::Options options;
    options.story_unix_ms = story_unix_ms_;
    options.badge =
        options_.recording.empty()
            ? fmt::format("SIMULATED, {:.0f} x time", config_.demo_acceleration)
            : fmt::format("RECORDED, {:.0f} rows a second", 1000.0 / config_.node_interval_ms);
    options.with_node = true;
    options.seed = config_.demo_seed;
    options.block_backup = options_.block_backup;
    options.recording = options_.recording;
    options.map = options_.map;
    options.bench = options_.bench;
    auto made = up::prepare(real_.doors, config_, options);
    if (!made) return std::unexpected(made.error());
    up_.emplace(real_.doors, processes_, config_, std::move(*made));
    return {};
}

bool Demo::print_link() {
    http::ClientRequest request;
    request.method = "POST";
    request.url = fmt::format("http://127.0.0.1:{}/api/v1/link", config_.ports.console);
    request.headers = {{"Authorization", "Bearer " + token_}, {"Content-Type", "application/json"}};
    request.body = "{}";
    request.timeout_ms = 1000;
    auto response = real_.http.request(request);
    if (!response || response->status != 200) return false;
    const auto body = nlohmann::json::parse(response->body, nullptr, false);
    if (!body.is_object()) return false;
    say(fmt::format(
        "page: http://127.0.0.1:{}/enter?code={}", config_.ports.console, body.value("code", "")
    ));
    return true;
}

// Live: the console answers, and the device's readings have come through the loop to it.
bool Demo::first_page() {
    http::ClientRequest request;
    request.url = fmt::format("http://127.0.0.1:{}/api/v1/overview", config_.ports.console);
    request.headers = {{"Authorization", "Bearer " + token_}};
    request.timeout_ms = 1000;
    auto response = real_.http.request(request);
    if (!response || response->status != 200) return false;
    const auto body = nlohmann::json::parse(response->body, nullptr, false);
    if (!body.is_object() || body["loop"].value("readings", 0) == 0) return false;
    first_page_s_ = static_cast<double>(real_.clock.monotonic_us() - started_us_) / 1e6;
    say(fmt::format("first live page after {:.1f} s", first_page_s_));
    return true;
}

// All processes of the site, this one among them, looked at now and then: the most they had.
void Demo::weigh() {
    std::uint64_t bytes = process::resident_bytes("self");
    for (const supervise::Status& status : up_->status())
        bytes += status.resident_bytes;
    resident_bytes_max_ = std::max(resident_bytes_max_, bytes);
}

int Demo::end(const std::string& failure) {
    story::Cost cost;
    cost.wall_s = static_cast<double>(real_.clock.monotonic_us() - started_us_) / 1e6;
    cost.first_page_s = first_page_s_;
    cost.acceleration = config_.demo_acceleration;
    weigh();
    cost.resident_mb = static_cast<double>(resident_bytes_max_) / 1e6;
    const std::string text = story::report(story_->overview(), story_->revealed(), failure, cost);
    say(text);
    const std::string file = options_.state_dir + "/report.txt";
    if (auto done = real_.disk.replace(file, text); !done) say(done.error().what);
    return failure.empty() ? 0 : 1;
}

int Demo::tell() {
    bool linked = false;
    bool seen = false;
    bool ended = false;
    int code = 0;
    while (!loop::stop_wanted().load()) {
        bool worked = up_->step();
        if (const std::int64_t now_us = real_.clock.monotonic_us(); now_us >= next_weighing_us_) {
            next_weighing_us_ = now_us + weighing_us;
            weigh();
        }
        if (!linked) linked = print_link();
        if (linked && !seen) seen = first_page();
        if (!options_.recording.empty()) {
            std::string report;
            if (!ended && recording_done(real_.http, config_, report)) {
                ended = true;
                say(report);
                if (options_.until_closed) return 0;
            }
        } else if (seen && !ended) {
            worked = story_->step() || worked;
            if (story_->finished()) {
                ended = true;
                code = end(story_->failure());
                if (options_.until_closed) return code;
                say("The site goes on: break and repair the motor from the page. Ctrl-C stops it.");
            }
        }
        if (!worked) real_.clock.wait_us(idle_us);
    }
    return options_.until_closed ? 1 : 0;
}

int Demo::run() {
    started_us_ = real_.clock.monotonic_us();
    loop::catch_signals();
    for (const auto& stage : {&Demo::prepare, &Demo::start}) {
        if (auto done = (this->*stage)(); !done) {
            std::fprintf(stderr, "stator: %s\n", done.error().what.c_str());
            return 1;
        }
    }
    story::Options options;
    options.console_url = fmt::format("http://127.0.0.1:{}", config_.ports.console);
    options.token = token_;
    options.device = config_.assets.front().device.view();
    options.break_motor = options_.break_motor;
    options.change_load = options_.change_load;
    options.acceleration = config_.demo_acceleration;
    story_.emplace(real_.http, real_.clock, real_.journal, options);
    const int code = tell();
    up_->stop();
    return code;
}

}  // namespace

int run(const Options& options) {
    return Demo{options}.run();
}

}  // namespace stator::demo
