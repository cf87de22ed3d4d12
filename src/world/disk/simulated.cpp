#include "world/disk/simulated.h"

#include "world/disk/simulated_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stator::disk {
namespace {

// The kernel writes mapped memory by pages; smaller parts leave more mixtures of old and new.
constexpr std::size_t part_bytes = 256;

using NodePtr = std::shared_ptr<Node>;

// One unsynced change of names: `gone` is taken away, `there` is put in place.
struct NameChange {
    std::string gone;
    std::string there;
    NodePtr node;
};

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::unexpected<Error> missing(const std::string& path) {
    return fail(base::Fault::not_found, path + ": no such file on the simulated disk");
}

}  // namespace

struct SimulatedDisk::State {
    std::map<std::string, NodePtr> names;
    std::map<std::string, NodePtr> synced_names;
    std::vector<NameChange> unsynced_names;
    std::set<std::string> directories{"/"};
    std::map<std::string, std::shared_ptr<std::vector<std::uint64_t>>> words;
    std::set<std::string> locks;
    std::uint64_t random;
    std::uint64_t operations = 0;
    std::uint64_t cut_before = never;
    std::uint64_t life = 0;  // rises with each restart: handles of the life before are dead
    std::uint64_t capacity = never;
    bool off = false;
    bool syncs_fail = false;

    explicit State(std::uint64_t seed) : random{seed} {}

    std::uint64_t draw(std::uint64_t below) {  // splitmix64
        std::uint64_t z = (random += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return (z ^ (z >> 31U)) % below;
    }

    // False when the power goes just before this operation, or went earlier.
    bool operate() {
        if (!off && operations++ >= cut_before) off = true;
        return !off;
    }

    [[nodiscard]] std::uint64_t used() const {
        std::uint64_t sum = 0;
        for (const auto& [path, node] : names)
            sum += node->now.space();
        return sum;
    }

    void settle(Node& node, Survival survival) {
        node.now = node.synced;
        for (Change& change : node.unsynced) {
            const std::uint64_t fate = survival == Survival::all    ? 1
                                       : survival == Survival::none ? 0
                                                                    : draw(3);
            if (fate == 0) continue;
            if (fate == 2 && change.kind == Change::Kind::write)
                change.bytes.resize(draw(change.bytes.size() + 1));
            node.now.apply(change);
        }
        node.unsynced.clear();
        if (node.mapped) {
            for (std::size_t at = 0; at < node.mapped->size(); at += part_bytes) {
                const bool there =
                    survival == Survival::all || (survival == Survival::random && draw(2) == 0);
                const std::size_t size = std::min(part_bytes, node.mapped->size() - at);
                if (there) node.now.apply({Change::Kind::write, at, node.mapped_part(at, size)});
            }
            node.mapped.reset();  // whoever has it still sees memory of the life before
        }
        node.synced = node.now;
    }
};

namespace {

std::unexpected<Error> no_power(const std::string& path) {
    return fail(base::Fault::io, path + ": the power is off");
}

class SimulatedWords final : public SharedWords {
  public:
    explicit SimulatedWords(std::shared_ptr<std::vector<std::uint64_t>> words)
        : words_{std::move(words)} {}

    std::uint64_t load(std::size_t index) const override { return words_->at(index); }

    void store(std::size_t index, std::uint64_t value) override { words_->at(index) = value; }

    // One thread, one process: nothing can change while it waits.
    void wait(std::size_t, std::uint64_t, std::int64_t) override {}

  private:
    std::shared_ptr<std::vector<std::uint64_t>> words_;
};

template <typename State>
class SimulatedLock final : public Lock {
  public:
    SimulatedLock(std::shared_ptr<State> state, std::string path)
        : state_{std::move(state)}, path_{std::move(path)}, life_{state_->life} {}

    SimulatedLock(const SimulatedLock&) = delete;
    SimulatedLock& operator=(const SimulatedLock&) = delete;
    SimulatedLock(SimulatedLock&&) = delete;
    SimulatedLock& operator=(SimulatedLock&&) = delete;

