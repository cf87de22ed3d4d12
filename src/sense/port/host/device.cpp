#include "sense/port/host/device.h"

#include "sense/factory/model.h"
#include "sense/node/gapless.h"
#include "sense/port/host/factory_model.h"
#include "sense/port/host/file_flash.h"
#include "sense/port/host/http_fetch.h"
#include "sense/port/host/long_windows.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/signature.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace stator::host {
namespace {

class HostTime final : public hal::Time {
  public:
    explicit HostTime(clock::Clock& clock) : clock_{clock} {}

    std::int64_t monotonic_us() override { return clock_.monotonic_us(); }

    std::int64_t unix_ms() override { return clock_.unix_ms(); }

    // The operating system keeps the time; a clock before this project began was never set.
    bool synced() override { return clock_.unix_ms() > 1'640'000'000'000; }

  private:
    clock::Clock& clock_;
};

class HostEntropy final : public hal::Entropy {
  public:
    explicit HostEntropy(chance::Chance& chance) : chance_{chance} {}

    std::uint32_t next() override { return static_cast<std::uint32_t>(chance_.next_u64()); }

  private:
    chance::Chance& chance_;
};

class HostLog final : public hal::Log {
  public:
    HostLog(journal::Journal& journal, std::string device)
        : journal_{journal}, device_{std::move(device)} {}

    void info(std::string_view text) override { journal_.info("node", line(text)); }

    void warn(std::string_view text) override { journal_.warn("node", line(text)); }

  private:
    [[nodiscard]] std::string line(std::string_view text) const {
        return "device " + device_ + ": " + std::string{text};
    }

    journal::Journal& journal_;
    std::string device_;
};

mqtt::Options mqtt_options(const Provisioning& provisioning, const Credential& credential) {
    mqtt::Options options;
    options.host = provisioning.mqtt_host;
    options.port = provisioning.mqtt_port;
    options.client_id = provisioning.device;
    options.credentials.ca_file = credential.ca_file;
    options.credentials.certificate_file = credential.certificate_file;
    options.credentials.key_file = credential.key_file;
    return options;
}

}  // namespace

struct Device::Parts {
    Parts(
        doors::Doors& doors,
        DeviceOptions given,
        const Credential& credential,
        std::unique_ptr<FileFlash> opened,
        std::unique_ptr<FileFlash> opened_backlog,
        std::string factory,
        hal::Adc& adc,
        hal::Actuators& actuators
    )
        : options{std::move(given)},
          flash{std::move(opened)},
          backlog{std::move(opened_backlog)},
          factory_model{std::move(factory)},
          link{
              doors.mqtt, doors.clock, doors.chance, mqtt_options(options.provisioning, credential)
          },
          fetch{
              doors.http,
              credential,
              options.provisioning.devices_url,
              options.provisioning.models_url
          },
          clock{doors.clock},
          time{doors.clock},
          entropy{doors.chance},
          log{doors.journal, options.provisioning.device},
          verifier{doors.tls, options.provisioning.model_public_pem},
          readings(options.readings_max),
          events(options.events_max),
          arenas{
              std::vector<std::byte>(options.arena_bytes),
              std::vector<std::byte>(options.arena_bytes)
          },
          envelope(bundle::envelope_bytes_max),
          counts(signal::waveform_samples),
          windows{long_windows_of(options.asset)},
          signals{adc, options.asset, windows},
          frame(signal::waveform_samples) {
        const hal::Hal hal{
            signals,
            actuators,
            *flash,
            link,
            fetch,
            time,
            entropy,
            watchdog,
            log,
            verifier,
            nullptr,
            backlog.get(),
            factory::read_model(std::as_bytes(std::span{factory_model})),
        };
        node.emplace(
            hal,
            options.asset,
            options.config,
            node::Memory{
                .readings = readings,
                .events = events,
                .arenas = {arenas[0], arenas[1]},
                .envelope = envelope,
                .counts = counts,
                .extractor = &signals,
                .frame = frame,
            }
        );
    }

    DeviceOptions options;
    std::unique_ptr<FileFlash> flash;
    std::unique_ptr<FileFlash> backlog;  // none: nullptr
    std::string factory_model;           // none: empty
    MqttLink link;
    HttpFetch fetch;
    clock::Clock& clock;
    HostTime time;
    HostEntropy entropy;
    hal::CountingWatchdog watchdog;
    HostLog log;
    Signature verifier;
    std::vector<node::WaitingReading> readings;
    std::vector<node::WaitingDeviceEvent> events;
    std::array<std::vector<std::byte>, 2> arenas;
    std::vector<char> envelope;
    std::vector<std::uint16_t> counts;
    std::vector<signal::LongWindow> windows;
    node::Gapless signals;
    std::vector<std::uint16_t> frame;
    std::optional<node::Node> node;
};

Device::Device(std::unique_ptr<Parts> parts) : parts_{std::move(parts)} {}

Device::~Device() = default;

Outcome<std::unique_ptr<Device>> Device::make(
    doors::Doors& doors, DeviceOptions options, hal::Adc& adc, hal::Actuators& actuators
) {
    if (options.asset.device.view() != options.provisioning.device)
        return fail(
            base::Fault::bad_input,
            "the asset's device is \"" + std::string{options.asset.device.view()} +
                "\", the provisioning's \"" + options.provisioning.device + '"'
        );
    if (auto made = doors.disk.make_directories(options.directory); !made)
        return std::unexpected{made.error()};
    const auto credential = enrol(doors, options.provisioning, options.directory);
    if (!credential) return std::unexpected{credential.error()};
    auto flash = FileFlash::open(doors.disk, options.directory + "/flash.bin", options.flash_bytes);
    if (!flash) return std::unexpected{flash.error()};
    std::unique_ptr<FileFlash> backlog;
    if (options.backlog_bytes != 0) {
        auto opened =
            FileFlash::open(doors.disk, options.directory + "/backlog.bin", options.backlog_bytes);
        if (!opened) return std::unexpected{opened.error()};
        backlog = *std::move(opened);
    }
    auto factory_model = factory_model_in(doors, options.directory);
    if (!factory_model) return std::unexpected{factory_model.error()};
    auto parts = std::make_unique<Parts>(
        doors,
        std::move(options),
        *credential,
        *std::move(flash),
        std::move(backlog),
        *std::move(factory_model),
        adc,
        actuators
    );
    if (const std::string channel{parts->signals.missing()}; !channel.empty())
        return fail(
            base::Fault::bad_input,
            "channel " + channel +
                ": line_hz, line_rms and the sidebands need its signal without "
                "holes, which this machine does not give (stator node --source " +
                channel + "=FILE)"
        );
    return std::unique_ptr<Device>{new Device{std::move(parts)}};
}

bool Device::step() {
    parts_->signals.tend(parts_->clock.monotonic_us());
    return parts_->node->step();
}

node::Status Device::status() const {
    return parts_->node->status();
}

const asset::Asset& Device::asset() const {
    return parts_->options.asset;
}

std::int64_t Device::next_reading_us() const {
    return parts_->node->next_reading_us();
}

std::uint64_t Device::steps() const {
    return parts_->watchdog.fed;
}

bool Device::leave() {
    return parts_->node->leave();
}

std::string Device::trouble() const {
    return parts_->link.reason().empty() ? parts_->fetch.reason() : parts_->link.reason();
}

void Device::disconnect() {
    parts_->link.disconnect();
}

}  // namespace stator::host
