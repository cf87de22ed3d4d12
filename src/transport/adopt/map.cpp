#include "transport/adopt/map.h"

#include "shared/wire/topics.h"
#include "transport/adopt/url.h"
#include "world/settings/read_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace stator::adopt {

namespace {

constexpr std::int64_t week_s = 7 * 24 * 3600;

// Members of a telemetry message that mean something else than a channel.
constexpr std::array<std::string_view, 17> reserved{
    "deviceID",
    "timeStamp",
    "fft_data",
    "boot",
    "seq",
    "clock",
    "features",
    "featureSet",
    "inference",
    "threshold",
    "alarm",
    "model",
    "firmware",
    "event",
    "adopted",
    "severity",
    "contributions"
};

// A TOML table that knows where it stands and which of its keys were asked for.
class Table {
  public:
    Table(const toml::table& table, const std::string& file, std::string what)
        : table_{table}, file_{file}, what_{std::move(what)} {}

    [[nodiscard]] std::string where() const { return where_of(table_); }

    [[nodiscard]] const toml::node* node(const std::string& key) {
        seen_.insert(key);
        return table_.get(key);
    }

    [[nodiscard]] std::unexpected<Error> wrong(const std::string& key, const std::string& why)
        const {
        const toml::node* at = table_.get(key);
        const std::string where = where_of(at == nullptr ? table_ : *at);
        return fail(base::Fault::bad_input, fmt::format("{}: {}: {} {}", where, what_, key, why));
    }

    // Empty when the key is not there.
    [[nodiscard]] Outcome<std::string> text(const std::string& key) {
        const toml::node* found = node(key);
        if (found == nullptr) return std::string{};
        if (!found->is_string()) return wrong(key, "must be a text in quotes");
        std::string value = found->value_or(std::string{});
        if (value.empty()) return wrong(key, "is empty");
        if (value.find('\0') != std::string::npos) return wrong(key, "holds a NUL");
        return value;
    }

    [[nodiscard]] Outcome<std::int64_t> whole(
        const std::string& key, std::int64_t otherwise, std::int64_t min, std::int64_t max
    ) {
        const toml::node* found = node(key);
        if (found == nullptr) return otherwise;
        const auto value = found->value<std::int64_t>();
        if (!found->is_integer() || !value || *value < min || *value > max)
            return wrong(key, fmt::format("must be a whole number from {} to {}", min, max));
        return *value;
    }

    // Nothing when the key is not there.
    [[nodiscard]] Outcome<std::optional<Path>> path(const std::string& key) {
        auto value = text(key);
        if (!value) return std::unexpected(value.error());
        if (value->empty()) return std::optional<Path>{};
        auto made = parse_path(*value);
        if (!made) return wrong(key, fmt::format("\"{}\": {}", *value, made.error().what));
        return std::optional<Path>{std::move(*made)};
    }

    [[nodiscard]] Outcome<void> finish() const {
        for (const auto& [key, value] : table_)
            if (!seen_.contains(std::string{key.str()}))
                return wrong(std::string{key.str()}, "is an unknown key");
        return {};
    }

  private:
    [[nodiscard]] std::string where_of(const toml::node& at) const {
        return fmt::format("{}:{}", file_, at.source().begin.line);
    }