    ~SimulatedLock() override {
        if (state_->life == life_) state_->locks.erase(path_);
    }

  private:
    std::shared_ptr<State> state_;
    std::string path_;
    std::uint64_t life_;
};

}  // namespace

class SimulatedFile final : public File {
  public:
    using State = SimulatedDisk::State;

    SimulatedFile(std::shared_ptr<State> state, std::string path, NodePtr node, bool writable)
        : state_{std::move(state)},
          path_{std::move(path)},
          node_{std::move(node)},
          life_{state_->life},
          writable_{writable} {}

    Outcome<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        if (auto ready = may_change(); !ready) return ready;
        std::string text(bytes.size(), '\0');
        std::ranges::transform(bytes, text.begin(), [](std::byte b) {
            return static_cast<char>(b);
        });
        const bool was_off = state_->off;
        if (!state_->operate()) {
            // The write in flight: what of it is there is settled at the restart.
            if (!was_off && life_ == state_->life)
                node_->unsynced.push_back({Change::Kind::write, offset, std::move(text)});
            return no_power(path_);
        }
        const std::uint64_t space = node_->now.space();
        const std::uint64_t end = offset + text.size();
        const std::uint64_t used = state_->used();
        const std::uint64_t spare = state_->capacity > used ? state_->capacity - used : 0;
        const bool full = end > space && end - space > spare;
        if (full) {
            const std::uint64_t limit = space + spare;
            text.resize(limit > offset ? limit - offset : 0);
        }
        if (!text.empty() || bytes.empty())
            node_->change({Change::Kind::write, offset, std::move(text)});
        if (full) return no_space();
        return {};
    }

    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        if (dead()) return no_power(path_);
        const Content& content = node_->now;
        if (offset >= content.size) return std::size_t{0};
        const std::size_t n = std::min<std::size_t>(into.size(), content.size - offset);
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t at = offset + i;
            if (node_->mapped && at < node_->mapped->size())
                into[i] = (*node_->mapped)[at];
            else
                into[i] = at < content.bytes.size() ? static_cast<std::byte>(content.bytes[at])
                                                    : std::byte{0};
        }
        return n;
    }

    Outcome<std::uint64_t> size() override {
        if (dead()) return no_power(path_);
        return node_->now.size;
    }

    Outcome<void> truncate(std::uint64_t size) override {
        if (auto ready = may_change(); !ready) return ready;
        if (!state_->operate()) return no_power(path_);
        node_->change({Change::Kind::truncate, size, {}});
        return {};
    }

    Outcome<void> preallocate(std::uint64_t size) override {
        return allocate(Change::Kind::preallocate, size);
    }

    Outcome<void> reserve(std::uint64_t size) override {
        return allocate(Change::Kind::reserve, size);
    }

    Outcome<std::span<std::byte>> map(std::uint64_t size) override {
        if (auto done = preallocate(size); !done) return std::unexpected(done.error());
        std::vector<std::byte> content(size);
        if (auto read = read_at(0, content); !read) return std::unexpected(read.error());
        mapped_ = std::make_shared<std::vector<std::byte>>(std::move(content));
        node_->mapped = mapped_;
        return std::span{*mapped_};
    }

    Outcome<void> sync() override {
        if (dead() || !state_->operate()) return no_power(path_);
        if (state_->syncs_fail)
            return fail(base::Fault::io, path_ + ": cannot sync: the disk dies");
        if (node_->mapped)
            node_->now.apply({Change::Kind::write, 0, node_->mapped_part(0, node_->mapped->size())}
            );
        node_->synced = node_->now;
        node_->unsynced.clear();
        return {};
    }

  private:
    [[nodiscard]] bool dead() const { return state_->off || state_->life != life_; }

    [[nodiscard]] Outcome<void> allocate(Change::Kind kind, std::uint64_t size) {
        if (auto ready = may_change(); !ready) return ready;
        if (!state_->operate()) return no_power(path_);
        const std::uint64_t space = node_->now.space();
        const std::uint64_t used = state_->used();
        if (size > space && size - space > (state_->capacity > used ? state_->capacity - used : 0))
            return no_space();
        node_->change({kind, size, {}});
        return {};
    }

    [[nodiscard]] Outcome<void> may_change() const {
        if (dead()) return no_power(path_);
        if (!writable_) return fail(base::Fault::denied, path_ + ": opened for reading only");
        return {};
    }

    [[nodiscard]] std::unexpected<Error> no_space() const {
        return fail(
            base::Fault::full, path_ + ": cannot write: No space left on the simulated disk"
        );
    }

    std::shared_ptr<State> state_;
    std::string path_;
    NodePtr node_;
    std::uint64_t life_;
    bool writable_;
    std::shared_ptr<std::vector<std::byte>> mapped_;
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed) : state_{std::make_shared<State>(seed)} {}

