#include "store/log/format.h"

#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

namespace stator::log {
namespace {

// The bytes of the blocks of a page that are headed "### NAME", as written there.
std::string example(const std::string& name) {
    std::ifstream page{STATOR_SOURCE_DIR "/docs/formats/log.md"};
    std::string bytes;
    bool here = false;
    bool block = false;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("### ")) here = line == "### " + name;
        if (here && line == "```") {
            block = !block;
            continue;
        }
        if (!here || !block) continue;
        // "0000  53 54 ...  what it is": an offset, sixteen bytes at most, and words.
        std::istringstream words{line.substr(6, 48)};
        for (std::string word; words >> word;)
            bytes += static_cast<char>(std::stoi(word, nullptr, 16));
    }
    return bytes;
}

std::string dump(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 16) {
        text += fmt::format("{:04x} ", i);
        for (std::size_t k = i; k < std::min(i + 16, bytes.size()); ++k)
            text += fmt::format(" {:02x}", static_cast<unsigned char>(bytes[k]));
        text += "\n";
    }
    return text;
}

std::string read(disk::Disk& disk, const std::string& path, std::size_t from, std::size_t size) {
    auto file = disk.open(path, disk::Mode::read);
    EXPECT_TRUE(file) << file.error().what;
    std::string bytes(size, '\0');
    const auto got = (*file)->read_at(from, std::as_writable_bytes(std::span{bytes}));
    EXPECT_TRUE(got);
    bytes.resize(*got);
    return bytes;
}

// The worked example of docs/formats/log.md is what a writer and a reader really leave behind.
TEST(LogFormat, TheWorkedExampleIsWhatIsWritten) {
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    Budgets budgets;
    budgets.telemetry = {524'288, 131'072, false};
    auto writer = Writer::open(disk, clock, "/log", budgets);
    ASSERT_TRUE(writer) << writer.error().what;
    RecordView record;
    record.receive_unix_ms = 1'700'000'000'250;
    record.topic = "shaded-pole-motor-sensor_data";
    record.sender = "14333616";
    record.payload = R"({"deviceID":"14333616","boot":3,"seq":7})";
    ASSERT_TRUE((*writer)->append(Class::telemetry, record, Mark{3, 7}));
    ASSERT_TRUE((*writer)->sync());
    const auto end = (*writer)->end(Class::telemetry).position;
    EXPECT_EQ(
        dump(read(disk, "/log/telemetry/0000000000000000.log", 0, 1000)),
        dump(example("A segment with one record"))
    );
    auto reader = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    ASSERT_TRUE(reader);
    ASSERT_TRUE((*reader)->commit({1, end}));
    EXPECT_EQ(
        dump(read(disk, "/log/readers/ingest.telemetry", 0, commit_slot_bytes)),
        dump(example("A commit page's first slot"))
    );
    // Filled up to the first index entry and to the second segment, whose header has a snapshot.
    const std::string filler(1000, ' ');
    record.payload = filler;
    while ((*writer)->end(Class::telemetry).position < 140'000) {
        ASSERT_TRUE((*writer)->append(Class::telemetry, record));
        ASSERT_TRUE((*writer)->sync());
    }
    EXPECT_EQ(
        dump(read(disk, "/log/telemetry/0000000000000000.index", 0, 1000)),
        dump(example("An index entry"))
    );
    auto listing = list_segments(disk, "/log/telemetry");
    ASSERT_TRUE(listing);
    ASSERT_EQ(listing->segments.size(), 2U);
    EXPECT_EQ(
        dump(read(
            disk, listing->segments[1].path, 0, listing->segments[1].header.snapshot_bytes + 64
        )),
        dump(example("A later segment's header and snapshot"))
    );
}

std::vector<std::byte> valid_record(std::uint64_t position, std::size_t payload) {
    const std::string text(payload, 'x');
    RecordView view;
    view.receive_unix_ms = 1'700'000'000'000;
    view.topic = "topic";
    view.sender = "pump";
    view.payload = text;
    RecordHeader header;
    header.epoch = 3;
    header.ordinal = 17;
    header.flags = RecordHeader::has_mark;
    header.mark = {2, 5};
    std::vector<std::byte> bytes(payload + 80);
    bytes.resize(encode(view, header, position, bytes));
    return bytes;
}

