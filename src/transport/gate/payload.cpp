#include "transport/gate/payload.h"

#include "shared/wire/json.h"

#include <fmt/format.h>

#include <limits>

namespace stator::gate {

namespace {

using base::Fault;

base::Result<std::uint64_t> natural(const wire::Value& value, std::int64_t max) {
    const auto number = value.integer();
    if (!number || *number < 0 || *number > max) return std::unexpected{Fault::bad_input};
    return static_cast<std::uint64_t>(*number);
}

constexpr std::int64_t boot_max = std::numeric_limits<std::uint32_t>::max();
// Above it a double, which is what a JSON number is to many readers, misses whole numbers.
constexpr std::int64_t seq_max = (1LL << 53) - 1;

// What a payload says, gathered while it is checked.
struct Gathered {
    Payload payload;
    bool good = true;

    void take(std::string_view name, const wire::Value& value) {
        if (name == "deviceID") {
            good = good && value.text(payload.device) && wire::valid_id(payload.device);
        } else if (name == "boot") {
            if (const auto boot = number(value, boot_max))
                payload.boot = static_cast<std::uint32_t>(*boot);
        } else if (name == "seq") {
            payload.seq = number(value, seq_max);
        } else if (name == "event") {
            payload.is_gap = value.is("gap");
        }
    }

  private:
    std::optional<std::uint64_t> number(const wire::Value& value, std::int64_t max) {
        const auto read = natural(value, max);
        good = good && read;
        return read ? std::optional{*read} : std::nullopt;
    }
};

}  // namespace

base::Result<Payload> scan_payload(std::string_view text, std::size_t bytes_max) {
    Gathered gathered;
    const auto root = wire::Value::parse(
        text,
        bytes_max,
        [](void* to, std::string_view name, wire::Value value) {
            static_cast<Gathered*>(to)->take(name, value);
        },
        &gathered
    );
    if (!root || root->kind() != wire::Kind::object || !gathered.good)
        return std::unexpected{Fault::bad_input};
    Payload& payload = gathered.payload;
    if (payload.boot && !payload.seq) return std::unexpected{Fault::bad_input};
    if (payload.seq && !payload.boot) payload.boot = 0;
    if (payload.is_gap) {
        const auto from = root->member("from");
        const auto to = root->member("to");
        if (!from || !to) return std::unexpected{Fault::bad_input};
        const auto first = natural(*from, seq_max);
        const auto last = natural(*to, seq_max);
        if (!first || !last || *first > *last) return std::unexpected{Fault::bad_input};
        payload.gap_from = *first;
        payload.gap_to = *last;
    }
    return payload;
}

std::string complete_payload(
    std::string_view text,
    const Payload& payload,
    std::string_view device,
    std::uint32_t boot,
    std::uint64_t seq
) {
    const std::size_t brace = text.find('{');
    std::string_view rest = text.substr(brace + 1);
    std::string added = "{";
    if (payload.device.empty()) added += fmt::format(R"("deviceID":"{}",)", device);
    if (!payload.seq) added += fmt::format(R"("boot":{},"seq":{},)", boot, seq);
    const std::size_t first = rest.find_first_not_of(" \t\r\n");
    if (added.back() == ',' && first != std::string_view::npos && rest[first] == '}')
        added.pop_back();
    return added.append(rest);
}

}  // namespace stator::gate
