#include "transport/adopt/apply.h"

#include "shared/wire/topics.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>

namespace stator::adopt {

namespace {

using nlohmann::json;

constexpr double seq_max = 9'007'199'254'740'991.0;        // 2^53 - 1: whole as a double, too
constexpr std::int64_t time_ms_max = 253'402'300'799'999;  // the end of the year 9999

std::unexpected<Error> wrong(std::string what) {
    return fail(base::Fault::bad_input, std::move(what));
}

const json* find(const json& root, const Path& path) {
    const json* at = &root;
    for (const Step& step : path.steps) {
        if (step.in_array) {
            if (!at->is_array() || step.index >= at->size()) return nullptr;
            at = &(*at)[step.index];
        } else {
            if (!at->is_object()) return nullptr;
            const auto found = at->find(step.key);
            if (found == at->end()) return nullptr;
            at = &*found;
        }
    }
    return at;
}

std::optional<double> number_of(const json* value) {
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->get<double>();
    const auto* text = value->get_ptr<const std::string*>();
    if (text == nullptr || text->empty()) return std::nullopt;
    double number = 0.0;
    const char* const end = text->data() + text->size();
    const auto [stopped, error] = std::from_chars(text->data(), end, number);
    if (error != std::errc{} || stopped != end) return std::nullopt;
    return number;
}

std::optional<std::uint64_t> natural_of(const json* value, double max) {
    const auto number = number_of(value);
    if (!number || !(*number >= 0.0 && *number <= max) || *number != std::floor(*number))
        return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

std::optional<std::int64_t> time_of(const json* value, TimeUnit unit) {
    if (value == nullptr) return std::nullopt;
    if (unit == TimeUnit::iso8601) {
        const auto* text = value->get_ptr<const std::string*>();
        return text == nullptr ? std::nullopt : parse_iso8601(*text);
    }
    const auto number = number_of(value);
    if (!number) return std::nullopt;
    const double scale = unit == TimeUnit::s    ? 1e3
                         : unit == TimeUnit::us ? 1e-3
                         : unit == TimeUnit::ns ? 1e-6
                                                : 1.0;
    const double time_ms = std::round(*number * scale);
    if (!(time_ms >= 0.0 && time_ms <= static_cast<double>(time_ms_max))) return std::nullopt;
    return static_cast<std::int64_t>(time_ms);
}

Outcome<std::string> device_of(const Source& source, const Arrived& arrived, const json& root) {
    std::string device;
    if (source.device_path) {
        const json* value = find(root, *source.device_path);
        if (value == nullptr) return wrong(source.device_path->text + " is not there");
        if (value->is_string())
            device = value->get<std::string>();
        else if (value->is_number_integer())
            device = value->dump();
    } else if (source.device) {
        Captures captures;
        if (!source.topic.match(arrived.topic, captures)) return wrong("is of another topic");
        if (!arrived.key.empty()) captures.insert_or_assign("key", std::string{arrived.key});
        device = source.device->fill(captures);
    }
    if (!wire::valid_id(device))
        return wrong(fmt::format("its device \"{}\" is not 1 to 64 of A-Z a-z 0-9 . _ -", device));
    return device;
}

Outcome<void> number(const Source& source, const json& root, Reading& reading) {
    if (!source.seq) return {};
    reading.seq = natural_of(find(root, *source.seq), seq_max);
    if (!reading.seq) return wrong(source.seq->text + " is not a whole number from 0 to 2^53");
    reading.boot = 0;
    if (!source.boot) return {};
    const auto boot = natural_of(find(root, *source.boot), 4'294'967'295.0);
    if (!boot) return wrong(source.boot->text + " is not a whole number below 2^32");
    reading.boot = static_cast<std::uint32_t>(*boot);
    return {};
}

// `count` digits of `text`, which are cut off; -1 when there are not so many.
int cut_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return -1;
    int value = 0;
    for (const char c : text.substr(0, count)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool cut(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

// What stands after the seconds: Z, +01:00, +0100, +01 or nothing. In minutes.
std::optional<int> cut_offset(std::string_view text) {
    if (text.empty() || text == "Z" || text == "z") return 0;
    const bool west = text.front() == '-';
    if (!west && text.front() != '+') return std::nullopt;
    text.remove_prefix(1);
    const int hours = cut_digits(text, 2);
    if (hours < 0 || hours > 23) return std::nullopt;
    (void)cut(text, ':');
    const int minutes = text.empty() ? 0 : cut_digits(text, 2);
    if (minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
    return (west ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

std::optional<std::int64_t> parse_iso8601(std::string_view text) {
    const int year = cut_digits(text, 4);
    if (!cut(text, '-')) return std::nullopt;
    const int month = cut_digits(text, 2);
    if (!cut(text, '-')) return std::nullopt;
    const int day = cut_digits(text, 2);
    if (!cut(text, 'T') && !cut(text, 't') && !cut(text, ' ')) return std::nullopt;
    const int hour = cut_digits(text, 2);
    if (!cut(text, ':')) return std::nullopt;
    const int minute = cut_digits(text, 2);
    if (!cut(text, ':')) return std::nullopt;
    const int second = cut_digits(text, 2);
    if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)  // a leap second is the first of the next minute
        return std::nullopt;
    const std::chrono::year_month_day date{
        std::chrono::year{year},
        std::chrono::month{static_cast<unsigned>(month)},
        std::chrono::day{static_cast<unsigned>(day)}
    };
    if (!date.ok()) return std::nullopt;
    std::int64_t milliseconds = 0;
    if (cut(text, '.') || cut(text, ',')) {
        int weight = 100;
        std::size_t digits = 0;
        for (int digit = 0; (digit = cut_digits(text, 1)) >= 0; ++digits, weight /= 10)
            milliseconds += digit * weight;
        if (digits == 0) return std::nullopt;
    }
    const auto offset = cut_offset(text);
    if (!offset) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    const std::int64_t minutes = (days * 24 + hour) * 60 + minute - *offset;
    return (minutes * 60 + second) * 1000 + milliseconds;
}

Outcome<Reading> apply(const Source& source, const Arrived& arrived) {
    const json root = json::parse(arrived.payload, nullptr, false);
    if (root.is_discarded()) return wrong("is not JSON");
    Reading reading;
    auto device = device_of(source, arrived, root);
    if (!device) return std::unexpected(device.error());
    reading.device = std::move(*device);
    reading.time_unix_ms = arrived.receive_unix_ms;
    if (source.time_unit != TimeUnit::received) {
        const auto time = time_of(find(root, source.time), source.time_unit);
        if (!time) return wrong(source.time.text + " is not a time as the map says");
        reading.time_unix_ms = *time;
        reading.timed = true;
    }
    if (auto done = number(source, root, reading); !done) return std::unexpected(done.error());
    for (const Field& field : source.fields) {
        const auto value = number_of(find(root, field.path));
        if (!value) continue;
        const auto converted = static_cast<float>(convert(*value, field.from, field.to));
        if (std::isfinite(converted)) reading.channels.emplace_back(field.channel, converted);
    }
    if (source.inference) {
        const auto value = number_of(find(root, *source.inference));
        if (!value || !(*value >= 0.0 && *value <= 1.0))
            return wrong(source.inference->text + " is not a number from 0 to 1");
        reading.inference = static_cast<float>(*value);
        reading.threshold = source.threshold;
    } else if (reading.channels.empty()) {
        return wrong("none of the map's channels is in it");
    }
    return reading;
}

std::string render(const Reading& reading, Number number, std::string_view origin) {
    std::string made = fmt::format(R"({{"deviceID":"{}")", reading.device);
    for (const auto& [name, value] : reading.channels)
        made += fmt::format(R"(,"{}":{})", name, value);
    made += fmt::format(
        R"(,"fft_data":"true","timeStamp":"{}","boot":{},"seq":{},"clock":"{}")",
        reading.time_unix_ms,
        number.boot,
        number.seq,
        reading.timed ? "synced" : "free"
    );
    if (reading.inference) {
        const bool alarm = *reading.inference >= reading.threshold;
        made += fmt::format(
            R"(,"inference":{},"threshold":{},"alarm":{})",
            *reading.inference,
            reading.threshold,
            alarm
        );
        if (!alarm) made += R"(,"event":"cleared")";
    }
    return made + fmt::format(R"(,"adopted":"{}"}})", origin);
}

}  // namespace stator::adopt