TEST(LogFormat, NoFlippedBitOfARecordGoesUnseen) {
    const auto valid = valid_record(4096, 40);
    ASSERT_EQ(parse_record(valid, 4096).kind, Parsed::Kind::record);
    for (std::size_t bit = 0; bit < valid.size() * 8; ++bit) {
        auto bytes = valid;
        bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_NE(parse_record(bytes, 4096).kind, Parsed::Kind::record) << "bit " << bit;
    }
    EXPECT_NE(parse_record(valid, 4104).kind, Parsed::Kind::record) << "at another position";
}

TEST(LogFormat, APrefixOfARecordIsNeverARecord) {
    const auto valid = valid_record(64, 100);
    for (std::size_t size = 0; size < valid.size(); ++size) {
        const Parsed parsed = parse_record(Bytes{valid}.first(size), 64);
        ASSERT_NE(parsed.kind, Parsed::Kind::record) << size;
        if (parsed.kind == Parsed::Kind::more) {
            ASSERT_GT(parsed.size, size);
        }
    }
}

// Random damage of several kinds, and a CRC that was put right afterwards: the parser keeps within
// its bytes (the sanitizers watch), and what it accepts it writes again alike.
TEST(LogFormat, MutatedRecordsAreRefusedOrReadJustSo) {
    std::mt19937_64 random{1};
    std::size_t accepted = 0;
    for (int round = 0; round < 200'000; ++round) {
        auto bytes = valid_record(64, random() % 60);
        const std::size_t changes = 1 + random() % 6;
        for (std::size_t i = 0; i < changes; ++i) {
            const std::size_t at = random() % 3 == 0 ? random() % 16 : random() % bytes.size();
            bytes[at] = static_cast<std::byte>(random());
        }
        if (random() % 4 == 0) bytes.resize(random() % bytes.size());
        Parsed parsed = parse_record(bytes, 64);
        if (parsed.kind == Parsed::Kind::bad && parsed.size != 0) {
            const std::uint32_t crc = record_crc(Bytes{bytes}.first(parsed.size), 64);
            for (std::size_t i = 0; i < 4; ++i)
                bytes[i] = static_cast<std::byte>(crc >> (8 * i));
            parsed = parse_record(bytes, 64);
            ASSERT_EQ(parsed.kind, Parsed::Kind::record);
        }
        if (parsed.kind != Parsed::Kind::record) continue;
        ++accepted;
        ASSERT_LE(parsed.size, bytes.size());
        std::vector<std::byte> again(parsed.size);
        RecordHeader header = parsed.header;
        header.flags &= static_cast<std::uint8_t>(~RecordHeader::identity_bits);
        ASSERT_EQ(encode(parsed.view, header, 64, again), parsed.size);
        const Parsed same = parse_record(again, 64);
        ASSERT_EQ(same.kind, Parsed::Kind::record);
        ASSERT_EQ(same.view.payload, parsed.view.payload);
        ASSERT_EQ(same.view.topic, parsed.view.topic);
        ASSERT_EQ(same.header.mark, parsed.header.mark);
    }
    EXPECT_GT(accepted, 1000U);
}

