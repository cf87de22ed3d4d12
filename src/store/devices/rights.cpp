#include "store/devices/rights.h"

#include "shared/base/crc32c.h"
#include "world/json/json.h"
#include "world/tls/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

namespace stator::devices {

namespace {

using nlohmann::json;

constexpr std::string_view magic = "stator-rights 1 ";
constexpr std::size_t first_line_bytes_max = 64;

template <typename T>
const T* find_by_id(const std::vector<T>& sorted, std::string_view id) {
    const auto at = std::ranges::lower_bound(sorted, id, {}, [](const T& one) {
        return std::string_view{one.id};
    });
    return at != sorted.end() && at->id == id ? &*at : nullptr;
}

template <typename T>
bool has_no_twins(const std::vector<T>& items) {
    return std::ranges::adjacent_find(items, [](const T& a, const T& b) {
               return !(a.id < b.id);
           }) == items.end();
}

std::uint32_t checksum(std::uint64_t generation, std::string_view text) {
    const std::string head = fmt::format("{}\n", generation);
    return base::crc32c(
        std::as_bytes(std::span{text}), base::crc32c(std::as_bytes(std::span{head}))
    );
}

std::string first_line(std::uint64_t generation, std::uint32_t sum) {
    return fmt::format("{}{} {:08x}", magic, generation, sum);
}

std::optional<State> state_named(std::string_view name) {
    for (const State state : {State::provisioned, State::active, State::revoked})
        if (name == name_of(state)) return state;
    return std::nullopt;
}

std::unexpected<Error> corrupt(const std::string& path, std::string_view what) {
    return fail(
        base::Fault::corrupt, fmt::format("{}: {}; let the registry write it again", path, what)
    );
}

// Throws json::exception where a member is missing or of the wrong type; parse_rights() catches.
std::optional<std::string> read_body(const json& body, Rights& rights) {
    for (const json& one : body.at("devices")) {
        Right right;
        right.id = one.at("id").get<std::string>();
        right.role = one.at("role").get<std::string>();
        const auto state = state_named(one.at("state").get<std::string>());
        if (!state) return fmt::format("device {} has an unknown state", right.id);
        right.state = *state;
        right.assigned = one.value("assigned", std::vector<std::string>{});
        rights.devices.push_back(std::move(right));
    }
    for (const json& one : body.at("legacy")) {
        LegacyException legacy;
        legacy.id = one.at("id").get<std::string>();
        legacy.bare = one.value("bare", false);
        legacy.password_hash = one.value("password_hash", std::string{});
        rights.legacy.push_back(std::move(legacy));
    }
    rights.revoked_serials = body.at("revoked_serials").get<std::vector<std::string>>();
    return std::nullopt;
}

}  // namespace

std::string_view name_of(State state) {
    switch (state) {
        case State::provisioned:
            return "provisioned";
        case State::active:
            return "active";
        case State::revoked:
            return "revoked";
    }
    return "unknown";
}

const Right* Rights::find(std::string_view id) const {
    return find_by_id(devices, id);
}

const LegacyException* Rights::find_legacy(std::string_view id) const {
    return find_by_id(legacy, id);
}

bool Rights::is_revoked(std::string_view serial) const {
    return std::binary_search(revoked_serials.begin(), revoked_serials.end(), serial);
}

bool Rights::is_assigned(std::string_view level2_id, std::string_view device_id) const {
    const Right* right = find(level2_id);
    return right != nullptr &&
           std::ranges::find(right->assigned, device_id) != right->assigned.end();
}

std::string rights_path(const std::string& state_directory) {
    return state_directory + "/registry/rights";
}

std::string serialise(Rights rights) {
    std::ranges::sort(rights.devices, {}, &Right::id);
    std::ranges::sort(rights.legacy, {}, &LegacyException::id);
    std::ranges::sort(rights.revoked_serials);
    json body;
    body["devices"] = json::array();
    for (const Right& right : rights.devices) {
        json one{{"id", right.id}, {"role", right.role}, {"state", name_of(right.state)}};
        if (!right.assigned.empty()) one["assigned"] = right.assigned;
        body["devices"].push_back(std::move(one));
    }
    body["legacy"] = json::array();
    for (const LegacyException& legacy : rights.legacy) {
        json one{{"id", legacy.id}};
        if (legacy.bare) one["bare"] = true;
        if (!legacy.password_hash.empty()) one["password_hash"] = legacy.password_hash;
        body["legacy"].push_back(std::move(one));
    }
    body["revoked_serials"] = rights.revoked_serials;
    // Ids are checked where they come in; replace what is not UTF-8 rather than throw.
    const std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    return first_line(rights.generation, checksum(rights.generation, text)) + "\n" + text;
}

Outcome<Rights> parse_rights(std::string_view bytes, const std::string& path) {
    const std::size_t end = bytes.substr(0, first_line_bytes_max).find('\n');
    if (end == std::string_view::npos || !bytes.starts_with(magic))
        return corrupt(path, "this is no rights snapshot of version 1");
    const std::string_view line = bytes.substr(magic.size(), end - magic.size());
    const std::string_view text = bytes.substr(end + 1);
    Rights rights;
    std::uint32_t expected = 0;
    const auto number = std::from_chars(line.data(), line.data() + line.size(), rights.generation);
    const char* const sum = number.ptr + 1;
    if (number.ec != std::errc{} || line.data() + line.size() != sum + 8 || *number.ptr != ' ' ||
        std::from_chars(sum, sum + 8, expected, 16).ptr != sum + 8)
        return corrupt(path, "its first line is not `stator-rights 1 GENERATION CRC32C`");
    // Exactly as written: neither leading zeros nor upper-case digits, so that no bit may flip.
    if (bytes.substr(0, end) != first_line(rights.generation, expected))
        return corrupt(path, "its first line is not as this program writes it");
    if (checksum(rights.generation, text) != expected)
        return corrupt(path, "its checksum is wrong");
    try {
        if (const auto wrong = read_body(json::parse(text), rights)) return corrupt(path, *wrong);
    } catch (const json::exception& wrong) {
        return corrupt(path, wrong.what());
    }
    if (!has_no_twins(rights.devices) || !has_no_twins(rights.legacy) ||
        !std::ranges::is_sorted(rights.revoked_serials))
        return corrupt(path, "it is not sorted by id, or names an id twice");
    return rights;
}

Outcome<void> save_rights(disk::Disk& disk, const std::string& path, const Rights& rights) {
    return disk.replace(path, serialise(rights), 0640);
}

std::string hash_password(std::string_view salt, std::string_view password) {
    return fmt::format("{}:{}", salt, tls::sha256_hex(fmt::format("{}:{}", salt, password)));
}

bool password_matches(std::string_view hash, std::string_view password) {
    const std::size_t colon = hash.find(':');
    if (colon == std::string_view::npos) return false;
    return tls::equal_in_constant_time(hash, hash_password(hash.substr(0, colon), password));
}

RightsReader::RightsReader(disk::Disk& disk, std::string path)
    : disk_{disk}, path_{std::move(path)} {}

bool RightsReader::refresh() {
    if (loading_ != nullptr) {
        if (!loading_->done) return false;
        return take(*std::move(std::exchange(loading_, nullptr)->snapshot));
    }
    auto file = disk_.open(path_, disk::Mode::read);
    if (!file) {
        problem_ = file.error().what;
        first_line_.clear();
        return false;
    }
    std::array<std::byte, first_line_bytes_max> head{};
    const auto got = (*file)->read_at(0, head);
    if (!got) {
        problem_ = got.error().what;
        return false;
    }
    std::string line(*got, '\0');
    std::ranges::transform(std::span{head}.first(*got), line.begin(), [](std::byte byte) {
        return static_cast<char>(byte);
    });
    line.resize(std::min(line.size(), line.find('\n')));
    if (line == first_line_) return false;  // the one in use, or one that was refused already
    const auto size = (*file)->size();
    if (!beside_ || (size && *size <= at_once_bytes_max)) return take(read(disk_, path_));
    auto loading = std::make_shared<Loading>();
    if (beside_([loading, disk = &disk_, path = path_] {
            loading->snapshot = read(*disk, path);
            loading->done = true;
        }))
        loading_ = std::move(loading);
    return false;
}

bool RightsReader::waiting() const {
    return loading_ != nullptr && loading_->done;
}

RightsReader::Snapshot RightsReader::read(disk::Disk& disk, const std::string& path) {
    const auto bytes = disk.read_all(path, rights_bytes_max);
    if (!bytes) return {{}, std::unexpected{bytes.error()}};
    return {bytes->substr(0, bytes->find('\n')), parse_rights(*bytes, path)};
}

bool RightsReader::take(Snapshot snapshot) {
    first_line_ = std::move(snapshot.first_line);
    if (!snapshot.rights) {
        problem_ = snapshot.rights.error().what;
        return false;
    }
    problem_.clear();
    rights_ = std::move(*snapshot.rights);
    return true;
}

}  // namespace stator::devices
