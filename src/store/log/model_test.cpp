// The log against a model of a few lines: random appends, rolls, syncs, retirements, reads,
// commits, full disks, kills and power cuts. A seed is enough to see a failure again:
// STATOR_SEED=17 stator_log_test --gtest_filter=LogModel*
#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <random>

namespace stator::log {
namespace {

constexpr std::uint64_t capacity_when_full = 30'000;

// One class as it must be: what was appended, in order.
struct Told {
    std::uint64_t id = 0;  // counts the class's records
    std::uint64_t seq = 0;
    std::string payload;
    std::uint64_t position = 0;
};

struct ClassModel {
    std::deque<Told> records;   // the oldest may be retired already
    std::uint64_t next_id = 0;  // of what is appended next
    std::uint64_t synced = 0;   // ids below are
};

struct ReaderModel {
    std::string name;
    Class log_class = Class::telemetry;
    bool required = false;
    std::unique_ptr<Reader> reader;
    std::uint64_t next_id = 0;  // that take() must give
    Offset taken;               // after the last record that it gave
    Offset committed;           // durable, as far as was said
    bool may_jump = false;      // it was told that it missed something
};

struct Tally {
    std::uint64_t appends = 0, full = 0, syncs = 0, retirements = 0, retired_bytes = 0,
                  retired_beside_bytes = 0, takes = 0, commits = 0, kills = 0,
                  gathered_at_kills = 0, cuts = 0, cuts_in_repair = 0, missed = 0;
};

class LogAgainstModel {
  public:
    // Every second seed gathers telemetry, so that a kill finds records that no segment has yet.
    LogAgainstModel(std::uint64_t seed, Tally& tally)
        : gathers_{seed % 2 == 0}, random_{seed}, disk_{seed}, tally_{tally} {
        for (const Class c : {Class::telemetry, Class::alarm}) {
            readers_.push_back(
                {fmt::format("required-{}", name_of(c)), c, true, {}, 0, {}, {}, false}
            );
            readers_.push_back(
                {fmt::format("optional-{}", name_of(c)), c, false, {}, 0, {}, {}, false}
            );
        }
    }

    void run(int steps) {
        open_writer();
        open_readers();
        for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
            step();
            if (disk_.power_is_off()) recover();
        }
        check_whole();
    }

