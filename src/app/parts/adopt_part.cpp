#include "app/parts/parts.h"
#include "app/site/layout.h"
#include "store/devices/registry.h"
#include "transport/adopt/adoption.h"

#include <algorithm>

namespace stator::parts {

namespace {

class AdoptPart final : public part::Part {
  public:
    explicit AdoptPart(std::unique_ptr<adopt::Adoption> adoption)
        : adoption_{std::move(adoption)} {}

    [[nodiscard]] std::string_view name() const override { return "adopt"; }

    Outcome<bool> step() override { return adoption_->step(); }

    void wait(std::int64_t timeout_us) override { adoption_->wait(timeout_us); }

    std::string metrics() override { return adoption_->metrics().render(); }

  private:
    std::unique_ptr<adopt::Adoption> adoption_;
};

// Level 2 may raise alerts about machines that are only observed, though they are not enrolled.
Outcome<void> let_level2_judge(doors::Doors& doors, const config::Config& config) {
    std::vector<std::string> devices;
    for (const asset::Asset& asset : config.assets)
        if (asset.mode == asset::Mode::observe && !asset.device.empty())
            devices.emplace_back(asset.device.view());
    if (devices.empty()) return {};
    auto registry = devices::Registry::make(doors, {.state_directory = config.state_dir});
    if (!registry) return std::unexpected(registry.error());
    return (*registry)->assign("level2-1", devices);
}

}  // namespace

Outcome<std::vector<std::string>> adopted_devices(
    doors::Doors& doors, const config::Config& config
) {
    std::vector<std::string> devices;
    if (config.adopt_map.empty()) return devices;
    auto text = doors.disk.read_all(config.adopt_map, adopt::map_bytes_max);
    if (!text) return std::unexpected(text.error());
    auto map = adopt::read_map(*text, config.adopt_map, config.assets);
    if (!map) return std::unexpected(map.error());
    for (const adopt::Source& source : map->sources)
        if (source.device && source.device->names().empty())
            devices.push_back(source.device->fill({}));
    return devices;
}

Made make_adopt(
    doors::Doors& doors,
    const adopt::Ways& ways,
    const config::Config& config,
    const std::string& map_file
) {
    const site::Layout layout{config};
    adopt::Options options;
    options.map_file = map_file;
    options.assets = config.assets;
    options.log_directory = layout.log_directory();
    options.mqtt = layout.mqtt("adopt");
    options.data_topic = config.topics.data;
    options.level1_topic = config.topics.level1;
    if (const std::string& file = options.mqtt.credentials.certificate_file;
        !doors.disk.exists(file))
        return fail(
            base::Fault::not_found,
            file + " is not there: run `stator init` again, which makes what a site lacks"
        );
    if (auto done = let_level2_judge(doors, config); !done) return std::unexpected(done.error());
    auto made = adopt::Adoption::make(doors, ways, std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::make_unique<AdoptPart>(std::move(*made));
}

}  // namespace stator::parts
