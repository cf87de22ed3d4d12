#include "sense/factory/page.h"

#include "shared/base/crc32c.h"
#include "shared/wire/json.h"
#include "shared/wire/topics.h"

#include <algorithm>
#include <cstring>

namespace stator::factory {
namespace {

using base::Fault;
using base::Result;
using wire::Value;

constexpr std::uint32_t magic = 0x5053'5453;  // "STSP"
constexpr std::size_t head_bytes = 12;
constexpr std::size_t field_count = 5;
constexpr std::size_t facts_bytes_max = 8192;
// Of the facts. 1, which they do not say, had no topics: who knows only it would take the defaults.
// 2 had no reference sampling: who knows only it would take such a channel for a slow one.
constexpr std::uint32_t format = 3;
constexpr std::uint32_t format_without_reference = 2;

void put_u32(std::span<std::byte> at, std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i)
        at[i] = static_cast<std::byte>(value >> 8U * i & 0xFFU);
}

std::uint32_t get_u32(std::span<const std::byte> at) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
        value |= std::to_integer<std::uint32_t>(at[i]) << 8U * i;
    return value;
}

bool has_reference(const asset::Asset& asset) {
    return std::ranges::any_of(asset.channels, [](const asset::Channel& channel) {
        return channel.sampling == asset::Sampling::reference;
    });
}

void write_asset(wire::Writer& writer, const asset::Asset& asset) {
    writer.key("asset")
        .begin_object()
        .member("id", asset.id.view())
        .member("title", asset.title.view())
        .member("device", asset.device.view())
        .member("class", asset.device_class.view())
        .member("act", asset.mode == asset::Mode::act)
        .member("severityPotential", asset.severity_potential)
        .member("severityImminent", asset.severity_imminent)
        .member("flowMin", asset.effect_flow_min)
        .member("effectTimeoutMS", asset.effect_timeout_ms)
        .member("minOnMS", asset.interlock.min_on_ms)
        .member("minOffMS", asset.interlock.min_off_ms)
        .member("startsPerHour", asset.interlock.starts_per_hour)
        .member("deadManMS", asset.interlock.dead_man_ms)
        .member("expiryMS", asset.interlock.expiry_ms)
        .key("channels")
        .begin_array();
    for (const asset::Channel& channel : asset.channels) {
        writer.begin_object()
            .member("name", channel.name.view())
            .member("unit", channel.unit.view())
            .member("waveform", channel.sampling == asset::Sampling::waveform);
        if (channel.sampling == asset::Sampling::reference) writer.member("reference", true);
        writer.member("zero", channel.calibration.zero_counts)
            .member("scale", channel.calibration.unit_per_count)
            .member("offset", channel.calibration.offset)
            .member("min", channel.plausible_min)
            .member("max", channel.plausible_max)
            .member("countsMax", channel.counts_max)
            .member("stuckS", channel.stuck_after_s)
            .end_object();
    }
    writer.end_array().key("features").begin_array();
    for (const asset::Feature& feature : asset.features)
        writer.begin_object()
            .member("channel", feature.channel)
            .member("statistic", asset::name_of(feature.statistic))
            .end_object();
    writer.end_array().end_object();
}

void write_assigned(wire::Writer& writer, const AssignedDevices& assigned) {
    writer.key("assigned").begin_array();
    for (const Assigned& one : assigned)
        writer.begin_object()
            .member("device", one.device.view())
            .member("severityPotential", one.severity_potential)
            .member("severityImminent", one.severity_imminent)
            .end_object();
    writer.end_array();
}

void write_topics(wire::Writer& writer, const wire::Topics& topics) {
    writer.key("topics")
        .begin_object()
        .member("data", topics.data.view())
        .member("level1", topics.inference.view())
        .member("level2", topics.alert.view())
        .member("control", topics.control.view())
        .end_object();
}

Result<std::string_view> write_facts(
    const Facts& facts,
    const AssignedDevices& assigned,
    const wire::Topics& topics,
    std::span<char> into
) {
    wire::Writer writer{into};
    writer.begin_object().member("host", facts.host.view()).key("address").begin_array();
    for (const std::uint8_t part : facts.address)
        writer.value(part);
    writer.end_array()
        .member("mqttPort", facts.mqtt_port)
        .member("devicesPort", facts.devices_port)
        .member("modelsPort", facts.models_port)
        .member("timePort", facts.time_port)
        .member("timeMin", facts.unix_s_min)
        .member("intervalMS", facts.interval_ms)
        .member("waveformS", facts.waveform_interval_s)
        .member("format", has_reference(facts.asset) ? format : format_without_reference);
    write_topics(writer, topics);
    write_asset(writer, facts.asset);
    if (!assigned.empty()) write_assigned(writer, assigned);
    writer.end_object();
    return writer.finish();
}

// Reads members; the first fault stays.
class Reader {
  public:
    explicit Reader(const Value& from) : from_{from} {}