SimulatedDisk::~SimulatedDisk() = default;

std::uint64_t SimulatedDisk::operations() const {
    return state_->operations;
}

void SimulatedDisk::cut_power_before(std::uint64_t operation) {
    state_->cut_before = operation;
}

bool SimulatedDisk::power_is_off() const {
    return state_->off;
}

void SimulatedDisk::restart(Survival survival) {
    State& state = *state_;
    // By name and by the order of changes, not by address: the same seed must mean the same cut.
    std::vector<NodePtr> in_order;
    const auto add = [&](const NodePtr& node) {
        if (node && std::ranges::find(in_order, node) == in_order.end()) in_order.push_back(node);
    };
    for (const auto& [path, node] : state.names)
        add(node);
    for (const auto& [path, node] : state.synced_names)
        add(node);
    for (const NameChange& change : state.unsynced_names)
        add(change.node);
    for (const NodePtr& node : in_order)
        state.settle(*node, survival);
    state.names = state.synced_names;
    for (const NameChange& change : state.unsynced_names) {
        const bool there =
            survival == Survival::all || (survival == Survival::random && state.draw(2) == 0);
        if (!there) continue;
        if (!change.gone.empty()) state.names.erase(change.gone);
        if (change.there.empty()) continue;
        // A file has one name: a rename that came through took the earlier ones with it.
        std::erase_if(state.names, [&](const auto& name) { return name.second == change.node; });
        state.names[change.there] = change.node;
    }
    state.synced_names = state.names;
    state.unsynced_names.clear();
    state.words.clear();
    state.locks.clear();
    state.cut_before = never;
    state.off = false;
    ++state.life;
}

void SimulatedDisk::set_capacity(std::uint64_t bytes) {
    state_->capacity = bytes;
}

void SimulatedDisk::fail_syncs(bool fail) {
    state_->syncs_fail = fail;
}

void SimulatedDisk::spoil(const std::string& path, std::uint64_t offset) {
    Node& node = *state_->names.at(path);
    node.now.bytes.at(offset) = static_cast<char>(node.now.bytes.at(offset) ^ 1);
    if (offset < node.synced.bytes.size())
        node.synced.bytes[offset] = static_cast<char>(node.synced.bytes[offset] ^ 1);
}

Outcome<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path, Mode mode) {
    if (state_->off) return no_power(path);
    auto found = state_->names.find(path);
    if (found == state_->names.end()) {
        if (mode != Mode::create || !state_->directories.contains(parent_of(path)))
            return missing(path);
        if (!state_->operate()) return no_power(path);
        found = state_->names.emplace(path, std::make_shared<Node>()).first;
        state_->unsynced_names.push_back({"", path, found->second});
    }
    return std::make_unique<SimulatedFile>(state_, path, found->second, mode != Mode::read);
}

