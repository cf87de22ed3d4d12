#include "store/stream/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stator::stream {

namespace {

// Takes a number, and the character behind it; false when it is not so.
template <typename Number>
bool take_number(std::string_view& text, Number& number, char behind) {
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || at == end || *at != behind) return false;
    text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
    return true;
}

}  // namespace

bool Numbers::has(std::uint32_t boot, std::uint64_t seq) const {
    if (tops_.empty()) return false;
    if (boot < first_boot_) return true;
    const auto top = std::ranges::lower_bound(tops_, boot, {}, &Top::boot);
    if (top == tops_.end() || top->boot != boot || top->seq < seq) return false;
    return !gaps_.has(boot, seq);
}

Numbers::Taken Numbers::take(std::uint32_t boot, std::uint64_t seq) {
    if (tops_.empty()) {
        first_boot_ = boot;
        tops_.push_back({boot, seq});
        return {};
    }
    if (has(boot, seq)) return {.came = Came::again};
    const Came came = boot < tops_.back().boot ? Came::late : Came::next;
    const auto top = std::ranges::lower_bound(tops_, boot, {}, &Top::boot);
    if (top == tops_.end() || top->boot != boot) {
        tops_.insert(top, {boot, seq});
        if (seq > 1) gaps_.add({boot, 1, seq - 1});
        if (tops_.size() > boots_max) forget_oldest_boot();
        return {.came = came};
    }
    if (seq <= top->seq) {
        static_cast<void>(gaps_.take({boot, seq, seq}));
        return {.came = Came::late};
    }
    const std::uint64_t jumped = seq - top->seq - 1;
    if (jumped != 0) gaps_.add({boot, top->seq + 1, seq - 1});
    top->seq = seq;
    return {.came = came, .jumped = jumped};
}

void Numbers::forget_oldest_boot() {
    first_boot_ = tops_.front().boot + 1;
    tops_.erase(tops_.begin());
    gaps_.forget_before(first_boot_);
}

std::string Numbers::text() const {
    std::string made = fmt::format("{},{};", boot(), first_boot_);
    for (std::size_t i = 0; i + 1 < tops_.size(); ++i)
        made += fmt::format("{}:{},", tops_[i].boot, tops_[i].seq);
    made += ';';
    for (const Gap& gap : gaps_.all())
        made += fmt::format("{}:{}-{},", gap.boot, gap.from, gap.to);
    return made;
}

bool Numbers::read(std::string_view text) {
    std::uint32_t newest = 0;
    if (!take_number(text, newest, ',') || newest != boot()) return false;
    if (!take_number(text, first_boot_, ';')) return false;
    while (!text.empty() && text.front() != ';') {
        Top top;
        if (!take_number(text, top.boot, ':') || !take_number(text, top.seq, ',')) return false;
        tops_.insert(tops_.end() - 1, top);
    }
    if (text.empty()) return false;
    text.remove_prefix(1);
    while (!text.empty()) {
        Gap gap;
        if (!take_number(text, gap.boot, ':') || !take_number(text, gap.from, '-') ||
            !take_number(text, gap.to, ','))
            return false;
        gaps_.add(gap);
    }
    return true;
}

Numbers Numbers::from(std::string_view text, std::uint32_t boot, std::uint64_t seq) {
    Numbers made;
    made.tops_ = {{boot, seq}};
    if (made.read(text)) return made;
    made = {};
    made.first_boot_ = boot;
    made.tops_ = {{boot, seq}};
    return made;
}

}  // namespace stator::stream