    const toml::table& table_;
    const std::string& file_;
    std::string what_;
    std::set<std::string> seen_;
};

Outcome<void> read_url(Table& table, Broker& broker) {
    auto url = table.text("url");
    if (!url) return std::unexpected(url.error());
    if (url->empty()) return table.wrong("url", "is missing: \"mqtts://host:8883\"");
    auto made = parse_url(*url);
    if (!made) return table.wrong("url", made.error().what);
    broker.protocol = made->kafka ? Protocol::kafka : Protocol::mqtt;
    broker.tls = made->tls;
    broker.port = made->port;
    (made->kafka ? broker.brokers : broker.host) = std::move(made->host);
    return {};
}

Outcome<Broker> read_broker(Table& table, const std::string& name) {
    Broker broker;
    broker.name = name;
    if (!wire::valid_id(name))
        return table.wrong("broker." + name, "has a name of other than A-Z a-z 0-9 . _ -");
    if (auto done = read_url(table, broker); !done) return std::unexpected(done.error());
    for (const auto& [key, member] :
         {std::pair{"client_id", &Broker::client_id},
          std::pair{"username", &Broker::username},
          std::pair{"password_file", &Broker::password_file},
          std::pair{"ca_file", &Broker::ca_file},
          std::pair{"certificate_file", &Broker::certificate_file},
          std::pair{"key_file", &Broker::key_file}}) {
        auto value = table.text(key);
        if (!value) return std::unexpected(value.error());
        broker.*member = std::move(*value);
    }
    if (broker.client_id.empty()) broker.client_id = "stator-" + name;
    if (broker.client_id.size() > 128) return table.wrong("client_id", "is over 128 bytes");
    if (broker.certificate_file.empty() != broker.key_file.empty())
        return table.wrong("certificate_file", "and key_file come together");
    if (!broker.tls && !(broker.ca_file + broker.certificate_file).empty())
        return table.wrong("ca_file", "is for mqtts:// and kafkas://");
    if (broker.tls && broker.ca_file.empty())
        return table.wrong("ca_file", "is missing: whom to believe that it is this broker");
    if (broker.username.empty() != broker.password_file.empty())
        return table.wrong("username", "and password_file come together");
    auto version = table.whole("protocol_version", 5, 4, 5);
    if (!version) return std::unexpected(version.error());
    broker.protocol_version = static_cast<int>(*version);
    auto in_flight = table.whole("in_flight_max", 1000, 1, 65'535);
    if (!in_flight) return std::unexpected(in_flight.error());
    broker.in_flight_max = static_cast<std::uint16_t>(*in_flight);
    auto session = table.whole("session_s", week_s, 60, 0xFFFFFFFFLL);
    if (!session) return std::unexpected(session.error());
    broker.session_s = static_cast<std::uint32_t>(*session);
    if (auto done = table.finish(); !done) return std::unexpected(done.error());
    return broker;
}

std::optional<Unit> unit_of_channel(const asset::Asset& asset, const std::string& name) {
    for (const asset::Channel& channel : asset.channels)
        if (channel.name.view() == name) return find_unit(channel.unit.view());
    return std::nullopt;
}

bool has_feature(const asset::Asset& asset, const std::string& name) {
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        if (asset::feature_name(asset, i).view() == name) return true;
    return false;
}

class SourceReader {
  public:
    SourceReader(Table table, const std::string& file, std::span<const asset::Asset> assets)
        : table_{std::move(table)}, file_{file}, assets_{assets} {}

    Outcome<Source> read(const std::vector<Broker>& brokers) {
        made_.where = table_.where();
        auto done = read_broker_and_topic(brokers);
        if (done) done = read_device();
        if (done) done = read_time();
        if (done) done = read_numbers();
        if (done) done = read_inference();
        if (done) done = read_fields();
        if (done) done = table_.finish();
        if (!done) return std::unexpected(done.error());
        return std::move(made_);
    }

  private:
    Outcome<void> read_broker_and_topic(const std::vector<Broker>& brokers) {
        auto name = table_.text("broker");
        if (!name) return std::unexpected(name.error());
        const auto found = std::ranges::find(brokers, *name, &Broker::name);
        if (found == brokers.end())
            return table_.wrong(
                "broker",
                name->empty() ? "is missing"
                              : fmt::format("\"{}\" has no [broker.{}]", *name, *name)
            );
        made_.broker = static_cast<std::size_t>(found - brokers.begin());
        kafka_ = found->protocol == Protocol::kafka;
        auto topic = table_.text("topic");
        if (!topic) return std::unexpected(topic.error());
        auto pattern = Pattern::parse(*topic);
        if (!pattern) return table_.wrong("topic", pattern.error().what);
        if (kafka_ && (pattern->has_wildcard() || topic->find('/') != std::string::npos))
            return table_.wrong("topic", "of Kafka is one name, without wildcards");
        made_.topic = std::move(*pattern);
        return {};
    }

    Outcome<void> read_device() {
        auto asset = table_.text("asset");
        if (!asset) return std::unexpected(asset.error());
        auto device = table_.text("device");
        if (!device) return std::unexpected(device.error());
        auto path = table_.path("device_path");
        if (!path) return std::unexpected(path.error());
        const int given = (asset->empty() ? 0 : 1) + (device->empty() ? 0 : 1) + (*path ? 1 : 0);
        if (given != 1)
            return table_.wrong("device", "is said once: as asset, as device, or as device_path");
        made_.device_path = std::move(*path);
        if (made_.device_path) return {};
        if (!asset->empty()) {
            const auto found = std::ranges::find(assets_, *asset, [](const asset::Asset& it) {
                return it.id.view();
            });
            if (found == assets_.end())
                return table_.wrong(
                    "asset", fmt::format("\"{}\" is no [[asset]] of stator.toml", *asset)
                );
            if (found->mode == asset::Mode::act)
                return table_.wrong(
                    "asset",
                    fmt::format(
                        "\"{}\" acts: what another broker vouches for may only be observed. Give "
                        "it mode = \"observe\" in stator.toml",
                        *asset
                    )
                );
            asset_ = &*found;
            *device = found->device.view();
        }
        auto filled = Template::parse(*device);
        if (!filled) return table_.wrong("device", filled.error().what);
        for (const std::string& name : filled->names())
            if (!made_.topic.captures(name) && !(kafka_ && name == "key"))
                return table_.wrong("device", fmt::format("{{{}}} is not in the topic", name));
        if (filled->names().empty() && !wire::valid_id(*device))
            return table_.wrong("device", "is 1 to 64 of A-Z a-z 0-9 . _ -");
        made_.device = std::move(*filled);
        return {};
    }

    Outcome<void> read_time() {
        auto path = table_.path("time");
        if (!path) return std::unexpected(path.error());
        auto unit = table_.text("time_unit");
        if (!unit) return std::unexpected(unit.error());
        if (!*path) {
            if (unit->empty()) return {};
            return table_.wrong("time_unit", "needs time, the path of the field");
        }
        made_.time = std::move(**path);
        for (const auto& [name, value] :
             {std::pair{"s", TimeUnit::s},
              std::pair{"ms", TimeUnit::ms},
              std::pair{"us", TimeUnit::us},
              std::pair{"ns", TimeUnit::ns},
              std::pair{"iso8601", TimeUnit::iso8601}})
            if (*unit == name) made_.time_unit = value;
        if (made_.time_unit == TimeUnit::received)
            return table_.wrong("time_unit", "must be one of s, ms, us, ns, iso8601");
        return {};
    }

    Outcome<void> read_numbers() {
        auto seq = table_.path("seq");
        if (!seq) return std::unexpected(seq.error());
        auto boot = table_.path("boot");
        if (!boot) return std::unexpected(boot.error());
        made_.seq = std::move(*seq);
        made_.boot = std::move(*boot);
        if (made_.boot && !made_.seq)
            return table_.wrong("boot", "needs seq, the number that it begins anew");
        return {};
    }

    Outcome<void> read_inference() {
        auto path = table_.path("inference");
        if (!path) return std::unexpected(path.error());
        made_.inference = std::move(*path);
        const toml::node* threshold = table_.node("threshold");
        if (threshold == nullptr) return {};
        const auto value = threshold->value<double>();
        if (!made_.inference) return table_.wrong("threshold", "needs inference");
        if (!value || !(*value >= 0.0 && *value <= 1.0))
            return table_.wrong("threshold", "must be a number from 0 to 1");
        made_.threshold = static_cast<float>(*value);
        return {};
    }

    Outcome<void> read_fields() {
        const toml::node* node = table_.node("channel");
        const toml::array* list = node == nullptr ? nullptr : node->as_array();
        if (list == nullptr || list->empty()) {
            if (node == nullptr && made_.inference) return {};
            return table_.wrong("channel", "is missing: write [[source.channel]]");
        }
        if (list->size() > channels_max) return table_.wrong("channel", "has over 24 entries");
        for (const toml::node& item : *list) {
            const toml::table* table = item.as_table();
            if (table == nullptr)
                return table_.wrong("channel", "must be a table: [[source.channel]]");
            auto field = read_field(Table{*table, file_, "channel"});
            if (!field) return std::unexpected(field.error());
            made_.fields.push_back(std::move(*field));
        }
        return {};
    }

    Outcome<Field> read_field(Table table) {
        Field field;
        auto name = table.text("name");
        if (!name) return std::unexpected(name.error());
        if (auto good = check_name(table, *name); !good) return std::unexpected(good.error());
        field.channel = *name;
        auto path = table.path("path");
        if (!path) return std::unexpected(path.error());
        if (!*path) return table.wrong("path", "is missing: \"$.value\"");
        field.path = std::move(**path);
        if (auto done = read_units(table, field); !done) return std::unexpected(done.error());
        if (auto done = table.finish(); !done) return std::unexpected(done.error());
        return field;
    }

    [[nodiscard]] Outcome<void> check_name(const Table& table, const std::string& name) const {
        if (name.empty() || name.size() > asset::name_bytes_max)
            return table.wrong("name", "has 1 to 32 bytes");
        if (name.find_first_of("\"\\,\r\n\t") != std::string::npos)
            return table.wrong("name", "holds a quote, a comma or a control character");
        if (std::ranges::find(reserved, name) != reserved.end())
            return table.wrong("name", fmt::format("\"{}\" has a meaning of its own", name));
        if (std::ranges::find(made_.fields, name, &Field::channel) != made_.fields.end())
            return table.wrong("name", fmt::format("\"{}\" stands twice", name));
        if (asset_ != nullptr && !unit_of_channel(*asset_, name) && !has_feature(*asset_, name))
            return table.wrong(
                "name", fmt::format("\"{}\" is no channel of {}", name, asset_->id.view())
            );
        return {};
    }

    [[nodiscard]] Outcome<void> read_units(Table& table, Field& field) const {
        auto unit = table.text("unit");
        if (!unit) return std::unexpected(unit.error());
        auto to = table.text("to");
        if (!to) return std::unexpected(to.error());
        if (unit->empty())
            return table.wrong("unit", "of the field is missing; \"1\" is of no unit");
        const auto from = find_unit(*unit);
        if (!from)
            return table.wrong("unit", fmt::format("\"{}\" is not one of {}", *unit, all_units()));
        field.from = *from;
        field.to = base_of(from->quantity);
        if (asset_ != nullptr)
            field.to = unit_of_channel(*asset_, field.channel).value_or(field.to);
        if (!to->empty()) {
            const auto wanted = find_unit(*to);
            if (!wanted)
                return table.wrong("to", fmt::format("\"{}\" is not one of {}", *to, all_units()));
            field.to = *wanted;
        }
        if (field.to.quantity == field.from.quantity) return {};
        return table.wrong(
            "unit",
            fmt::format(
                "\"{}\" is {}, but {} is in {}, a {}; there are {}",
                field.from.name,
                name_of(field.from.quantity),
                field.channel,
                field.to.name,
                name_of(field.to.quantity),
                units_of(field.to.quantity)
            )
        );
    }

    Table table_;
    const std::string& file_;
    std::span<const asset::Asset> assets_;
    const asset::Asset* asset_ = nullptr;
    bool kafka_ = false;
    Source made_;
};

class Reader {
  public:
    Reader(const toml::table& root, const std::string& file, std::span<const asset::Asset> assets)
        : root_{root, file, "the map"}, file_{file}, assets_{assets} {}

    Outcome<Map> read() {
        auto done = read_brokers();
        if (done) done = read_sources();
        if (done) done = root_.finish();
        if (!done) return std::unexpected(done.error());
        return std::move(made_);
    }

  private:
    Outcome<void> read_brokers() {
        const toml::node* node = root_.node("broker");
        const toml::table* all = node == nullptr ? nullptr : node->as_table();
        if (all == nullptr) return root_.wrong("broker", "is missing: write [broker.NAME]");
        if (all->size() > brokers_max) return root_.wrong("broker", "has over 32 entries");
        for (const auto& [key, item] : *all) {
            const std::string name{key.str()};
            const toml::table* table = item.as_table();
            if (table == nullptr) return root_.wrong("broker", "is written [broker.NAME]");
            Table its{*table, file_, "broker." + name};
            auto broker = read_broker(its, name);
            if (!broker) return std::unexpected(broker.error());
            made_.brokers.push_back(std::move(*broker));
        }
        return {};
    }

    Outcome<void> read_sources() {
        const toml::node* node = root_.node("source");
        const toml::array* all = node == nullptr ? nullptr : node->as_array();
        if (all == nullptr || all->empty())
            return root_.wrong("source", "is missing: write [[source]]");
        if (all->size() > sources_max) return root_.wrong("source", "has over 512 entries");
        for (const toml::node& item : *all) {
            const toml::table* table = item.as_table();
            if (table == nullptr) return root_.wrong("source", "is written [[source]]");
            SourceReader reader{Table{*table, file_, "source"}, file_, assets_};
            auto source = reader.read(made_.brokers);
            if (!source) return std::unexpected(source.error());
            made_.sources.push_back(std::move(*source));
        }
        return {};
    }

    Table root_;
    const std::string& file_;
    std::span<const asset::Asset> assets_;
    Map made_;
};

}  // namespace

Outcome<Map> read_map(
    std::string_view toml, const std::string& file, std::span<const asset::Asset> assets
) {
    if (toml.size() > map_bytes_max)
        return fail(base::Fault::bad_input, file + ": a map has at most 1 MiB");
    const auto root = settings::read_toml(toml, file);
    if (!root) return std::unexpected{root.error()};
    return Reader{*root, file, assets}.read();
}

}  // namespace stator::adopt
