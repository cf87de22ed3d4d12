#include "sense/port/host/bench_pipes.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace stator::host {
namespace {

constexpr std::size_t question_bytes = 4;

Outcome<int> open_pipe(const std::string& path) {
    constexpr unsigned private_mode = 0600;
    if (::mkfifo(path.c_str(), private_mode) != 0 && errno != EEXIST)
        return fail(base::Fault::io, path + ": cannot be made: " + std::strerror(errno));
    // Both ends are held open here, so that it does not matter which side comes first.
    const int file = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return fail(base::Fault::io, path + ": " + std::strerror(errno));
    return file;
}

}  // namespace

Outcome<std::unique_ptr<BenchPipes>> BenchPipes::make(
    const std::string& folder, hal::Adc& adc, hal::Actuators& actuators
) {
    std::unique_ptr<BenchPipes> made{new BenchPipes{adc, actuators}};
    const auto ask = open_pipe(folder + "/bench.ask");
    if (!ask) return std::unexpected{ask.error()};
    made->ask_ = *ask;
    const auto answer = open_pipe(folder + "/bench.answer");
    if (!answer) return std::unexpected{answer.error()};
    made->answer_ = *answer;
    return made;
}

BenchPipes::~BenchPipes() {
    if (ask_ >= 0) ::close(ask_);
    if (answer_ >= 0) ::close(answer_);
}

void BenchPipes::wait(std::int64_t timeout_us) {
    pollfd one{.fd = ask_, .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&one, 1, static_cast<int>((timeout_us + 999) / 1000)));
}

Outcome<void> BenchPipes::write_all(const void* bytes, std::size_t size) {
    // A pipe holds more than the one answer that is ever under way.
    if (::write(answer_, bytes, size) != static_cast<ssize_t>(size))
        return fail(base::Fault::io, "bench.answer: the board does not read its answers");
    return {};
}

Outcome<void> BenchPipes::answer(const std::uint8_t* question) {
    const std::uint8_t argument = question[1];
    switch (question[0]) {
        case 'r': {
            counts_.assign(question[2] | std::size_t{question[3]} << 8U, 0);
            // What cannot be read stays 0, which a converter gives whose input is cut.
            static_cast<void>(adc_.read(argument, counts_));
            return write_all(counts_.data(), counts_.size() * sizeof(std::uint16_t));
        }
        case 'a': {
            const std::size_t each = question[2] | std::size_t{question[3]} << 8U;
            counts_.assign(argument * each, 0);
            for (std::size_t channel = 0; channel < argument; ++channel)
                static_cast<void>(
                    adc_.read(channel, std::span{counts_}.subspan(channel * each, each))
                );
            return write_all(counts_.data(), counts_.size() * sizeof(std::uint16_t));
        }
        case 'f': {
            const float flow = actuators_.backup_flow_l_per_min().value_or(0.0F);
            return write_all(&flow, sizeof flow);
        }
        case 's': {
            std::array<std::uint8_t, 4 + question_bytes> here = {'S', 'T', 'A', 'T'};
            std::copy_n(question, question_bytes, here.begin() + 4);
            return write_all(here.data(), here.size());
        }
        case 'v':
            actuators_.set_valve_degrees(argument);
            return {};
        case 'p':
            actuators_.set_backup_pump(argument != 0);
            return {};
        default:
            return fail(base::Fault::bad_input, "bench.ask: the board asks what no bench knows");
    }
}

Outcome<bool> BenchPipes::step() {
    constexpr int questions_max = 64;  // a step is bounded
    int count = 0;
    for (; count < questions_max; ++count) {
        std::array<std::uint8_t, question_bytes> question{};
        // Each is written as a whole, and a pipe keeps so short a write in one piece.
        const auto got = ::read(ask_, question.data(), question.size());
        if (got != static_cast<ssize_t>(question.size())) break;
        ++questions_;
        if (auto done = answer(question.data()); !done) return std::unexpected{done.error()};
    }
    return count > 0;
}

}  // namespace stator::host