  private:
    [[nodiscard]] Budgets budgets() const {
        Budgets made;
        made.waveform = {12'288, 3072, false};
        made.telemetry = {12'288, 3072, false, gathers_ ? 1024U : 0U};
        made.alarm = {12'288, 3072, true};
        made.control = {12'288, 3072, true};
        made.required = {
            {"required-telemetry", Class::telemetry}, {"required-alarm", Class::alarm}
        };
        return made;
    }

    std::uint64_t draw(std::uint64_t below) { return random_() % below; }

    ClassModel& of(Class c) { return classes_[static_cast<std::size_t>(c)]; }

    void step() {
        clock_.wait_us(200'000);  // readers' places are looked at again
        const std::uint64_t kind = draw(100);
        if (kind < 50) return append();
        if (kind < 60) return sync();
        if (kind < 66) return retire();
        if (kind < 80) return take(readers_[draw(readers_.size())]);
        if (kind < 90) return commit(readers_[draw(readers_.size())]);
        if (kind < 92) return set_mark();
        if (kind < 94) return disk_.set_capacity(draw(3) == 0 ? capacity_when_full : disk_.never);
        if (kind < 95) return kill();
        if (kind < 96) return check_whole();
        if (kind < 97) return open_readers();
        disk_.cut_power_before(disk_.operations() + draw(25));
    }

    void append() {
        const Class c = std::array{Class::telemetry, Class::telemetry, Class::alarm}[draw(3)];
        ClassModel& model = of(c);
        Told told{
            model.next_id, seq_ + 1, fmt::format("{} {}", ++sent_, std::string(draw(400), 'x')), 0
        };
        RecordView record;
        record.receive_unix_ms = clock_.unix_ms();
        record.topic = "t";
        record.sender = "pump";
        record.payload = told.payload;
        const std::uint64_t before = writer_->bytes(c);
        const auto done = writer_->append(c, record, Mark{1, told.seq});
        ++tally_.appends;
        if (!done && !disk_.power_is_off()) {
            // Refused: as if it had never been sent.
            ++tally_.full;
            ASSERT_EQ(done.error().fault, base::Fault::full) << done.error().what;
            return;
        }
        // With the power off it is there, or not: the next look says.
        if (done) told.position = done->position;
        ++seq_;
        ++model.next_id;
        model.records.push_back(std::move(told));
        // A repair may have begun a segment too many; from there it only goes down.
        ASSERT_LE(writer_->bytes(c), std::max(before, budgets().of(c).bytes));
    }

    void set_mark() {
        if (writer_->set_mark("pump", {1, seq_ + 1}) || disk_.power_is_off()) ++seq_;
    }

    void sync() {
        if (!writer_->sync()) {
            ASSERT_TRUE(disk_.power_is_off());
            return;
        }
        ++tally_.syncs;
        for (ClassModel& model : classes_)
            model.synced = model.next_id;
        promised_ = std::max(promised_, writer_->synced_mark("pump").value_or(Mark{}).seq);
        ASSERT_EQ(promised_, seq_);
    }

    void retire() {
        const std::uint64_t before = writer_->bytes(Class::telemetry);
        if (retirement_ || draw(2) == 0) return retire_beside();
        const auto done = writer_->retire();
        ASSERT_TRUE(done || disk_.power_is_off()) << done.error().what;
        ++tally_.retirements;
        const std::uint64_t after = writer_->bytes(Class::telemetry);
        tally_.retired_bytes += before > after ? before - after : 0;
    }

    // As on another thread: anything may happen between its begin, its work and its end.
    void retire_beside() {
        ++tally_.retirements;
        if (!retirement_) {
            const std::uint64_t before = writer_->bytes(Class::telemetry);
            auto begun = writer_->begin_retire();
            ASSERT_TRUE(begun || disk_.power_is_off()) << begun.error().what;
            if (!begun) return;
            retirement_ = std::move(*begun);
            tally_.retired_beside_bytes += before - writer_->bytes(Class::telemetry);
        } else if (!retired_) {
            retired_ = retirement_->run(disk_);
            ASSERT_TRUE(*retired_ || disk_.power_is_off()) << retired_->error().what;
        } else {
            const auto done = writer_->finish_retire(*retirement_, *retired_);
            ASSERT_TRUE(done || disk_.power_is_off()) << done.error().what;
            forget_retirement();
        }
    }

    void forget_retirement() {
        retirement_.reset();
        retired_.reset();
    }

    void take(ReaderModel& it) {
        ++tally_.takes;
        if (!writer_->hand_over()) {
            ASSERT_TRUE(disk_.power_is_off());
            return;
        }
        const ClassModel& model = of(it.log_class);
        auto records = it.reader->take(1 + draw(12));
        if (!records) {
            ASSERT_TRUE(disk_.power_is_off()) << records.error().what;
            return;
        }
        const std::uint64_t missed = it.reader->missed_bytes();
        if (missed != 0) {
            ++tally_.missed;
            ASSERT_FALSE(it.required) << it.name << " missed " << missed << " bytes";
            it.may_jump = true;  // now, or when there is something again
        }
        if (records->empty()) {
            ASSERT_TRUE(it.may_jump || disk_.power_is_off() || it.next_id == model.next_id)
                << it.name << " is not given " << it.next_id << " of " << model.next_id;
            return;
        }
        for (const Record& record : *records) {
            const auto told = std::ranges::find_if(model.records, [&](const Told& one) {
                return one.payload == record.payload;
            });
            ASSERT_NE(told, model.records.end()) << it.name << " is given what nobody appended";
            ASSERT_EQ(record.offset.position, told->position);
            if (told->id > it.next_id && it.may_jump) it.next_id = told->id;
            ASSERT_EQ(told->id, it.next_id) << it.name;
            it.next_id = told->id + 1;
            it.taken = record.next;
        }
        it.may_jump = false;
    }

    void commit(ReaderModel& it) {
        const auto done = it.reader->commit(it.taken);
        ASSERT_TRUE(done || disk_.power_is_off()) << done.error().what;
        ++tally_.commits;
        if (!done) return;
        it.committed = std::max(it.committed, it.reader->committed());
        const std::uint64_t synced = word(it.log_class, Word::synced);
        ASSERT_GE(it.committed.position, std::min(it.taken.position, synced)) << it.name;
    }

    // The writer's process dies; what it wrote stays.
    void kill() {
        ++tally_.kills;
        for (const Class c : {Class::telemetry, Class::alarm})
            tally_.gathered_at_kills += writer_->end(c).position - readable(c);
        forget_retirement();
        writer_.reset();
        open_writer();
    }

    [[nodiscard]] std::uint64_t readable(Class c) { return word(c, Word::end); }

    [[nodiscard]] std::uint64_t word(Class c, Word which) {
        auto words = disk_.map("/log/words", word_count, false);
        EXPECT_TRUE(words);
        return (*words)->load(word_index(c, which));
    }

    void open_writer() {
        auto opened = Writer::open(disk_, clock_, "/log", budgets());
        if (!opened) {
            ASSERT_TRUE(disk_.power_is_off()) << opened.error().what;
            return;
        }
        writer_ = std::move(*opened);
        for (ClassModel& model : classes_)
            model.synced = model.next_id;
        promised_ = std::max(promised_, writer_->synced_mark("pump").value_or(Mark{}).seq);
    }

    // Readers' processes start again: they go on where they committed.
    void open_readers() {
        for (ReaderModel& it : readers_) {
            it.reader.reset();
            auto opened = Reader::open(disk_, "/log", it.log_class, {it.name, it.required, false});
            if (!opened) {
                ASSERT_TRUE(disk_.power_is_off()) << opened.error().what;
                return;
            }
            it.reader = std::move(*opened);
            ASSERT_GE(it.reader->committed(), it.committed) << it.name << " forgot a commit";
            it.committed = it.reader->committed();
            it.taken = it.committed;
            it.may_jump = false;
            const ClassModel& model = of(it.log_class);
            it.next_id = model.next_id;
            for (const Told& told : model.records)
                if (told.position >= it.committed.position) {
                    it.next_id = told.id;
                    break;
                }
        }
    }

    void recover() {
        ++tally_.cuts;
        forget_retirement();
        for (;;) {
            for (ReaderModel& it : readers_)
                it.reader.reset();
            writer_.reset();
            disk_.set_capacity(disk_.never);
            disk_.restart(draw(4) == 0 ? disk::Survival::none : disk::Survival::random);
            const bool again = draw(4) == 0;
            if (again) disk_.cut_power_before(disk_.operations() + draw(15));
            const auto promised = promised_;
            auto opened = Writer::open(disk_, clock_, "/log", budgets());
            if (!opened) {
                ASSERT_TRUE(disk_.power_is_off()) << opened.error().what;
                ++tally_.cuts_in_repair;
                continue;
            }
            if (again) disk_.cut_power_before(disk_.never);
            writer_ = std::move(*opened);
            const std::uint64_t restored = writer_->synced_mark("pump").value_or(Mark{}).seq;
            ASSERT_GE(restored, promised) << "a mark that was handed out is forgotten";
            promised_ = restored;
            for (const Class c : {Class::telemetry, Class::alarm})
                compare(c, restored);
            seq_ = restored;  // its sender sends again what came after
            open_readers();
            if (!disk_.power_is_off()) return check_whole();
        }
    }

    // What is left is what was appended, without a hole, up to somewhere not below the synced end,
    // and not below the mark.
    void compare(Class c, std::uint64_t restored) {
        ClassModel& model = of(c);
        auto onlooker = Reader::open(disk_, "/log", c, {});
        ASSERT_TRUE(onlooker) << onlooker.error().what;
        auto left = (*onlooker)->take(100'000);
        ASSERT_TRUE(left) << left.error().what;
        std::uint64_t end = model.synced;
        if (!left->empty()) {
            auto at = std::ranges::find_if(model.records, [&](const Told& one) {
                return one.payload == left->front().payload;
            });
            for (const Record& record : *left) {
                ASSERT_NE(at, model.records.end());
                ASSERT_EQ(record.payload, at->payload);
                at->position = record.offset.position;
                end = ++at == model.records.end() ? model.next_id : at->id;
            }
        }
        ASSERT_GE(end, model.synced) << name_of(c) << " lost what was synced";
        while (!model.records.empty() && model.records.back().id >= end) {
            ASSERT_GT(model.records.back().seq, restored) << "the mark promises what is gone";
            model.records.pop_back();
        }
        model.next_id = end;
        model.synced = end;
    }

    void check_whole() {
        if (disk_.power_is_off()) return;
        const auto seen = verify(disk_, "/log");
        if (!seen) {
            ASSERT_TRUE(disk_.power_is_off()) << seen.error().what;
            return;
        }
        for (const Finding& finding : seen->findings)
            ADD_FAILURE() << finding.file << ' ' << finding.offset << ' ' << finding.what;
    }

    bool gathers_;
    std::mt19937_64 random_;
    disk::SimulatedDisk disk_;
    clock::VirtualClock clock_{1'700'000'000'000};
    Tally& tally_;
    std::unique_ptr<Writer> writer_;
    std::optional<RetirePlan> retirement_;  // under way
    std::optional<Outcome<void>> retired_;  // its work is done
    std::vector<ReaderModel> readers_;
    std::array<ClassModel, class_count> classes_;
    std::uint64_t sent_ = 0;
    std::uint64_t seq_ = 0;
    std::uint64_t promised_ = 0;
};

TEST(LogModel, RandomUseKillsAndPowerCutsAgreeWithTheModel) {
    const char* const only = std::getenv("STATOR_SEED");
    const std::uint64_t first = only != nullptr ? std::stoull(only) : 1;
    const std::uint64_t seeds = only != nullptr                         ? 1
                                : std::getenv("STATOR_LONG") != nullptr ? 1000
                                                                        : 30;
    Tally tally;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        LogAgainstModel{seed, tally}.run(600);
        if (HasFailure()) return;
    }
    fmt::print(
        "{} seeds: {} appends ({} refused), {} syncs, {} retirements ({} bytes, {} beside), {} "
        "takes ({} told "
        "of "
        "what they missed), {} commits, {} kills, {} power cuts and {} within a repair\n",
        seeds,
        tally.appends,
        tally.full,
        tally.syncs,
        tally.retirements,
        tally.retired_bytes,
        tally.retired_beside_bytes,
        tally.takes,
        tally.missed,
        tally.commits,
        tally.kills,
        tally.cuts,
        tally.cuts_in_repair
    );
    if (only == nullptr) {
        // The test must come by all that it is for.
        EXPECT_GT(tally.full, seeds);
        EXPECT_GT(tally.retired_bytes, seeds * 1000);
        EXPECT_GT(tally.retired_beside_bytes, seeds * 1000);
        EXPECT_GT(tally.missed, 0U);
        EXPECT_GT(tally.kills, seeds);
        EXPECT_GT(tally.gathered_at_kills, seeds * 100);
        EXPECT_GT(tally.cuts, seeds * 2);
        EXPECT_GT(tally.cuts_in_repair, 0U);
    }
}

}  // namespace
}  // namespace stator::log
