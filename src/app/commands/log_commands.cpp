#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/site/layout.h"
#include "store/stream/log_stream.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>

namespace stator::commands {

namespace {

std::optional<log::Class> class_named(const std::string& name) {
    for (const log::Class it :
         {log::Class::waveform, log::Class::telemetry, log::Class::alarm, log::Class::control})
        if (log::name_of(it) == name) return it;
    return std::nullopt;
}

std::string_view name_of(log::Identity identity) {
    switch (identity) {
        case log::Identity::certificate:
            return "certificate";
        case log::Identity::legacy:
            return "legacy";
        case log::Identity::vouched:
            return "vouched";
        case log::Identity::self:
            return "self";
    }
    return "unknown";
}

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

std::string line_of(const log::Record& record) {
    const std::chrono::sys_time<std::chrono::milliseconds> time{
        std::chrono::milliseconds{record.receive_unix_ms}
    };
    return fmt::format(
        "{:%Y-%m-%dT%H:%M:%S}Z {} {} {} {}",
        time,
        name_of(record.identity),
        printable(record.sender),
        printable(record.topic),
        printable(record.payload)
    );
}

int run_tail(const std::string& state_dir, const std::string& name, std::size_t count, bool all) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto log_class = class_named(name);
    if (!log_class)
        return tell(
            {base::Fault::bad_input, name + " is no class: waveform, telemetry, alarm, control"}
        );
    stream::LogStream stream{real.disk, site::Layout{*config}.log_directory()};
    // Without a name: an onlooker, which leaves nothing behind in the log's directory.
    auto source = stream.open(*log_class, {.name = "", .start = stream::Start::earliest});
    if (!source) return tell(source.error());
    std::deque<std::string> lines;
    // What comes in while this reads is not waited for: a busy writer must not keep it going.
    const std::int64_t begun_unix_ms = real.clock.unix_ms();
    bool past = false;
    while (!past) {
        auto records = (*source)->take(1000);
        if (!records) return tell(records.error());
        if (records->empty()) break;
        for (const log::Record& record : *records) {
            past = record.receive_unix_ms > begun_unix_ms;
            if (past) break;
            lines.push_back(line_of(record));
            if (!all && lines.size() > count) lines.pop_front();
        }
    }
    for (const std::string& line : lines)
        fmt::print("{}\n", line);
    return 0;
}

}  // namespace

void add_log(CLI::App& program, Chosen& chosen) {
    auto* log = program.add_subcommand("log", "What the gate has stored");
    log->require_subcommand(1);
    auto* tail = log->add_subcommand("tail", "The last records of a class, one a line");
    auto name = std::make_shared<std::string>("control");
    auto count = std::make_shared<std::size_t>(20);
    auto all = std::make_shared<bool>(false);
    add_state(*tail, chosen);
    tail->add_option("--class", *name, "waveform, telemetry, alarm or control")
        ->capture_default_str();
    tail->add_option("--count", *count, "How many")->capture_default_str();
    tail->add_flag("--all", *all, "Every record that is there");
    tail->callback([&chosen, name, count, all] {
        chosen.run = [&chosen, name, count, all] {
            return run_tail(chosen.state_dir, *name, *count, *all);
        };
    });
}

}  // namespace stator::commands
