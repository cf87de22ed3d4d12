// Rights is the registry's snapshot of who may connect: what the gate decides by.
//
// The registry writes it by atomic replace; the gate reads it on its tick when the generation in
// its first line has changed. A snapshot that is missing or corrupt changes nothing: the reader
// keeps the last good one and says why. Byte format: docs/formats/rights.md.
//
//   stator-rights 1 <generation> <crc32c, 8 hex digits>\n
//   {"devices":[{"id","role","state","assigned":[..]}],"legacy":[..],"revoked_serials":[..]}
#pragma once

#include "world/disk/disk.h"
#include "world/outcome/outcome.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stator::devices {

enum class State : std::uint8_t { provisioned, active, revoked };

[[nodiscard]] std::string_view name_of(State state);

struct Right {
    std::string id;
    std::string role;  // as in the certificate: sensor, actor, level2
    State state = State::provisioned;
    std::vector<std::string> assigned;  // level2: the devices that it may raise alerts about
    friend bool operator==(const Right&, const Right&) = default;
};

// A device that cannot do mutual TLS, let in by name. It must be active among the devices too.
struct LegacyException {
    std::string id;
    bool bare = false;  // without password, on the loopback listener only
    // "<salt>:<hex sha256(salt:password)>", see hash_password(). Passwords are generated (over 100
    // bits), so one round of a fast hash is enough, and a login cannot stall the broker.
    std::string password_hash;
    friend bool operator==(const LegacyException&, const LegacyException&) = default;
};

struct Rights {
    std::uint64_t generation = 0;
    std::vector<Right> devices;                // by id, no id twice
    std::vector<std::string> revoked_serials;  // of certificates, upper-case hex, sorted
    std::vector<LegacyException> legacy;       // by id, no id twice

    [[nodiscard]] const Right* find(std::string_view id) const;
    [[nodiscard]] const LegacyException* find_legacy(std::string_view id) const;
    [[nodiscard]] bool is_revoked(std::string_view serial) const;
    [[nodiscard]] bool is_assigned(std::string_view level2_id, std::string_view device_id) const;
    friend bool operator==(const Rights&, const Rights&) = default;
};

inline constexpr std::size_t rights_bytes_max = 256U << 20U;

[[nodiscard]] std::string rights_path(const std::string& state_directory);  // registry/rights
[[nodiscard]] std::string serialise(Rights rights);                         // sorts by id
[[nodiscard]] Outcome<Rights> parse_rights(std::string_view bytes, const std::string& path);
[[nodiscard]] Outcome<void> save_rights(
    disk::Disk& disk, const std::string& path, const Rights& rights
);

[[nodiscard]] std::string hash_password(std::string_view salt, std::string_view password);
[[nodiscard]] bool password_matches(std::string_view hash, std::string_view password);

class RightsReader {
  public:
    // Runs a job on another thread; false when it cannot now.
    using Beside = std::function<bool(std::function<void()>)>;
    // Some 500 devices, 1 ms: where nobody may wait, more is read beside.
    static constexpr std::uint64_t at_once_bytes_max = 32U << 10U;

    RightsReader(disk::Disk& disk, std::string path);

    // From now on refresh() leaves large snapshots to `beside`. The disk outlives its jobs.
    void read_beside(Beside beside) { beside_ = std::move(beside); }

    // Looks at the file; true when rights() has changed. Cheap when the first line has not.
    [[nodiscard]] bool refresh();

    // What was read beside is there: refresh() takes it.
    [[nodiscard]] bool waiting() const;

    [[nodiscard]] const Rights& rights() const { return rights_; }

    // Why the file that is there now is not used; empty when it is. Changes only in refresh().
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    struct Snapshot {
        std::string first_line;  // empty: nothing could be read
        Outcome<Rights> rights;
    };

    struct Loading {
        std::atomic<bool> done = false;
        std::optional<Snapshot> snapshot;  // once it is done
    };

    [[nodiscard]] static Snapshot read(disk::Disk& disk, const std::string& path);
    [[nodiscard]] bool take(Snapshot snapshot);

    disk::Disk& disk_;
    std::string path_;
    Beside beside_;
    std::shared_ptr<Loading> loading_;  // the job's, too
    std::string first_line_;            // of the snapshot in use, or of the one refused
    Rights rights_;
    std::string problem_;
};

}  // namespace stator::devices
