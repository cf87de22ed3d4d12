#include "app/parts/parts.h"
#include "app/parts/streams.h"
#include "app/site/layout.h"
#include "decide/level2/level2.h"
#include "decide/line/line.h"
#include "store/devices/registry.h"
#include "world/sockets/posix.h"
#include "world/tflite/library.h"

namespace stator::parts {

namespace {

class Level2Part final : public part::Part {
  public:
    Level2Part(
        std::unique_ptr<disk::Lock> lock,
        std::unique_ptr<Streams> streams,
        std::unique_ptr<tflite::Library> library,
        std::unique_ptr<level2::Level2> level2
    )
        : lock_{std::move(lock)},
          streams_{std::move(streams)},
          library_{std::move(library)},
          level2_{std::move(level2)} {}

    // A port that is taken costs the line socket, not the verdicts.
    void open_line(doors::Doors& doors, std::uint16_t port) {
        auto line =
            line::Line::open(doors, sockets_, {.port = port}, [this](std::string_view json) {
                return level2_->answer(json);
            });
        if (line) {
            line_ = std::move(*line);
        } else {
            doors.journal.warn("level2", line.error().what + "; set ports.level2_line");
        }
    }

    [[nodiscard]] std::string_view name() const override { return "level2"; }

    Outcome<bool> step() override {
        const bool served = line_ && line_->step();
        auto stepped = level2_->step();
        if (stepped) *stepped = *stepped || served;
        return stepped;
    }

    void wait(std::int64_t timeout_us) override {
        if (line_ && line_->busy()) {
            line_->wait(timeout_us);
        } else {
            level2_->wait(timeout_us);
        }
    }

    std::string metrics() override {
        return level2_->metrics().render() + streams_->metrics.render() +
               (line_ ? line_->metrics().render() : std::string{});
    }

  private:
    std::unique_ptr<disk::Lock> lock_;
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<tflite::Library> library_;  // null: tinyml runs the models
    std::unique_ptr<level2::Level2> level2_;
    sockets::PosixSockets sockets_;
    std::unique_ptr<line::Line> line_;
};

// The broker lets level 2 speak of the devices that are assigned to it: those of the site's assets.
Outcome<void> let_judge(doors::Doors& doors, const config::Config& config) {
    const std::string id = level2::Options{}.id;
    auto registry = devices::Registry::make(doors, {.state_directory = config.state_dir});
    if (!registry) return std::unexpected(registry.error());
    if (auto done = (*registry)->provision(id, identity::Role::level2, "level-2 inference"); !done)
        return done;
    if (auto done = (*registry)->activate(id); !done) return done;
    std::vector<std::string> devices;
    for (const asset::Asset& asset : config.assets)
        if (!asset.device.empty()) devices.emplace_back(asset.device.view());
    return (*registry)->assign(id, devices);
}

// Null for tinyml. What cannot be opened ends the start.
Outcome<std::unique_ptr<tflite::Library>> open_engine(
    doors::Doors& doors, const config::Config& config
) {
    auto choice = tflite::read_choice(
        config.level2_engine, config.level2_delegate, config.level2_delegate_options
    );
    if (!choice)
        return fail(choice.error().fault, "stator.toml: level2.engine: " + choice.error().what);
    if (choice->library.empty()) return nullptr;
    auto library = tflite::Library::open(std::move(*choice));
    if (!library)
        return fail(library.error().fault, "stator.toml: level2.engine: " + library.error().what);
    doors.journal.info("level2", "its models run in TensorFlow Lite " + (*library)->version());
    return library;
}

// Where the models lie, if not at this site's registry: the file's folder as it was given, the
// manifest at the same host.
Outcome<void> look_elsewhere(
    doors::Doors& doors, const std::string& url, level2::ModelOptions& models
) {
    if (url.empty()) return {};
    // `stator up` hands its environment on to all, and to train the same name says another thing.
    if (url.ends_with("/uploadModel")) {
        doors.journal.info("level2", "passes over MODEL_REGISTRY_URL = " + url + ": it is train's");
        return {};
    }
    constexpr std::string_view scheme = "https://";
    const std::size_t path = url.find('/', scheme.size());
    if (!url.starts_with(scheme) || path == std::string::npos)
        return fail(
            base::Fault::bad_input,
            "level2.models_url (MODEL_REGISTRY_URL) = \"" + url +
                "\" must be as https://HOST:30007/quantized"
        );
    models.registry_url = url.substr(0, path);
    models.models_url = url.ends_with('/') ? url : url + '/';
    return {};
}

}  // namespace

Outcome<std::unique_ptr<disk::Lock>> lock_level2(
    doors::Doors& doors, const config::Config& config
) {
    const site::Layout layout{config};
    if (auto made = doors.disk.make_directories(layout.path("level2")); !made)
        return std::unexpected(made.error());
    auto lock = doors.disk.lock(layout.path("level2/lock"));
    if (!lock)
        return fail(
            lock.error().fault,
            lock.error().what + ": of `stator level2` and `stator sidecar` one runs at a time"
        );
    if (auto done = let_judge(doors, config); !done) return std::unexpected(done.error());
    return lock;
}

Made make_level2(doors::Doors& doors, const config::Config& config) {
    const site::Layout layout{config};
    level2::Options options;
    options.assets = config.assets;
    options.state_file = layout.path("level2/level2.db");
    options.models = {
        .registry_url = layout.models_url(),
        .ca_file = layout.pki("ca.pem"),
        .certificate_file = layout.pki(options.id + ".pem"),
        .key_file = layout.pki(options.id + ".key"),
        .signing_public_key_file = layout.pki("model-signing.pub"),
        .directory = layout.path("level2")
    };
    if (auto done = look_elsewhere(doors, config.level2_models_url, options.models); !done)
        return std::unexpected(done.error());
    options.mqtt = layout.mqtt(options.id);
    options.alert_topic = config.topics.level2;
    options.reader = config.level2_group;
    options.data_topic = config.topics.data;
    options.control_topic = config.topics.control;
    auto lock = lock_level2(doors, config);
    if (!lock) return std::unexpected(lock.error());
    auto streams = make_streams(doors, config, "level2.stream", config.level2_stream, true);
    if (!streams) return std::unexpected(streams.error());
    options.heard = (*streams)->heard;
    // The broker keeps what comes while level 2 is away.
    if (options.heard != nullptr) options.mqtt.clean_session = false;
    auto library = open_engine(doors, config);
    if (!library) return std::unexpected(library.error());
    options.models.engines = library->get();
    auto made = level2::Level2::make(doors, *(*streams)->inner, std::move(options));
    if (!made) return std::unexpected(made.error());
    auto part = std::make_unique<Level2Part>(
        std::move(*lock), std::move(*streams), std::move(*library), std::move(*made)
    );
    if (config.ports.level2_line != 0) part->open_line(doors, config.ports.level2_line);
    return part;
}

}  // namespace stator::parts