TEST(LogFormat, OfTwoCommitSlotsTheNewerWholeOneCounts) {
    std::vector<std::byte> page(commit_slot_stride + commit_slot_bytes);
    const std::span<std::byte> bytes{page};
    EXPECT_FALSE(decode_commit_page(page));
    encode(CommitSlot{1, {1, 640}, true}, bytes.subspan(commit_slot_stride));
    encode(CommitSlot{2, {1, 1280}, true}, bytes);
    EXPECT_EQ(decode_commit_page(page)->offset, (Offset{1, 1280}));
    for (std::size_t bit = 0; bit < commit_slot_bytes * 8; ++bit) {
        auto torn = page;
        torn[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        ASSERT_TRUE(decode_commit_page(torn));
        EXPECT_EQ(decode_commit_page(torn)->offset, (Offset{1, 640})) << "bit " << bit;
    }
}

TEST(LogFormat, MutatedIndexEntriesAndSlotsAreRefused) {
    std::mt19937_64 random{2};
    std::array<std::byte, index_entry_bytes> entry{};
    std::vector<std::byte> slot(commit_slot_bytes);
    for (int round = 0; round < 50'000; ++round) {
        encode(IndexEntry{random(), static_cast<std::int64_t>(random()), 3}, entry);
        ASSERT_TRUE(decode_index(entry));
        entry[random() % entry.size()] ^= static_cast<std::byte>(1U << (random() % 8));
        ASSERT_FALSE(decode_index(entry));
        encode(CommitSlot{random(), {3, random()}, random() % 2 == 0}, slot);
        ASSERT_TRUE(decode_commit_slot(slot));
        slot[random() % slot.size()] ^= static_cast<std::byte>(1U << (random() % 8));
        ASSERT_FALSE(decode_commit_slot(slot));
    }
}

// A whole segment file, damaged anywhere, cut anywhere, or filled up with zeros: reading ends,
// verify sees it, a writer opens the log and goes on, and what it appends is read.
TEST(LogFormat, AnyDamagedSegmentIsReadVerifiedAndRepaired) {
    std::mt19937_64 random{3};
    Budgets budgets;
    for (Budget* budget : {&budgets.waveform, &budgets.telemetry, &budgets.alarm, &budgets.control})
        *budget = {65'536, 16'384, false};
    const std::string path = "/log/telemetry/" + segment_name(0);
    int whole = 0;
    int some = 0;
    int none = 0;
    for (int round = 0; round < 400; ++round) {
        SCOPED_TRACE(fmt::format("round {}", round));
        disk::SimulatedDisk disk;
        clock::VirtualClock clock{1'700'000'000'000};
        const auto append = [&](Writer& writer, std::string_view payload) {
            RecordView record;
            record.sender = "pump";
            record.payload = payload;
            ASSERT_TRUE(writer.append(Class::telemetry, record, Mark{1, 1}));
            ASSERT_TRUE(writer.sync());
        };
        std::vector<std::string> appended;
        {
            auto writer = Writer::open(disk, clock, "/log", budgets);
            ASSERT_TRUE(writer);
            for (std::size_t i = 0; i < 12; ++i) {
                appended.push_back(fmt::format("{} {}", i, std::string(random() % 90, 'x')));
                append(**writer, appended.back());
            }
        }
        auto file = disk.open(path, disk::Mode::write);
        const std::uint64_t size = *(*file)->size();
        switch (random() % 3) {
            case 0:
                for (std::size_t i = 0; i <= random() % 3; ++i)
                    disk.spoil(path, random() % size);
                break;
            case 1:
                ASSERT_TRUE((*file)->truncate(random() % size));
                break;
            default: {
                const std::vector<std::byte> zeros(1 + random() % 200);
                ASSERT_TRUE((*file)->write_at(random() % size, zeros));
            }
        }
        const auto seen = verify(disk, "/log");
        ASSERT_TRUE(seen) << seen.error().what;
        {
            auto reader = Reader::open(disk, "/log", Class::telemetry, {});
            ASSERT_TRUE(reader);
            const auto records = (*reader)->take(1000);
            ASSERT_TRUE(records) << records.error().what;
            ASSERT_LE(records->size(), 12U);
            for (std::size_t i = 0; i < records->size(); ++i)
                EXPECT_EQ((*records)[i].payload, appended[i]) << "nothing comes behind a hole";
            if (records->size() < 12) {
                EXPECT_FALSE(seen->findings.empty() && seen->tails.empty());
            }
            (records->size() == 12 ? whole : records->empty() ? none : some) += 1;
        }
        auto writer = Writer::open(disk, clock, "/log", budgets);
        ASSERT_TRUE(writer) << writer.error().what;
        auto reader = Reader::open(disk, "/log", Class::telemetry, {"", false, true});
        append(**writer, "after");
        const auto records = (*reader)->take(10);
        ASSERT_TRUE(records);
        ASSERT_EQ(records->size(), 1U);
        EXPECT_EQ(records->front().payload, "after");
    }
    EXPECT_GT(some, 200);
    EXPECT_GT(none, 10);
    EXPECT_LT(whole, 100);
}

}  // namespace
}  // namespace stator::log