    template <std::size_t bytes_max>
    void text(std::string_view name, base::FixedString<bytes_max>& into) {
        fine_ = from_.text(name, into).has_value() && fine_;
    }

    template <typename T>
    void whole(std::string_view name, T& into, std::int64_t least, std::int64_t most) {
        const auto value = from_.integer(name);
        fine_ = fine_ && value && *value >= least && *value <= most;
        if (fine_) into = static_cast<T>(*value);
    }

    void number(std::string_view name, float& into) {
        const auto value = from_.number_float(name);
        fine_ = fine_ && value;
        if (fine_) into = *value;
    }

    [[nodiscard]] bool flag(std::string_view name) {
        const auto value = from_.boolean(name);
        fine_ = fine_ && value;
        return fine_ && *value;
    }

    [[nodiscard]] Value part(std::string_view name) {
        const auto value = from_.member(name);
        fine_ = fine_ && value;
        return fine_ ? *value : Value{};
    }

    [[nodiscard]] bool fine() const { return fine_; }

  private:
    Value from_;
    bool fine_ = true;
};

bool read_channel(const Value& value, asset::Asset& asset) {
    asset::Channel channel;
    Reader in{value};
    in.text("name", channel.name);
    in.text("unit", channel.unit);
    channel.sampling = in.flag("waveform") ? asset::Sampling::waveform : asset::Sampling::slow;
    if (value.member("reference") && in.flag("reference"))
        channel.sampling = asset::Sampling::reference;
    in.number("zero", channel.calibration.zero_counts);
    in.number("scale", channel.calibration.unit_per_count);
    in.number("offset", channel.calibration.offset);
    in.number("min", channel.plausible_min);
    in.number("max", channel.plausible_max);
    in.whole("countsMax", channel.counts_max, 1, 0xFFFF);
    if (value.member("stuckS")) in.whole("stuckS", channel.stuck_after_s, 0, 0x7FFF'FFFF);
    return in.fine() && asset.channels.push_back(channel);
}

bool read_feature(const Value& value, asset::Asset& asset) {
    constexpr auto last = static_cast<int>(asset::Statistic::velocity_rms);
    asset::Feature feature;
    Reader in{value};
    in.whole("channel", feature.channel, 0, static_cast<std::int64_t>(asset.channels.size()) - 1);
    base::FixedString<32> name;
    in.text("statistic", name);
    if (!in.fine()) return false;
    for (int i = 0; i <= last; ++i) {
        feature.statistic = static_cast<asset::Statistic>(i);
        if (asset::name_of(feature.statistic) == name.view())
            return asset.features.push_back(feature);
    }
    return false;
}

bool read_asset(const Value& value, asset::Asset& asset) {
    Reader in{value};
    in.text("id", asset.id);
    in.text("title", asset.title);
    in.text("device", asset.device);
    in.text("class", asset.device_class);
    asset.mode = in.flag("act") ? asset::Mode::act : asset::Mode::observe;
    in.number("severityPotential", asset.severity_potential);
    in.number("severityImminent", asset.severity_imminent);
    in.number("flowMin", asset.effect_flow_min);
    in.whole("effectTimeoutMS", asset.effect_timeout_ms, 1, 3'600'000);
    if (value.member("minOnMS")) {  // pages of an earlier release do not say them
        using namespace interlock;
        Rules& rules = asset.interlock;
        in.whole("minOnMS", rules.min_on_ms, 0, min_on_ms_max);
        in.whole("minOffMS", rules.min_off_ms, 0, min_off_ms_max);
        in.whole("startsPerHour", rules.starts_per_hour, 1, starts_per_hour_max);
        in.whole("deadManMS", rules.dead_man_ms, 0, dead_man_ms_max);
        in.whole("expiryMS", rules.expiry_ms, expiry_ms_min, expiry_ms_max);
    }
    wire::Elements channels = in.part("channels").elements();
    wire::Elements features = in.part("features").elements();
    Value element;
    while (channels.next(element))
        if (!read_channel(element, asset)) return false;
    while (features.next(element))
        if (!read_feature(element, asset)) return false;
    return in.fine() && asset.channels.size() > 0 && asset.features.size() > 0 &&
           wire::valid_id(asset.device.view());
}

bool read_topics_of(const Value& facts, wire::Topics& topics) {
    const auto names = facts.member("topics");
    if (!names) return true;
    Reader in{*names};
    in.text("data", topics.data);
    in.text("level1", topics.inference);
    in.text("level2", topics.alert);
    in.text("control", topics.control);
    return in.fine() && topics.can_be();
}

bool read_facts(std::string_view json, Facts& facts) {
    const auto root = Value::parse(json, facts_bytes_max);
    if (!root) return false;
    constexpr std::int64_t port_max = 65'535;
    Reader in{*root};
    in.text("host", facts.host);
    in.whole("mqttPort", facts.mqtt_port, 1, port_max);
    in.whole("devicesPort", facts.devices_port, 1, port_max);
    in.whole("modelsPort", facts.models_port, 1, port_max);
    in.whole("timePort", facts.time_port, 1, port_max);
    in.whole("timeMin", facts.unix_s_min, 0, std::int64_t{1} << 40U);
    in.whole("intervalMS", facts.interval_ms, 1, 3'600'000);
    if (root->member("waveformS")) in.whole("waveformS", facts.waveform_interval_s, 0, 30'000'000);
    std::uint32_t its_format = 1;
    if (root->member("format")) in.whole("format", its_format, 1, format);
    wire::Topics topics;
    if (!read_topics_of(*root, topics)) return false;
    const Value address = in.part("address");
    if (!in.fine() || facts.host.empty() || address.size() != facts.address.size()) return false;
    wire::Elements parts = address.elements();
    for (std::uint8_t& part : facts.address) {
        Value element;
        if (!parts.next(element)) return false;
        const auto number = element.integer();
        if (!number || *number < 0 || *number > 255) return false;
        part = static_cast<std::uint8_t>(*number);
    }
    return read_asset(in.part("asset"), facts.asset);
}

}  // namespace