Outcome<std::unique_ptr<SharedWords>> SimulatedDisk::map(
    const std::string& path, std::size_t words, bool writable
) {
    if (state_->off) return no_power(path);
    if (!state_->directories.contains(parent_of(path))) return missing(path);
    auto& held = state_->words[path];
    if (!held) {
        if (!writable) {
            state_->words.erase(path);
            return missing(path);
        }
        held = std::make_shared<std::vector<std::uint64_t>>();
    }
    if (held->size() < words) held->resize(words);
    return std::make_unique<SimulatedWords>(held);
}

Outcome<std::unique_ptr<Lock>> SimulatedDisk::lock(const std::string& path) {
    if (state_->off) return no_power(path);
    if (!state_->directories.contains(parent_of(path))) return missing(path);
    if (!state_->locks.insert(path).second)
        return fail(base::Fault::again, path + ": held by another process; stop that one first");
    return std::make_unique<SimulatedLock<State>>(state_, path);
}

bool SimulatedDisk::exists(const std::string& path) {
    return !state_->off && (state_->names.contains(path) || state_->directories.contains(path));
}

Outcome<std::vector<Entry>> SimulatedDisk::list(const std::string& directory) {
    if (state_->off) return no_power(directory);
    if (!state_->directories.contains(directory)) return missing(directory);
    std::vector<Entry> entries;
    for (const std::string& path : state_->directories)
        if (path != "/" && parent_of(path) == directory)
            entries.push_back({path.substr(path.rfind('/') + 1), true, 0});
    for (const auto& [path, node] : state_->names)
        if (parent_of(path) == directory)
            entries.push_back({path.substr(path.rfind('/') + 1), false, node->now.size});
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
}

Outcome<void> SimulatedDisk::make_directories(const std::string& path) {
    if (state_->off) return no_power(path);
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (state_->names.contains(part))
            return fail(base::Fault::exists, part + ": is a file where a directory is needed");
        if (!state_->directories.contains(part)) {
            if (!state_->operate()) return no_power(path);
            state_->directories.insert(part);
        }
        if (end == std::string::npos) return {};
    }
}

Outcome<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
    if (!state_->operate()) return no_power(from);
    const auto found = state_->names.find(from);
    if (found == state_->names.end()) return missing(from);
    if (!state_->directories.contains(parent_of(to))) return missing(to);
    const NodePtr node = found->second;
    state_->names.erase(found);
    state_->names[to] = node;
    state_->unsynced_names.push_back({from, to, node});
    return {};
}

Outcome<void> SimulatedDisk::remove(const std::string& path) {
    if (!state_->operate()) return no_power(path);
    const auto found = state_->names.find(path);
    if (found == state_->names.end()) return missing(path);
    state_->unsynced_names.push_back({path, "", nullptr});
    state_->names.erase(found);
    return {};
}

Outcome<void> SimulatedDisk::sync_directory(const std::string& path) {
    if (state_->off) return no_power(path);
    if (!state_->directories.contains(path)) return missing(path);
    if (!state_->operate()) return no_power(path);
    if (state_->syncs_fail) return fail(base::Fault::io, path + ": cannot sync: the disk dies");
    std::erase_if(state_->unsynced_names, [&](const NameChange& change) {
        const bool ours = (!change.gone.empty() && parent_of(change.gone) == path) ||
                          (!change.there.empty() && parent_of(change.there) == path);
        if (!ours) return false;
        if (!change.gone.empty()) state_->synced_names.erase(change.gone);
        if (!change.there.empty()) state_->synced_names[change.there] = change.node;
        return true;
    });
    return {};
}

Outcome<std::uint64_t> SimulatedDisk::free_bytes(const std::string& path) {
    if (state_->off) return no_power(path);
    const std::uint64_t used = state_->used();
    return state_->capacity > used ? state_->capacity - used : 0;
}

Outcome<void> SimulatedDisk::restrict(const std::string& path, unsigned) {
    if (state_->off) return no_power(path);
    return exists(path) ? Outcome<void>{} : missing(path);
}

}  // namespace stator::disk
