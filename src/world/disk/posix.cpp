#include "world/disk/posix.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace stator::disk {
namespace {

std::unexpected<Error> failed(int error, const std::string& path, std::string_view verb) {
    base::Fault fault = base::Fault::io;
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
        case EMFILE:
        case ENFILE:
            fault = base::Fault::full;
            break;
        case ENOENT:
        case ENOTDIR:
            fault = base::Fault::not_found;
            break;
        case EACCES:
        case EPERM:
        case EROFS:
            fault = base::Fault::denied;
            break;
        case EEXIST:
            fault = base::Fault::exists;
            break;
        default:
            break;
    }
    const std::string reason = std::generic_category().message(error);
    return fail(fault, fmt::format("{}: cannot {}: {}", path, verb, reason));
}

class Descriptor {
  public:
    explicit Descriptor(int number) : number_{number} {}

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}

    Descriptor& operator=(Descriptor&&) = delete;

    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    [[nodiscard]] int get() const { return number_; }

    [[nodiscard]] bool open() const { return number_ >= 0; }

  private:
    int number_;
};

Descriptor open_path(const std::string& path, int flags) {
    for (;;) {
        const int number = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
        if (number >= 0 || errno != EINTR) return Descriptor{number};
    }
}

class PosixFile final : public File {
  public:
    PosixFile(std::string path, Descriptor file, bool writable)
        : path_{std::move(path)}, file_{std::move(file)}, writable_{writable} {}

    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;
    PosixFile(PosixFile&&) = delete;
    PosixFile& operator=(PosixFile&&) = delete;

    ~PosixFile() override { unmap(); }

    Outcome<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        if (!writable_) return only_read();
        while (!bytes.empty()) {
            const ssize_t n =
                ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return failed(n == 0 ? ENOSPC : errno, path_, "write");
            offset += static_cast<std::uint64_t>(n);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }

    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const ssize_t n = ::pread(
                file_.get(),
                into.data() + done,
                into.size() - done,
                static_cast<off_t>(offset + done)
            );
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed(errno, path_, "read");
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    Outcome<std::uint64_t> size() override {
        struct stat about{};

        if (::fstat(file_.get(), &about) != 0) return failed(errno, path_, "look at");
        return static_cast<std::uint64_t>(about.st_size);
    }

    Outcome<void> truncate(std::uint64_t size) override {
        if (!writable_) return only_read();
        if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0)
            return failed(errno, path_, "truncate");
        return {};
    }

    Outcome<void> preallocate(std::uint64_t size) override {
        if (!writable_) return only_read();
        int error = EINTR;
        while (error == EINTR)
            error = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
        if (error != 0) return failed(error, path_, "reserve space for");
        return {};
    }

    Outcome<void> reserve(std::uint64_t size) override {
        if (!writable_) return only_read();
        int done = -1;
        do
            done = ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size));
        while (done != 0 && errno == EINTR);
        if (done != 0) return failed(errno, path_, "reserve space for");
        return {};
    }

    // Allocated first: a store into a hole of a full disk would be a SIGBUS.
    Outcome<std::span<std::byte>> map(std::uint64_t size) override {
        if (auto done = preallocate(size); !done) return std::unexpected(done.error());
        void* const memory =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
        if (memory == MAP_FAILED) return failed(errno, path_, "map");
        unmap();
        mapped_ = {static_cast<std::byte*>(memory), static_cast<std::size_t>(size)};
        return mapped_;
    }

    Outcome<void> sync() override {
        if (::fdatasync(file_.get()) != 0) return failed(errno, path_, "sync");
        return {};
    }

  private:
    // The kernel says EBADF or EINVAL, depending on the call.
    [[nodiscard]] std::unexpected<Error> only_read() const {
        return fail(base::Fault::denied, path_ + ": opened for reading only");
    }

    void unmap() {
        if (!mapped_.empty()) ::munmap(mapped_.data(), mapped_.size());
    }

    std::string path_;
    Descriptor file_;
    bool writable_;
    std::span<std::byte> mapped_;
};

// Word 0 of the file counts those who wait: a store that nobody waits for makes no system call. A
// waiter killed in its sleep leaves the count too high, which costs a call a store and no more.
class PosixWords final : public SharedWords {
  public:
    PosixWords(void* memory, std::size_t bytes, bool writable)
        : words_{static_cast<std::uint64_t*>(memory)}, bytes_{bytes}, writable_{writable} {}

    PosixWords(const PosixWords&) = delete;
    PosixWords& operator=(const PosixWords&) = delete;
    PosixWords(PosixWords&&) = delete;
    PosixWords& operator=(PosixWords&&) = delete;

    ~PosixWords() override { ::munmap(words_, bytes_); }

    std::uint64_t load(std::size_t index) const override {
        return __atomic_load_n(words_ + 1 + index, __ATOMIC_ACQUIRE);
    }

    void store(std::size_t index, std::uint64_t value) override {
        std::uint64_t* const word = words_ + 1 + index;
        __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(words_, __ATOMIC_SEQ_CST) != 0)
            ::syscall(SYS_futex, low_half(word), FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
    }

