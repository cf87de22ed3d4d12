#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/loop/loop.h"
#include "app/site/layout.h"
#include "store/log/inspect.h"
#include "store/log/verify.h"
#include "store/stream/log_stream.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>

namespace stator::commands {

namespace {

// One line, whatever a device sent.
std::string printable(const std::string& text) {
    std::string made;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F)
            made += fmt::format("\\x{:02x}", byte);
        else
            made += c;
    }
    return made;
}

std::string time_of(std::int64_t unix_ms) {
    const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{unix_ms}};
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", time);
}

std::string line_of(const log::Record& record) {
    return fmt::format(
        "{} {} {} {} {}",
        time_of(record.receive_unix_ms),
        log::name_of(record.identity),
        printable(record.sender),
        printable(record.topic),
        printable(record.payload)
    );
}

struct Tail {
    std::string log_class = "control";
    std::size_t count = 20;
    bool all = false;
    bool follow = false;
};

int run_tail(const std::string& state_dir, const Tail& wanted) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto log_class = log::class_named(wanted.log_class);
    if (!log_class)
        return tell(
            {base::Fault::bad_input,
             wanted.log_class + " is no class: waveform, telemetry, alarm, control"}
        );
    stream::LogStream stream{real.disk, site::Layout{*config}.log_directory()};
    // Without a name: an onlooker, which leaves nothing behind in the log's directory.
    auto source = stream.open(*log_class, {.name = "", .start = stream::Start::earliest});
    if (!source) return tell(source.error());
    loop::catch_signals();
    std::deque<std::string> lines;  // of what was there at the beginning
    bool live = false;              // they have been shown
    const auto show = [&] {
        for (const std::string& line : lines)
            fmt::print("{}\n", line);
        lines.clear();
        live = true;
    };
    // What comes in while this reads is not waited for: a busy writer must not keep it going.
    const std::int64_t begun_unix_ms = real.clock.unix_ms();
    while (!loop::stop_wanted().load()) {
        auto records = (*source)->take(1000);
        if (!records) return tell(records.error());
        for (const log::Record& record : *records) {
            if (!live && record.receive_unix_ms > begun_unix_ms) show();
            if (live && !wanted.follow) return 0;
            lines.push_back(line_of(record));
            if (live) {
                show();
            } else if (!wanted.all && lines.size() > wanted.count) {
                lines.pop_front();
            }
        }
        if (!records->empty()) continue;
        show();
        if (!wanted.follow) return 0;
        std::fflush(stdout);
        constexpr std::int64_t look_us = 200'000;  // at a signal, too
        (*source)->wait(look_us);
    }
    return 0;
}

std::string or_dash(const std::optional<std::uint64_t>& value) {
    return value ? fmt::format("{}", *value) : "-";
}

int run_ls(const std::string& state_dir, bool segments) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto all =
        log::look_at(real.disk, site::Layout{*config}.log_directory(), real.clock.unix_ms());
    if (!all) return tell(all.error());
    fmt::print(
        "{:<9} {:>8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:<10} {:>10} {:>9}\n",
        "class",
        "segments",
        "first",
        "end",
        "synced",
        "bytes",
        "budget",
        "pinned",
        "by",
        "bytes/s",
        "days left"
    );
    for (const log::Holding& held : *all) {
        fmt::print(
            "{:<9} {:>8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:<10} {:>10} {:>9}\n",
            log::name_of(held.log_class),
            held.segments.size(),
            held.first,
            fmt::format("{}:{}", held.end.epoch, held.end.position),
            or_dash(held.synced),
            held.segment_bytes + held.spare_bytes,
            or_dash(held.budget_bytes),
            held.pinned_bytes,
            held.pinned_by.empty() ? "-" : held.pinned_by,
            held.bytes_per_s ? fmt::format("{:.0f}", *held.bytes_per_s) : "-",
            held.autonomy_days ? fmt::format("{:.1f}", *held.autonomy_days) : "-"
        );
        for (const log::Segment& segment : held.segments)
            if (segments)
                fmt::print(
                    "  {} epoch {} from {} {} bytes\n",
                    segment.path,
                    segment.header.epoch,
                    time_of(segment.header.created_unix_ms),
                    segment.file_bytes
                );
    }
    return 0;
}

