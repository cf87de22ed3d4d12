// What a Writer holds: its doors, the classes, and where marks and syncs stand.
#pragma once

#include "store/log/class_writer.h"
#include "store/log/writer.h"

#include <functional>
#include <limits>
#include <unordered_map>

namespace stator::log {

[[nodiscard]] constexpr std::size_t index_of(Class log_class) {
    return static_cast<std::size_t>(log_class);
}

struct Tail {
    Mark appended;
    bool unsynced = false;
};

struct Pin {
    std::uint64_t position = std::numeric_limits<std::uint64_t>::max();  // nobody's
    std::string reader;
};

struct SenderHash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

using Tails = std::unordered_map<std::string, Tail, SenderHash, std::equal_to<>>;

struct Writer::State {
    State(disk::Disk& d, clock::Clock& c, std::string dir, const Budgets& b)
        : disk{d}, clock{c}, directory{std::move(dir)}, budgets{b} {
        for (std::size_t i = 0; i < class_count; ++i) {
            const auto log_class = static_cast<Class>(i);
            classes.push_back({disk, directory, log_class, budgets.of(log_class)});
        }
        buffer.resize(
            record_header_bytes + topic_bytes_max + sender_bytes_max + payload_bytes_max + 8
        );
    }

    disk::Disk& disk;
    clock::Clock& clock;
    std::string directory;
    Budgets budgets;
    std::unique_ptr<disk::Lock> lock;
    std::unique_ptr<disk::SharedWords> words;
    std::vector<ClassWriter> classes;
    std::array<Pin, class_count> pins;
    std::array<bool, class_count> held{};
    std::array<bool, class_count> stuck{};  // the last look found nothing to delete
    std::uint32_t epoch = 1;
    std::uint64_t next_ordinal = 1;
    std::uint64_t synced_ordinal = 1;
    Tails tails;
    std::vector<Tails::value_type*> unsynced_marks;
    Marks synced_marks;
    std::vector<std::byte> buffer;
    bool unsynced = false;  // something since the last begin_sync()
    std::int64_t refreshed_us = std::numeric_limits<std::int64_t>::min() / 2;
    bool sync_running = false;
    bool disk_full = false;
    std::string broken;  // why nothing more is taken
    RepairReport report;

    ClassWriter& of(Class c) { return classes[index_of(c)]; }

    void publish(Class c, Word word, std::uint64_t value) {
        words->store(word_index(c, word), value);
    }

    [[nodiscard]] std::string unsure_text(Class c) const {
        return directory_of(directory, c) +
               ": a removal could not be synced, the log must be opened again";
    }

    Outcome<void> hand_over(Class c) {
        ClassWriter& log = of(c);
        if (log.readable() == log.end()) return {};
        if (auto done = log.hand_over(); !done) {
            // What was gathered stays where it is: open() tries again.
            broken = directory +
                     ": what was gathered could not be written, the log must be opened "
                     "again (" +
                     done.error().what + ")";
            return done;
        }
        publish(c, Word::end, log.end());
        return {};
    }

    Outcome<void> begin_segment(Class c) {
        if (auto done = hand_over(c); !done) return done;
        const Moment moment{epoch, synced_ordinal, clock.unix_ms(), &synced_marks};
        if (auto done = of(c).begin_segment(moment); !done) return done;
        publish(c, Word::first, of(c).first());
        publish(c, Word::end, of(c).end());
        unsynced = true;
        return {};
    }

    Outcome<void> start();
    Outcome<void> make_room(Class c, std::size_t bytes);
    Outcome<void> read_places();
    void update_hold(Class c);
    [[nodiscard]] double fill(Class c) const;
    [[nodiscard]] Outcome<Offset> append(
        Class c, const RecordView& record, std::uint8_t flags, const std::optional<Mark>& mark
    );
    [[nodiscard]] Outcome<void> put(
        ClassWriter& log,
        Class c,
        const RecordView& record,
        const RecordHeader& header,
        std::size_t bytes_most
    );
    Outcome<Tails::value_type*> tail_of(std::string_view sender);
};

}  // namespace stator::log
