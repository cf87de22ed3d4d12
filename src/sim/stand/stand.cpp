#include "sim/stand/stand.h"

#include <fmt/format.h>

#include <array>

namespace stator::stand {

namespace {

struct Trouble {
    plant::Kind kind;
    bool backup_blocked;
};

constexpr std::array<Trouble, 3> troubles{{
    {plant::Kind::bearing_wear, false},
    {plant::Kind::imbalance, true},
    {plant::Kind::blocked_flow, false},
}};
constexpr double growth_s = 120.0;
constexpr double healthy_s = 90.0;         // before each fault
constexpr double flow_s = 20.0;            // of backup, then the repair is done
constexpr double without_effect_s = 15.0;  // then somebody opens what blocks the backup

double seconds(std::uint64_t samples) {
    return static_cast<double>(samples) / static_cast<double>(hal::sampling_rate_hz);
}

}  // namespace

Stand::Stand(const Options& options, const asset::Asset& asset, std::ostream& told)
    : plant_{options.seed, asset}, hears_{options.hears}, told_{told} {
    plant_.set_gapless();
    plant_.advance_to(commissioning_s);
}

void Stand::tell(std::string_view what, std::string_view text) {
    told_ << samples_ << ' ' << what << ' ' << text << '\n';
}

bool Stand::lasts(bool it, std::uint64_t& since, double duration_s) const {
    if (!it) since = samples_;
    return seconds(samples_ - since) >= duration_s;
}

void Stand::happen() {
    const bool pumps = lasts(broken_ && pump_, pump_since_, without_effect_s);
    const bool flows = broken_ && pump_ && valve_degrees_ == 180 && !blocked_;
    const bool enough = lasts(flows, flow_since_, flow_s);
    const bool due = lasts(!broken_, healthy_since_, healthy_s);
    if (due && faults_ < troubles.size()) {
        const Trouble& trouble = troubles[faults_++];
        broken_ = true;
        blocked_ = trouble.backup_blocked;
        plant_.break_with(trouble.kind, growth_s);
        plant_.set_backup_blocked(blocked_);
        tell("breaks", plant::name_of(trouble.kind));
    } else if (blocked_ && pumps) {
        blocked_ = false;
        plant_.set_backup_blocked(false);
        tell("backup", "opened");
    } else if (enough) {
        broken_ = false;
        plant_.repair();
        tell("repaired", plant::name_of(plant_.account().back().kind));
    }
}

base::Result<void> Stand::read(std::size_t channel, std::span<std::uint16_t> counts) {
    if (channel == 0) {
        happen();
        plant_.advance_to(commissioning_s + seconds(samples_));
        samples_ += counts.size();
    }
    return plant_.read(channel, counts);
}

void Stand::set_valve_degrees(std::uint8_t degrees) {
    tell("valve", fmt::format("{}", degrees));
    if (!hears_) return;
    valve_degrees_ = degrees;
    plant_.set_valve_degrees(degrees);
}

void Stand::set_backup_pump(bool on) {
    tell("pump", on ? "1" : "0");
    if (!hears_) return;
    pump_ = on;
    plant_.set_backup_pump(on);
}

base::Result<float> Stand::backup_flow_l_per_min() {
    return plant_.backup_flow_l_per_min();
}

}  // namespace stator::stand
