// UnderWay keeps what a producer was given and has not answered yet, by its id.
//
// Ids rise, and answers come in nearly that order: so nothing is allocated for one, and what is
// found is found at the front. An answer out of order holds its place until those before it came.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace stator::kafka {

template <typename T>
class UnderWay {
  public:
    void add(std::uint64_t id, T what) {
        assert(entries_.empty() || entries_.back().id < id);
        entries_.push_back({id, std::move(what)});
    }

    // None when it is not under way.
    [[nodiscard]] std::optional<T> take(std::uint64_t id) {
        const auto found = std::ranges::lower_bound(entries_, id, {}, &Entry::id);
        if (found == entries_.end() || found->id != id) return std::nullopt;
        std::optional<T> taken = std::exchange(found->what, std::nullopt);
        while (!entries_.empty() && !entries_.front().what)
            entries_.pop_front();
        return taken;
    }

    [[nodiscard]] bool empty() const { return entries_.empty(); }

    // Of what is not empty.
    [[nodiscard]] const T& oldest() const { return *entries_.front().what; }

    // The ids, in order; nothing is under way any more.
    template <typename TakeId>
    void clear(TakeId take_id) {
        for (const Entry& entry : std::exchange(entries_, {}))
            if (entry.what) take_id(entry.id);
    }

  private:
    struct Entry {
        std::uint64_t id = 0;
        std::optional<T> what;  // none once it is answered
    };

    std::deque<Entry> entries_;  // the first is not answered
};

}  // namespace stator::kafka