int run_verify(const std::string& state_dir) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto seen = log::verify(real.disk, site::Layout{*config}.log_directory());
    if (!seen) return tell(seen.error());
    for (const log::Finding& finding : seen->findings)
        fmt::print("{}: offset {}: {}\n", finding.file, finding.offset, finding.what);
    if (seen->findings_left_out != 0) fmt::print("and {} more\n", seen->findings_left_out);
    for (const log::Finding& tail : seen->tails)
        fmt::print("{}: offset {}: {} (harmless)\n", tail.file, tail.offset, tail.what);
    fmt::print(
        "{} segments, {} records, {} bytes, {} index entries, {} commit pages: {}\n",
        seen->segments,
        seen->records,
        seen->record_bytes,
        seen->index_entries,
        seen->commit_pages,
        seen->findings.empty() ? "all well" : "NOT WELL"
    );
    return seen->findings.empty() ? 0 : 1;
}

int run_offsets(const std::string& state_dir) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto all = log::look_at_readers(real.disk, site::Layout{*config}.log_directory());
    if (!all) return tell(all.error());
    fmt::print(
        "{:<20} {:<9} {:<8} {:>5} {:>14} {:>12} {:>12} {:>12}\n",
        "reader",
        "class",
        "is",
        "epoch",
        "position",
        "lag records",
        "lag bytes",
        "missed bytes"
    );
    for (const log::ReaderLag& lag : *all)
        fmt::print(
            "{:<20} {:<9} {:<8} {:>5} {:>14} {:>12} {:>12} {:>12}\n",
            lag.place.reader,
            log::name_of(lag.place.log_class),
            lag.place.slot.required ? "required" : "optional",
            lag.place.slot.offset.epoch,
            lag.place.slot.offset.position,
            lag.records,
            lag.bytes,
            lag.missed_bytes
        );
    return 0;
}

}  // namespace

void add_log(CLI::App& program, Chosen& chosen) {
    auto* log = program.add_subcommand("log", "What the gate has stored");
    log->require_subcommand(1);
    auto* tail = log->add_subcommand("tail", "The last records of a class, one a line");
    auto wanted = std::make_shared<Tail>();
    add_state(*tail, chosen);
    tail->add_option("--class", wanted->log_class, "waveform, telemetry, alarm or control")
        ->capture_default_str();
    tail->add_option("--count", wanted->count, "How many")->capture_default_str();
    tail->add_flag("--all", wanted->all, "Every record that is there");
    tail->add_flag("--follow", wanted->follow, "And what comes, until Ctrl-C");
    tail->callback([&chosen, wanted] {
        chosen.run = [&chosen, wanted] { return run_tail(chosen.state_dir, *wanted); };
    });
    auto* ls = log->add_subcommand("ls", "Classes, positions, bytes, budgets, days of autonomy");
    auto segments = std::make_shared<bool>(false);
    add_state(*ls, chosen);
    ls->add_flag("--segments", *segments, "And every segment");
    ls->callback([&chosen, segments] {
        chosen.run = [&chosen, segments] { return run_ls(chosen.state_dir, *segments); };
    });
    auto* verify =
        log->add_subcommand("verify", "Check every record and index; exit 1 if one is wrong");
    add_state(*verify, chosen);
    verify->callback([&chosen] { chosen.run = [&chosen] { return run_verify(chosen.state_dir); }; }
    );
    auto* offsets =
        log->add_subcommand("offsets", "How far each reader is, and what it lags behind");
    add_state(*offsets, chosen);
    offsets->callback([&chosen] {
        chosen.run = [&chosen] { return run_offsets(chosen.state_dir); };
    });
}

}  // namespace stator::commands
