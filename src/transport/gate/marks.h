// Marks know up to where each sender's messages are in the log, and up to where they are synced.
//
// A sender numbers its messages without gaps within a boot. What arrives early waits in a few
// ranges; a gap record fills what the sender shed. So a mark never passes a message that is neither
// in the log nor declared lost. The first number seen of a boot is its beginning: a sender resends
// in order, so what came before was acknowledged to it by an earlier log. One mark a sender: that
// of its highest boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stator::gate {

struct Mark {
    std::string device;
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
};

inline constexpr std::size_t early_ranges_max = 32;

class Marks {
  public:
    explicit Marks(const std::vector<Mark>& synced = {});

    // Messages from..to of that boot have been appended, or were declared lost.
    void note(std::string_view device, std::uint32_t boot, std::uint64_t from, std::uint64_t to);
    // The appended mark as it would be with from..to noted; changes nothing.
    [[nodiscard]] Mark preview(
        std::string_view device, std::uint32_t boot, std::uint64_t from, std::uint64_t to
    ) const;

    // A sync that begins now covers what was noted until now; synced() is its end, which gives the
    // senders whose mark rose. One sync at a time.
    void begin_sync();
    [[nodiscard]] std::vector<std::string> synced();
    void sync_failed();

    [[nodiscard]] bool unsynced() const { return !changed_.empty(); }

    // The synced mark; seq 0 of boot 0 when there is none.
    [[nodiscard]] Mark get(std::string_view device) const;

  private:
    struct Range {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
    };

    struct Entry {
        std::uint32_t boot = 0;
        std::uint64_t appended = 0;
        std::vector<Range> early;  // behind a hole; sorted, apart from each other
        bool has_synced = false;
        std::uint32_t synced_boot = 0;
        std::uint64_t synced_seq = 0;
        std::uint32_t syncing_boot = 0;
        std::uint64_t syncing_seq = 0;
        bool changed = false;
    };

    struct Hash {
        using is_transparent = void;

        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    static void advance(Entry& entry, std::uint32_t boot, std::uint64_t from, std::uint64_t to);

    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
    std::vector<std::string> changed_;  // since the last begin_sync()
    std::vector<std::string> syncing_;
};

}  // namespace stator::gate
