#include "transport/adopt/memory.h"

#include "shared/wire/messages.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace stator::adopt {

namespace {

constexpr std::int64_t mark_every_us = 10'000'000;
constexpr std::string_view member = R"(,"adopted":")";

struct Origin {
    std::string place;
    std::uint64_t digest = 0;
};

// render() writes it last: ,"adopted":"<place>/<16 hex digits>"}
std::optional<Origin> origin_of(std::string_view payload) {
    const std::size_t at = payload.rfind(member);
    if (at == std::string_view::npos || !payload.ends_with("\"}")) return std::nullopt;
    const std::string_view text =
        payload.substr(at + member.size(), payload.size() - at - member.size() - 2);
    const std::size_t slash = text.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    Origin made{.place = std::string{text.substr(0, slash)}};
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + slash + 1, end, made.digest, 16);
    if (error != std::errc{} || stopped != end) return std::nullopt;
    return made;
}

}  // namespace

// FNV-1a: equality of what one broker delivers twice, no defence against anybody.
std::uint64_t digest_of(std::string_view topic, std::string_view payload) {
    constexpr std::uint64_t prime = 0x100000001b3;
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::string_view bytes) {
        for (const char c : bytes)
            hash = (hash ^ static_cast<unsigned char>(c)) * prime;
    };
    mix(topic);
    mix(std::string_view{"\0", 1});
    mix(payload);
    return hash;
}

Outcome<std::unique_ptr<Memory>> Memory::open(
    disk::Disk& disk, const std::string& log_directory, std::string own_id
) {
    std::unique_ptr<Memory> made{new Memory{std::move(own_id)}};
    std::size_t i = 0;
    for (const log::Class log_class : {log::Class::telemetry, log::Class::alarm}) {
        auto reader = log::Reader::open(
            disk, log_directory, log_class, {.name = made->own_id_, .required = false}
        );
        if (!reader) return std::unexpected(reader.error());
        if (auto done = made->recover(**reader); !done) return std::unexpected(done.error());
        made->readers_.at(i++) = std::move(*reader);
    }
    return made;
}

Outcome<void> Memory::recover(log::Reader& reader) {
    for (;;) {
        auto item = reader.next();
        if (!item) return std::unexpected(item.error());
        if (!*item) return {};
        recall((*item)->record);
    }
}

void Memory::recall(const log::RecordView& record) {
    if (record.sender != own_id_ || record.identity != log::Identity::vouched) return;
    const auto origin = origin_of(record.payload);
    const auto head = wire::decode_head(record.payload);
    if (!origin || !head || !head->boot || !head->seq) return;
    boot_max_ = std::max(boot_max_, *head->boot);
    keep(origin->place, origin->digest, {.boot = *head->boot, .seq = *head->seq});
}

std::optional<Number> Memory::find(const std::string& place, std::uint64_t digest) const {
    const auto found = given_.find(place);
    if (found == given_.end() || found->second.digest != digest) return std::nullopt;
    return found->second.number;
}

void Memory::keep(const std::string& place, std::uint64_t digest, Number number) {
    given_[place] = {.digest = digest, .number = number, .age = ++age_};
    ages_.emplace_back(place, age_);
    while (ages_.size() > remembered_max) {
        const auto oldest = given_.find(ages_.front().first);
        if (oldest != given_.end() && oldest->second.age == ages_.front().second)
            given_.erase(oldest);
        ages_.pop_front();
    }
}

Outcome<void> Memory::checkpoint(std::int64_t now_us, std::uint64_t next, std::uint64_t oldest) {
    if (now_us - marked_us_ < mark_every_us) return {};
    marked_us_ = now_us;
    Mark mark{.at_us = now_us, .next = next, .ends = {}};
    for (std::size_t i = 0; i < readers_.size(); ++i) {
        for (;;) {  // what was written is known already: only the place counts
            auto item = readers_.at(i)->next();
            if (!item) return std::unexpected(item.error());
            if (!*item) break;
        }
        mark.ends.at(i) = readers_.at(i)->position();
    }
    marks_.push_back(mark);
    while (!marks_.empty() && now_us - marks_.front().at_us >= checkpoint_after_us &&
           oldest >= marks_.front().next) {
        for (std::size_t i = 0; i < readers_.size(); ++i)
            if (auto done = readers_.at(i)->commit(marks_.front().ends.at(i)); !done) return done;
        marks_.pop_front();
    }
    return {};
}

}  // namespace stator::adopt
