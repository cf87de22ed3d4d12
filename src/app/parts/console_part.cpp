#include "act/alarm/alarm.h"
#include "act/command/command.h"
#include "act/console/console.h"
#include "act/rollout/rollout.h"
#include "app/config/topics.h"
#include "app/parts/parts.h"
#include "app/site/layout.h"
#include "store/identity/access.h"
#include "store/runs/runs.h"
#include "store/stream/log_stream.h"

#include <fmt/format.h>

namespace stator::parts {

namespace {

class ConsolePart final : public part::Part {
  public:
    ConsolePart(doors::Doors& doors, const config::Config& config)
        : doors_{doors},
          config_{config},
          layout_{config},
          stream_{doors.disk, layout_.log_directory()},
          tokens_{doors, layout_.pki("tokens.json")},
          access_{tokens_} {}

    Outcome<void> start(const ConsoleOptions& options);

    [[nodiscard]] std::string_view name() const override { return "console"; }

    Outcome<bool> step() override;

    void wait(std::int64_t timeout_us) override { static_cast<void>(server_->poll(timeout_us)); }

    std::string metrics() override { return metrics_.render(); }

  private:
    [[nodiscard]] console::Links links(bool has_plant);
    [[nodiscard]] Outcome<std::string> plant(const std::string& body);
    [[nodiscard]] std::string judgement();

    doors::Doors& doors_;
    const config::Config& config_;
    site::Layout layout_;
    metrics::Metrics metrics_;
    stream::LogStream stream_;
    identity::Tokens tokens_;
    identity::Access access_;
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<alarm::Alarm> alarm_;
    std::unique_ptr<rollout::Rollout> rollout_;
    std::unique_ptr<command::Command> command_;
    std::unique_ptr<runs::Runs> runs_;
    std::unique_ptr<console::Console> console_;
    std::unique_ptr<http::Server> server_;
};

Outcome<std::string> ConsolePart::plant(const std::string& body) {
    auto token = doors_.disk.read_all(layout_.path("run/plant.token"), 256);
    if (!token) return std::unexpected(token.error());
    http::ClientRequest request;
    request.method = "POST";
    request.url = fmt::format("http://127.0.0.1:{}/plant", config_.ports.ops_node);
    request.headers["Authorization"] = "Bearer " + *token;
    request.headers["Content-Type"] = "application/json";
    request.body = body;
    request.timeout_ms = 3000;
    auto response = doors_.http.request(request);
    if (!response) return std::unexpected(response.error());
    if (response->status != 200) return fail(base::Fault::bad_input, response->body);
    return std::move(response->body);
}

std::string ConsolePart::judgement() {
    if (!runs_) {  // learn makes it when it first starts
        auto opened = runs::Runs::open(doors_, layout_.path("learn/learn.db"));
        if (!opened) return {};
        runs_ = std::move(*opened);
    }
    auto text = runs_->last_judgement();
    return text ? *text : std::string{};
}

console::Links ConsolePart::links(bool has_plant) {
    console::Links made;
    made.episodes = [this] { return alarm_->episodes_json(); };
    made.verdict = [this](
                       std::int64_t episode,
                       const std::string& verdict,
                       const std::string& note,
                       const std::string& who
                   ) { return alarm_->verdict(episode, verdict, note, who); };
    made.command = [this](const std::string& body, const std::string& who) {
        return command_->order(body, who);
    };
    if (has_plant) made.plant = [this](const std::string& body) { return plant(body); };
    made.judgement = [this] { return judgement(); };
    made.role = [this](const http::Request& request) {
        const identity::Who who = access_.authorise(request);
        return who.role == identity::Role::nobody ? std::string{}
                                                  : std::string{identity::name_of(who.role)};
    };
    return made;
}

Outcome<void> ConsolePart::start(const ConsoleOptions& options) {
    if (auto done = doors_.disk.make_directories(layout_.path("console")); !done) return done;
    auto client = doors_.mqtt.connect(layout_.mqtt("console"));
    if (!client) return std::unexpected(client.error());
    client_ = std::move(*client);
    auto alarm = alarm::Alarm::make(
        doors_,
        stream_,
        metrics_,
        {.file = layout_.path("console/alarms.db"),
         .assets = config_.assets,
         .level1_topic = config_.topics.level1,
         .level2_topic = config_.topics.level2}
    );
    if (!alarm) return std::unexpected(alarm.error());
    alarm_ = std::move(*alarm);
    auto rollout = rollout::Rollout::make(
        doors_,
        stream_,
        *client_,
        metrics_,
        {.file = layout_.path("console/rollouts.db"),
         .registry_url = layout_.models_url(),
         .ca_file = layout_.pki("ca.pem"),
         .certificate_file = layout_.pki("rollout.pem"),
         .key_file = layout_.pki("rollout.key"),
         .assets = config_.assets,
         .control_topic = config_.topics.control}
    );
    if (!rollout) return std::unexpected(rollout.error());
    rollout_ = std::move(*rollout);
    auto command = command::Command::make(
        doors_, stream_, *client_, metrics_, {.file = layout_.path("console/commands.db")}
    );
    if (!command) return std::unexpected(command.error());
    command_ = std::move(*command);
    console::Options console_options;
    if (!config_.assets.empty()) console_options.asset = config_.assets.front();
    auto topics = config::wire_topics(config_.topics);
    if (!topics) return std::unexpected(topics.error());
    console_options.topics = *topics;
    console_options.badge = options.badge;
    console_options.web_dir = options.web_dir;
    console_options.site_unix_ms =
        options.story_unix_ms != 0 ? options.story_unix_ms : doors_.clock.unix_ms();
    console_options.site_measured = "CA, certificates and keys in " + layout_.path("pki");
    console_options.baseline_readings = config_.ingest_max_rows;
    auto console = console::Console::make(
        doors_, stream_, std::move(console_options), links(options.has_plant)
    );
    if (!console) return std::unexpected(console.error());
    console_ = std::move(*console);
    auto server = doors_.http.listen(
        {.address = "127.0.0.1", .port = config_.ports.console},
        [this](const http::Request& request) { return console_->handle(request); }
    );
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    console_->attach(*server_);
    return {};
}

Outcome<bool> ConsolePart::step() {
    bool worked = server_->poll(0);
    for (const mqtt::Event& event : client_->poll()) {
        rollout_->on_event(event);
        command_->on_event(event);
        worked = true;
    }
    for (const auto& stepped : {alarm_->step(), rollout_->step(), command_->step()}) {
        if (!stepped) return std::unexpected(stepped.error());
        worked = worked || *stepped;
    }
    auto shown = console_->step(*server_);
    if (!shown) return shown;
    return worked || *shown;
}

}  // namespace

Made make_console(doors::Doors& doors, const config::Config& config, ConsoleOptions options) {
    auto made = std::make_unique<ConsolePart>(doors, config);
    if (auto done = made->start(options); !done) return std::unexpected(done.error());
    return made;
}

}  // namespace stator::parts
