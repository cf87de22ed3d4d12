#include "sense/node/backlog.h"

#include "sense/node/little_endian.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>

namespace stator::node {
namespace {

constexpr std::uint32_t urgent_magic = 0x47525542;     // "BURG"
constexpr std::uint32_t telemetry_magic = 0x4C455442;  // "BTEL"
constexpr int records_per_call = 64;
constexpr std::int64_t mark_wait_ms = 3'000;  // a site gives one a second

// Kinds of records; a reading's are its ReadingKind + 1.
constexpr std::uint8_t telemetry_kind = 1;
constexpr std::uint8_t edge_kind = 3;
constexpr std::uint8_t event_kind = 4;
constexpr std::uint8_t reserve_kind = 5;

constexpr std::size_t reading_head_bytes = 20;
constexpr std::size_t reading_bytes_max = reading_head_bytes + 4 * asset::features_max;
constexpr std::size_t context_head_bytes = 8;
constexpr std::size_t context_bytes_max = context_head_bytes + 32 + 128;

std::uint32_t sectors_of(const hal::Flash& flash) {
    return static_cast<std::uint32_t>(flash.size_bytes() / flash.sector_bytes());
}

std::uint32_t urgent_sectors(const hal::Flash& flash) {
    return sectors_of(flash) / 4;
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Key whole_boot(std::uint32_t boot) {
    return {.boot = boot, .seq = std::numeric_limits<std::uint64_t>::max()};
}

std::uint8_t flags_of(const Reading& reading) {
    return static_cast<std::uint8_t>(
        (reading.judged ? 1U : 0U) | (reading.alarm ? 2U : 0U) | (reading.cleared ? 4U : 0U) |
        (reading.clock_synced ? 8U : 0U) | (reading.model != 0 ? 16U : 0U)
    );
}

}  // namespace

Backlog::Backlog(hal::Flash& flash, std::uint32_t boot, const BacklogFacts& facts, Shed& shed)
    : boot_{boot},
      facts_{facts},
      shed_{shed},
      urgent_{.log = FlashLog{flash, 0, urgent_sectors(flash), urgent_magic}},
      telemetry_{
          .log =
              FlashLog{
                  flash,
                  urgent_sectors(flash) * flash.sector_bytes(),
                  sectors_of(flash) - urgent_sectors(flash),
                  telemetry_magic
              }
      } {
    assert(sectors_of(flash) >= sectors_min);
    for (Lane* lane : {&urgent_, &telemetry_}) {
        lane->done = lane->sent = lane->log.oldest();
        count(*lane);
    }
}

// What is of this boot or a later one cannot be ours: the count of boots began anew.
void Backlog::count(Lane& lane) const {
    LogRecord record;
    bool ours = true;
    for (LogPlace place = lane.log.oldest(); lane.log.look(place, record); place = record.next) {
        ours = ours && record.key.boot < boot_;
        if (record.kind != reserve_kind) ++lane.count;
    }
    if (ours) return;
    while (lane.log.sectors_used() > 0)
        lane.log.drop_oldest();
    lane.count = 0;
}

bool Backlog::telemetry_full() const {
    return telemetry_.log.sectors_used() >= telemetry_.log.sectors();
}

bool Backlog::keep(std::uint64_t seq, const Reading& reading, bool sent) {
    std::array<std::byte, reading_bytes_max> bytes{};
    const std::span<std::byte> all{bytes};
    put_u64(all, static_cast<std::uint64_t>(reading.time_unix_ms));
    put_float(all.subspan(8), reading.value);
    put_float(all.subspan(12), reading.threshold);
    all[16] = std::byte{flags_of(reading)};
    all[17] = static_cast<std::byte>(facts_.feature_count);
    for (std::size_t i = 0; i < facts_.feature_count; ++i)
        put_float(all.subspan(reading_head_bytes + 4 * i), reading.features[i]);

    std::array<std::byte, context_bytes_max> context_bytes{};
    const std::span<std::byte> context{context_bytes};
    const std::string_view model = facts_.models[reading.model].view();
    const std::string_view firmware = facts_.firmware.substr(0, 32);
    put_u32(context, facts_.feature_set);
    context[4] = static_cast<std::byte>(firmware.size());
    context[5] = static_cast<std::byte>(model.size());
    std::ranges::copy(bytes_of(firmware), context.begin() + context_head_bytes);
    const std::size_t names_end = context_head_bytes + firmware.size();
    std::ranges::copy(bytes_of(model), context.subspan(names_end).begin());

    const auto kind = static_cast<std::uint8_t>(static_cast<unsigned>(reading.kind) + 1U);
    return append(
        reading.kind == ReadingKind::telemetry ? telemetry_ : urgent_,
        kind,
        {.boot = boot_, .seq = seq},
        all.first(reading_head_bytes + 4 * facts_.feature_count),
        context.first(names_end + model.size()),
        sent
    );
}

bool Backlog::keep(std::uint64_t seq, const WaitingEvent& event, bool sent) {
    wire::DeviceEvent whole;
    whole.device = facts_.device;
    whole.time_unix_ms = event.time_unix_ms;
    whole.boot = boot_;
    whole.seq = seq;
    whole.what = event.body;
    std::array<char, FlashLog::body_bytes_max> buffer;  // NOLINT: only what is written is read
    const auto json = wire::encode(whole, buffer);
    if (!json) return false;
    return append(urgent_, event_kind, {.boot = boot_, .seq = seq}, bytes_of(*json), {}, sent);
}

bool Backlog::append(
    Lane& lane,
    std::uint8_t kind,
    const Key& key,
    std::span<const std::byte> body,
    std::span<const std::byte> context,
    bool sent
) {
    constexpr auto repeat = static_cast<std::uint8_t>(ReadingKind::alarm_repeat) + 1;
    const std::uint32_t sectors = lane.log.sectors();
    if (kind == repeat && lane.log.sectors_used() * 4 > sectors * 3) return false;
    LogRecord last;
    const bool all_sent = sent && !look(lane, last);
    constexpr int tries_max = 3;  // a sector that fails is passed over
    for (int tries = 0; tries < tries_max; ++tries) {
        const auto written = lane.log.append(kind, key, body, context);
        if (written) {
            if (kind == reserve_kind) {
                reserve_sector_ = lane.log.newest_sequence();
                return true;
            }
            ++lane.count;
            lane.newest_seq = key.seq;
            if (all_sent && look(lane, last)) {
                lane.sent = last.next;
                lane.last_sent = key;
            }
            return true;
        }
        if (written.error() == base::Fault::full)
            drop_oldest(lane);
        else if (written.error() != base::Fault::io)
            return false;
    }
    return false;
}

void Backlog::drop_oldest(Lane& lane) {
    LogPlace place = lane.log.oldest();
    const std::uint32_t sequence = place.sequence;
    if (before(place, lane.done)) place = lane.done;
    Shed::Range range;
    LogRecord record;
    for (; lane.log.look(place, record) && place.sequence == sequence; place = record.next) {
        if (record.kind == reserve_kind) {
            if (record.key.boot < boot_ && !is_done(record)) ++ends_lost_;
            continue;
        }
        lane.count -= std::min<std::size_t>(lane.count, 1);
        if (is_done(record) && before(place, lane.sent)) continue;
        ++shed_.count;
        if (record.key.boot != boot_) {  // what closes that boot declares it
            old_is_whole_ = false;
            continue;
        }
        if (range.from == 0) range.from = record.key.seq;
        range.to = record.key.seq;
    }
    if (range.from != 0) shed_.add(range.from, range.to);
    lane.log.drop_oldest();
}

void Backlog::reserve(std::uint64_t seq_next) {
    constexpr std::uint64_t ahead = 16;
    if (seq_next + ahead < reserved_) return;
    // When this fails, the next boot closes this one too early: no more can be done.
    reserved_ = std::max(reserved_, seq_next) + reserve_numbers;
    static_cast<void>(append(urgent_, reserve_kind, {boot_, reserved_}, {}, {}, false));
}

void Backlog::end(std::uint64_t seq_next) {
    if (reserved_ <= seq_next) return;
    reserved_ = seq_next;
    static_cast<void>(append(urgent_, reserve_kind, {boot_, reserved_}, {}, {}, false));
}

bool Backlog::is_done(const LogRecord& record) const {
    return record.key <= stored_;
}

// A mark may cover what was never sent (on hold the first that a site hears of a boot may be an
// alarm): that stays. What is of a boot before the mark's was all stored, or the mark's would not
// have been sent.
bool Backlog::settle(Lane& lane) {
    LogRecord record;
    int passed = 0;
    for (; passed < records_per_call && lane.log.look(lane.done, record); ++passed) {
        const bool own_reserve = record.kind == reserve_kind && record.key.boot == boot_;
        if (!own_reserve) {
            if (!is_done(record)) break;
            const bool sent = before(lane.done, lane.sent);
            if (!sent && record.key.boot >= stored_.boot) break;
        }
        lane.done = record.next;
        if (record.kind != reserve_kind) lane.count -= std::min<std::size_t>(lane.count, 1);
    }
    if (before(lane.sent, lane.done)) lane.sent = lane.done;
    return passed < records_per_call;
}

void Backlog::step(std::int64_t now_ms) {
    now_ms_ = now_ms;
    settle(urgent_);
    settle(telemetry_);
    // The last reserve stays, for the next start.
    LogPlace free = urgent_.done;
    if (reserved_ != 0) free.sequence = std::min(free.sequence, reserve_sector_);
    if (!urgent_.log.free_before(free))
        static_cast<void>(telemetry_.log.free_before(telemetry_.done));
}

// What is to be sent next of a lane. Reserves of the boot whose turn it is are only noted.
bool Backlog::look(Lane& lane, LogRecord& record) {
    for (;;) {
        const bool found = lane.log.look(lane.sent, record);
        old_is_whole_ = old_is_whole_ && !record.damaged;
        lane.damaged = lane.damaged || record.damaged_since;
        if (!found || record.kind != reserve_kind) {
            // Between two neighbours: what lay there, and nothing that waits. A reserve is none.
            const std::uint64_t from = lane.last_sent.boot == boot_ ? lane.last_sent.seq + 1 : 1;
            if (lane.damaged) shed_.add(from, found ? record.key.seq - 1 : lane.newest_seq);
            lane.damaged = false;
            return found;
        }
        if (record.key.boot > lowest_boot()) return true;  // its turn has not come
        reserve_ = record.key;
        lane.sent = record.next;
    }
}

std::uint32_t Backlog::lowest_boot() {
    std::uint32_t lowest = boot_;
    LogRecord record;
    for (Lane* lane : {&urgent_, &telemetry_})
        if (lane->log.look(lane->done, record)) lowest = std::min(lowest, record.key.boot);
    return lowest;
}

std::optional<Backlog::Item> Backlog::next(bool hold, bool urgent_waits, std::int64_t unix_ms) {
    // Or boots that are long closed would be closed again, behind what later ones have said.
    if (!settle(urgent_) || !settle(telemetry_)) return std::nullopt;
    const std::uint32_t boot = lowest_boot();
    LogRecord urgent;
    LogRecord telemetry;
    const bool more_urgent = look(urgent_, urgent);
    const bool has_urgent = more_urgent && urgent.key.boot == boot;
    bool has_telemetry = look(telemetry_, telemetry) && telemetry.key.boot == boot;
    // Made for other features than the asset now has: nobody could say what its numbers are.
    for (int i = 0; has_telemetry && !decode(telemetry); ++i) {
        if (i == records_per_call) return std::nullopt;
        mark_sent(telemetry.key);
        ++shed_.count;
        old_is_whole_ = false;
        has_telemetry = look(telemetry_, telemetry) && telemetry.key.boot == boot;
    }
    if (boot < boot_ && !has_urgent) {
        if (!has_telemetry) return close(boot, unix_ms);
        if (hold && (more_urgent || urgent_waits) && give_up_telemetry(boot))
            return close(boot, unix_ms);
    }
    if (hold) has_telemetry = false;
    if (has_urgent && (!has_telemetry || urgent.key < telemetry.key)) {
        if (urgent.kind == event_kind) return Item{.key = urgent.key, .json = text_of(urgent.body)};
        if (!decode(urgent)) {
            mark_sent(urgent.key);
            ++shed_.count;
            return std::nullopt;  // the next is for the next call
        }
        return Item{.key = urgent.key, .reading = &reading_, .origin = &origin_};
    }
    if (!has_telemetry) return std::nullopt;
    if (!decode(telemetry)) return std::nullopt;
    return Item{.key = telemetry.key, .reading = &reading_, .origin = &origin_};
}

// All of the oldest boot was sent: one gap tells what is missing of it.
std::optional<Backlog::Item> Backlog::close(std::uint32_t boot, std::int64_t unix_ms) {
    Key seen{.boot = boot, .seq = 0};
    for (const Lane* lane : {&urgent_, &telemetry_})
        if (lane->last_sent.boot == boot) seen.seq = std::max(seen.seq, lane->last_sent.seq);
    Key end = reserve_;
    if (end.boot != boot || end <= std::max(seen, stored_)) {
        // Its reserves are lost, or the last of them: behind everything that was seen of it.
        end = seen;
        if (end <= stored_) {  // it was closed before
            stored_ = whole_boot(boot);
            return std::nullopt;
        }
        end.seq += reserve_numbers;
    }
    const std::uint64_t stored = stored_.boot == boot ? stored_.seq : 0;
    if (stored + 1 >= end.seq && old_is_whole_) {
        stored_ = whole_boot(boot);
        return std::nullopt;
    }
    if (closing_sent_ == end) return std::nullopt;
    // Perhaps nothing is missing: the mark that says so takes a while.
    const bool from_flash = urgent_.last_sent.boot == boot || telemetry_.last_sent.boot == boot;
    if (from_flash && now_ms_ - heard_ms_ < mark_wait_ms) return std::nullopt;
    wire::GapEvent gap;
    // A mark begins at what a site heard first of a boot: with holes in what was kept it is no
    // measure of what came before.
    gap.from = from_flash || !old_is_whole_ ? 1 : stored + 1;
    gap.to = end.seq - 1;
    gap.reason = "a restart";
    closing_key_ = end;
    closing_ = {.time_unix_ms = unix_ms, .body = gap};
    return Item{.key = end, .event = &closing_};
}

// True when none of that boot is left.
bool Backlog::give_up_telemetry(std::uint32_t boot) {
    LogRecord record;
    Lane& lane = telemetry_;
    old_is_whole_ = false;
    for (int i = 0; i < records_per_call; ++i) {
        if (!lane.log.look(lane.done, record) || record.key.boot > boot) return true;
        if (!is_done(record)) ++shed_.count;
        lane.count -= std::min<std::size_t>(lane.count, 1);
        lane.last_sent = record.key;
        lane.done = record.next;
        if (before(lane.sent, lane.done)) lane.sent = lane.done;
    }
    return false;
}

bool Backlog::decode(const LogRecord& record) {
    const auto body = record.body;
    const auto context = record.context;
    if (record.kind < telemetry_kind || record.kind > edge_kind) return false;
    if (body.size() < reading_head_bytes || context.size() < context_head_bytes) return false;
    const auto features = std::to_integer<std::size_t>(body[17]);
    const auto firmware_bytes = std::to_integer<std::size_t>(context[4]);
    const auto model_bytes = std::to_integer<std::size_t>(context[5]);
    if (body.size() != reading_head_bytes + 4 * features ||
        context.size() != context_head_bytes + firmware_bytes + model_bytes)
        return false;
    if (features != facts_.feature_count || get_u32(context) != facts_.feature_set) return false;
    const auto flags = std::to_integer<unsigned>(body[16]);
    reading_.time_unix_ms = static_cast<std::int64_t>(get_u64(body));
    reading_.value = get_float(body.subspan(8));
    reading_.threshold = get_float(body.subspan(12));
    reading_.kind = static_cast<ReadingKind>(record.kind - telemetry_kind);
    reading_.judged = (flags & 1U) != 0;
    reading_.alarm = (flags & 2U) != 0;
    reading_.cleared = (flags & 4U) != 0;
    reading_.clock_synced = (flags & 8U) != 0;
    reading_.model = (flags & 16U) != 0 ? 1 : 0;
    for (std::size_t i = 0; i < features; ++i)
        reading_.features[i] = get_float(body.subspan(reading_head_bytes + 4 * i));
    origin_.firmware = text_of(context.subspan(context_head_bytes, firmware_bytes));
    origin_.model = text_of(context.subspan(context_head_bytes + firmware_bytes));
    return true;
}

bool Backlog::lets_ram_go(bool hold) {
    LogRecord record;
    return lowest_boot() == boot_ && !look(urgent_, record) && (hold || !look(telemetry_, record));
}

void Backlog::mark_sent(const Key& key) {
    LogRecord record;
    for (Lane* lane : {&urgent_, &telemetry_}) {
        if (!look(*lane, record) || record.key != key) continue;
        lane->sent = record.next;
        lane->last_sent = key;
        heard_ms_ = now_ms_;
        return;
    }
    if (closing_key_.boot != 0 && key == closing_key_) closing_sent_ = key;
}

void Backlog::mark_stored(const Key& key) {
    if (key.boot > boot_) return;  // of another life of this device
    if (key > stored_) heard_ms_ = now_ms_;
    stored_ = std::max(stored_, key);
    const Key& closing = closing_sent_;
    if (closing.boot != 0 && closing.boot == key.boot && key.seq >= closing.seq)
        stored_ = std::max(stored_, whole_boot(key.boot));
    settle(urgent_);
    settle(telemetry_);
}

void Backlog::connection_lost() {
    for (Lane* lane : {&urgent_, &telemetry_}) {
        lane->sent = lane->done;
        lane->last_sent = {};
    }
    reserve_ = {};
    closing_key_ = closing_sent_ = {};
}

}  // namespace stator::node
