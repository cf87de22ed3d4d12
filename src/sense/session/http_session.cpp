#include "sense/session/http_session.h"

#include "shared/wire/decimal.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace stator::session {
namespace {

using base::Fault;
using base::Result;

constexpr std::int64_t question_us_max = 20'000'000;
constexpr std::int64_t idle_us_max = 2'000'000;

// The value of a header, its name in lower case and without the colon; empty when it is not there.
std::string_view header(std::string_view head, std::string_view name) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    while (!head.empty()) {
        const std::size_t end = std::min(head.find("\r\n"), head.size());
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        if (line.size() <= name.size() || line[name.size()] != ':') continue;
        if (!std::ranges::equal(line.substr(0, name.size()), name, {}, lower)) continue;
        std::string_view value = line.substr(name.size() + 1);
        while (value.starts_with(' '))
            value.remove_prefix(1);
        return value;
    }
    return {};
}

struct Range {
    std::size_t first = 0;
    std::size_t whole = 0;
};

// Of "bytes 10-14/4000".
std::optional<Range> range_of(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.rfind('/');
    if (!text.starts_with(unit) || dash == std::string_view::npos ||
        slash == std::string_view::npos)
        return std::nullopt;
    const auto first = wire::to_integer(text.substr(unit.size(), dash - unit.size()));
    const auto whole = wire::to_integer(text.substr(slash + 1));
    if (!first || !whole || *first < 0 || *whole < 0) return std::nullopt;
    return Range{static_cast<std::size_t>(*first), static_cast<std::size_t>(*whole)};
}

bool append_number(base::FixedString<640>& text, std::size_t value) {
    std::array<char, 20> digits{};
    std::size_t at = digits.size();
    do {
        digits[--at] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return text.append({&digits[at], digits.size() - at});
}

}  // namespace

bool HttpSession::compose(const hal::FetchRequest& request) {
    question_.clear();
    auto& text = question_;
    const bool post = !request.form.empty();
    bool fits = text.append(post ? "POST " : "GET ") && text.append(request.path) &&
                text.append(" HTTP/1.1\r\nHost: ") && text.append(models_.host) &&
                text.append("\r\nUser-Agent: stator-node\r\n");
    if (post)
        return fits &&
               text.append("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ") &&
               append_number(text, request.form.size()) && text.append("\r\n\r\n") &&
               text.append(request.form);
    return fits && text.append("Range: bytes=") && append_number(text, request.offset) &&
           text.append("-") && append_number(text, request.offset + request.bytes_max - 1) &&
           text.append("\r\n\r\n");
}

Result<void> HttpSession::start(const hal::FetchRequest& request) {
    if (request.bytes_max == 0 || request.bytes_max > chunk_bytes_max || !compose(request))
        return std::unexpected{Fault::bad_input};
    offset_ = request.form.empty() ? request.offset : 0;
    bytes_max_ = request.bytes_max;
    end_us_ = time_.monotonic_us() + question_us_max;
    again_ = service_ == request.service && socket_.step() == Socket::State::open;
    service_ = request.service;
    return reach();
}

Result<void> HttpSession::reach() {
    size_ = asked_bytes_ = 0;
    if (again_) {
        phase_ = Phase::asking;
        return {};
    }
    const Server& server = service_ == hal::Service::devices ? devices_ : models_;
    phase_ = Phase::idle;
    const auto done = socket_.connect(server);
    if (done)
        phase_ = Phase::reaching;
    else
        reason_ = socket_.reason().empty() ? "no clock yet" : socket_.reason();
    return done;
}

Fault HttpSession::failed(std::string_view why) {
    // The server may close an idle connection at any time; a fresh one is tried before that counts.
    if (again_ && size_ == 0 && phase_ <= Phase::head) {
        again_ = false;
        return reach() ? Fault::again : Fault::io;
    }
    reason_ = why;
    phase_ = Phase::idle;
    socket_.close();
    return Fault::io;
}

bool HttpSession::read_more() {
    if (size_ == buffer_.size()) return true;
    const auto got = socket_.read(std::span{buffer_}.subspan(size_));
    if (!got) return false;
    size_ += *got;
    return true;
}

bool HttpSession::take_head(std::size_t bytes) {
    const std::string_view head{reinterpret_cast<const char*>(buffer_.data()), bytes};
    const auto status = wire::to_integer(head.substr(std::min<std::size_t>(9, bytes), 3));
    const auto length = wire::to_integer(header(head, "content-length"));
    if (!head.starts_with("HTTP/1.1 ") || !status || !length || *length < 0) return false;
    status_ = static_cast<int>(*status);
    length_ = static_cast<std::size_t>(*length);
    keep_ = header(head, "connection") != "close";
    file_bytes_ = length_;
    skip_ = status_ == 200 ? std::min(offset_, length_) : 0;
    if (status_ == 206) {
        const auto range = range_of(header(head, "content-range"));
        if (!range || range->first != offset_) return false;
        file_bytes_ = range->whole;
        status_ = 200;
    }
    wanted_ = std::min(length_ - skip_, bytes_max_);
    passed_ = 0;
    size_ -= bytes + 4;  // the empty line, too
    std::memmove(buffer_.data(), &buffer_[bytes + 4], size_);
    return true;
}

bool HttpSession::body_whole() {
    if (skip_ > 0) {
        const std::size_t now = std::min(skip_, size_);
        skip_ -= now;
        passed_ += now;
        size_ -= now;
        std::memmove(buffer_.data(), &buffer_[now], size_);
    }
    return skip_ == 0 && size_ >= wanted_;
}

Result<hal::FetchReply> HttpSession::poll() {
    if (phase_ == Phase::idle) return std::unexpected{Fault::io};
    if (time_.monotonic_us() >= end_us_) {
        again_ = false;
        return std::unexpected{failed("no answer in time")};
    }
    const auto state = socket_.step();
    if (state == Socket::State::closed) return std::unexpected{failed(socket_.reason())};
    if (state != Socket::State::open) return std::unexpected{Fault::again};
    if (phase_ == Phase::reaching) phase_ = Phase::asking;
    if (phase_ == Phase::asking) {
        const std::string_view rest = question_.view().substr(asked_bytes_);
        const auto done =
            socket_.write({reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size()});
        if (!done) return std::unexpected{failed(socket_.reason())};
        asked_bytes_ += *done;
        if (asked_bytes_ == question_.size()) phase_ = Phase::head;
        return std::unexpected{Fault::again};
    }
    if (!read_more()) return std::unexpected{failed(socket_.reason())};
    if (phase_ == Phase::head) {
        const std::string_view got{reinterpret_cast<const char*>(buffer_.data()), size_};
        const std::size_t end = got.find("\r\n\r\n");
        if (end == std::string_view::npos && size_ < head_bytes_max)
            return std::unexpected{Fault::again};
        if (end == std::string_view::npos || !take_head(end)) {
            again_ = false;
            return std::unexpected{failed("an answer that is not understood")};
        }
        phase_ = Phase::body;
    }
    if (!body_whole()) return std::unexpected{Fault::again};
    phase_ = Phase::idle;
    if (!keep_ || passed_ + size_ != length_) socket_.close();
    end_us_ = time_.monotonic_us() + idle_us_max;
    return hal::FetchReply{
        .status = status_,
        .bytes = std::as_bytes(std::span{buffer_}.first(wanted_)),
        .file_bytes = file_bytes_,
    };
}

void HttpSession::tend() {
    if (phase_ == Phase::idle && time_.monotonic_us() >= end_us_) socket_.close();
}

}  // namespace stator::session