    void wait(std::size_t index, std::uint64_t seen, std::int64_t timeout_us) override {
        if (timeout_us <= 0 || load(index) != seen) return;
        // Who may only read cannot be counted, so it may miss a wake: it looks again by itself.
        if (!writable_) timeout_us = std::min<std::int64_t>(timeout_us, 10'000);
        const timespec limit{timeout_us / 1'000'000, timeout_us % 1'000'000 * 1000};
        std::uint64_t* const word = words_ + 1 + index;
        if (writable_) __atomic_fetch_add(words_, 1, __ATOMIC_SEQ_CST);
        // The kernel compares before it sleeps, so a store in between is not missed.
        if (load(index) == seen)
            ::syscall(
                SYS_futex,
                low_half(word),
                FUTEX_WAIT,
                static_cast<std::uint32_t>(seen),
                &limit,
                nullptr,
                0
            );
        if (writable_) __atomic_fetch_sub(words_, 1, __ATOMIC_SEQ_CST);
    }

  private:
    // A futex has 32 bits: the half of the word that changes with every store.
    static void* low_half(std::uint64_t* word) {
        static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
        return word;
    }

    std::uint64_t* words_;
    std::size_t bytes_;
    bool writable_;
};

class PosixLock final : public Lock {
  public:
    explicit PosixLock(Descriptor file) : file_{std::move(file)} {}

  private:
    Descriptor file_;
};

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

Outcome<std::unique_ptr<File>> PosixDisk::open(const std::string& path, Mode mode) {
    const int flags = mode == Mode::read    ? O_RDONLY
                      : mode == Mode::write ? O_RDWR
                                            : O_RDWR | O_CREAT;
    Descriptor file = open_path(path, flags);
    if (!file.open()) return failed(errno, path, mode == Mode::create ? "create" : "open");
    return std::make_unique<PosixFile>(path, std::move(file), mode != Mode::read);
}

Outcome<std::unique_ptr<SharedWords>> PosixDisk::map(
    const std::string& path, std::size_t words, bool writable
) {
    const Descriptor file = open_path(path, writable ? O_RDWR | O_CREAT : O_RDONLY);
    if (!file.open()) return failed(errno, path, "open");
    const std::size_t bytes = (words + 1) * sizeof(std::uint64_t);

    struct stat about{};

    if (::fstat(file.get(), &about) != 0) return failed(errno, path, "look at");
    if (static_cast<std::size_t>(about.st_size) < bytes) {
        if (!writable)
            return fail(base::Fault::again, path + ": its writer has not made it yet; try later");
        // Allocated, not only made longer: a store into a hole of a full disk would be a SIGBUS.
        if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
            error != 0)
            return failed(error, path, "reserve space for");
    }
    void* const memory = ::mmap(
        nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file.get(), 0
    );
    if (memory == MAP_FAILED) return failed(errno, path, "map");
    return std::make_unique<PosixWords>(memory, bytes, writable);
}

Outcome<std::unique_ptr<Lock>> PosixDisk::lock(const std::string& path) {
    Descriptor file = open_path(path, O_RDWR | O_CREAT);
    if (!file.open()) return failed(errno, path, "open");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(
                base::Fault::again, path + ": held by another process; stop that one first"
            );
        return failed(errno, path, "lock");
    }
    return std::make_unique<PosixLock>(std::move(file));
}

bool PosixDisk::exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

Outcome<std::vector<Entry>> PosixDisk::list(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open{::opendir(directory.c_str()), &::closedir};
    if (!open) return failed(errno, directory, "list");
    std::vector<Entry> entries;
    for (;;) {
        errno = 0;
        const dirent* const next = ::readdir(open.get());  // NOLINT(concurrency-mt-unsafe): own DIR
        if (next == nullptr) break;
        const std::string name = next->d_name;
        if (name == "." || name == "..") continue;

        struct stat about{};

        if (::fstatat(::dirfd(open.get()), next->d_name, &about, 0) != 0) continue;  // just removed
        const bool is_directory = S_ISDIR(about.st_mode);
        entries.push_back(
            {name, is_directory, is_directory ? 0 : static_cast<std::uint64_t>(about.st_size)}
        );
    }
    if (errno != 0) return failed(errno, directory, "list");
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
}

Outcome<void> PosixDisk::make_directories(const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), 0755) == 0) {
            if (auto synced = sync_directory(parent_of(part)); !synced) return synced;
        } else if (errno == ENOTDIR) {
            return fail(
                base::Fault::exists, parent_of(part) + ": is a file where a directory is needed"
            );
        } else if (errno != EEXIST) {
            return failed(errno, part, "make the directory");
        }
        if (end == std::string::npos) break;
    }

    struct stat about{};

    if (::stat(path.c_str(), &about) != 0) return failed(errno, path, "look at");
    if (!S_ISDIR(about.st_mode))
        return fail(base::Fault::exists, path + ": is a file where a directory is needed");
    return {};
}

Outcome<void> PosixDisk::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(errno, from, "rename to " + to);
    return {};
}

Outcome<void> PosixDisk::remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return failed(errno, path, "remove");
    return {};
}

Outcome<void> PosixDisk::sync_directory(const std::string& path) {
    const Descriptor directory = open_path(path, O_RDONLY | O_DIRECTORY);
    if (!directory.open()) return failed(errno, path, "open");
    // Some file systems cannot sync a directory and say EINVAL: theirs are synced by themselves.
    if (::fsync(directory.get()) != 0 && errno != EINVAL) return failed(errno, path, "sync");
    return {};
}

Outcome<std::uint64_t> PosixDisk::free_bytes(const std::string& path) {
    struct statvfs about{};

    if (::statvfs(path.c_str(), &about) != 0) return failed(errno, path, "look at");
    return std::uint64_t{about.f_bavail} * about.f_frsize;
}

Outcome<void> PosixDisk::restrict(const std::string& path, unsigned mode) {
    if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0)
        return failed(errno, path, "restrict");
    return {};
}

}  // namespace stator::disk