Result<std::span<const std::byte>> write_page(
    const Page& page,
    std::span<std::byte> into,
    const AssignedDevices& assigned,
    const wire::Topics& topics
) {
    std::array<char, facts_bytes_max> json{};
    const auto facts = write_facts(page.facts, assigned, topics, json);
    if (!facts) return std::unexpected{facts.error()};
    std::size_t size = head_bytes;
    for (const std::string_view field :
         {*facts, page.ca_pem, page.certificate_pem, page.key_pem, page.model_public_pem}) {
        if (size + 4 + field.size() + 1 > into.size()) return std::unexpected{Fault::full};
        put_u32(into.subspan(size), static_cast<std::uint32_t>(field.size() + 1));
        std::ranges::copy(
            std::as_bytes(std::span{field}), into.begin() + static_cast<std::ptrdiff_t>(size + 4)
        );
        size += 4 + field.size() + 1;
        into[size - 1] = std::byte{0};
    }
    const auto body = into.first(size).subspan(head_bytes);
    put_u32(into, magic);
    put_u32(into.subspan(4), static_cast<std::uint32_t>(body.size()));
    put_u32(into.subspan(8), base::crc32c(body));
    return into.first(size);
}

Result<Page> read_page(std::span<const std::byte> flash) {
    if (flash.size() < head_bytes || get_u32(flash) != magic)
        return std::unexpected{Fault::not_found};
    const std::size_t bytes = get_u32(flash.subspan(4));
    if (bytes > std::min(flash.size(), page_bytes_max) - head_bytes)
        return std::unexpected{Fault::corrupt};
    auto rest = flash.subspan(head_bytes, bytes);
    if (base::crc32c(rest) != get_u32(flash.subspan(8))) return std::unexpected{Fault::corrupt};
    std::array<std::string_view, field_count> fields;
    for (std::string_view& field : fields) {
        const std::size_t size = rest.size() < 4 ? 0 : get_u32(rest);
        if (size == 0 || size > rest.size() - 4 || rest[4 + size - 1] != std::byte{0})
            return std::unexpected{Fault::bad_input};
        field = {reinterpret_cast<const char*>(rest.data()) + 4, size - 1};
        rest = rest.subspan(4 + size);
    }
    Page page;
    if (!rest.empty() || !read_facts(fields[0], page.facts))
        return std::unexpected{Fault::bad_input};
    page.facts_json = fields[0];
    page.ca_pem = fields[1];
    page.certificate_pem = fields[2];
    page.key_pem = fields[3];
    page.model_public_pem = fields[4];
    return page;
}

wire::Topics read_topics(const Page& page) {
    wire::Topics topics;
    if (const auto root = Value::parse(page.facts_json, facts_bytes_max))
        static_cast<void>(read_topics_of(*root, topics));
    return topics;
}

Result<AssignedDevices> read_assigned(const Page& page) {
    const auto root = Value::parse(page.facts_json, facts_bytes_max);
    if (!root) return std::unexpected{Fault::bad_input};
    const auto list = root->member("assigned");
    if (!list) return std::unexpected{Fault::not_found};
    AssignedDevices assigned;
    wire::Elements elements = list->elements();
    Value element;
    while (elements.next(element)) {
        Assigned one;
        Reader in{element};
        in.text("device", one.device);
        in.number("severityPotential", one.severity_potential);
        in.number("severityImminent", one.severity_imminent);
        if (!in.fine() || !wire::valid_id(one.device.view()) || !assigned.push_back(one))
            return std::unexpected{Fault::bad_input};
    }
    if (assigned.empty()) return std::unexpected{Fault::not_found};
    return assigned;
}

}  // namespace stator::factory
