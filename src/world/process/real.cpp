#include "world/process/real.h"

#include "world/process/resident.h"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace stator::process {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int number = -1) : number_{number} {}

    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}

    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    ~Descriptor() {
        if (number_ >= 0) close(number_);
    }

    [[nodiscard]] int get() const { return number_; }

  private:
    int number_;
};

std::unexpected<Error> os_fail(const std::string& what, int error) {
    return fail(base::Fault::io, what + ": " + std::generic_category().message(error));
}

// A datagram socket with an abstract name that the kernel picks; its name as NOTIFY_SOCKET has it.
Descriptor notify_socket(std::string& name) {
    Descriptor made{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (made.get() < 0 || bind(made.get(), general, sizeof(sa_family_t)) != 0) return Descriptor{};
    socklen_t size = sizeof address;
    if (getsockname(made.get(), general, &size) != 0) return Descriptor{};
    const std::size_t length = size - offsetof(sockaddr_un, sun_path);
    name = "@" + std::string{address.sun_path + 1, length - 1};
    return made;
}

class RealChild final : public Child {
  public:
    RealChild(int pid, Descriptor notify, bool waits)
        : pid_{pid}, notify_{std::move(notify)}, ready_{!waits} {}

    RealChild(const RealChild&) = delete;
    RealChild& operator=(const RealChild&) = delete;

    ~RealChild() override {
        if (exit_) return;
        ::kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    [[nodiscard]] int pid() const override { return pid_; }

    [[nodiscard]] bool ready() override {
        std::array<char, 4096> text{};
        while (!ready_) {
            const ssize_t n = recv(notify_.get(), text.data(), text.size(), MSG_DONTWAIT);
            if (n < 0) break;
            const std::string lines =
                "\n" + std::string{text.data(), static_cast<std::size_t>(n)} + "\n";
            ready_ = lines.find("\nREADY=1\n") != std::string::npos;
        }
        return ready_;
    }

    [[nodiscard]] std::optional<int> exited() override {
        int status = 0;
        if (!exit_ && waitpid(pid_, &status, WNOHANG) == pid_) {
            exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return exit_;
    }

    void terminate() override { signal(SIGTERM); }

    void kill() override { signal(SIGKILL); }

    [[nodiscard]] std::uint64_t resident_bytes() override {
        return exited() ? 0 : process::resident_bytes(std::to_string(pid_));
    }

  private:
    // After it was waited for, the id may be another process's.
    void signal(int number) {
        if (!exited()) ::kill(pid_, number);
    }

    int pid_;
    Descriptor notify_;
    bool ready_;
    std::optional<int> exit_;
};

// What exec needs, made before the fork: after it, only async-signal-safe calls are allowed.
struct Image {
    std::vector<std::string> variables;
    std::vector<char*> arguments;
    std::vector<char*> environment;
};

Image make_image(const Command& command, const std::string& notify_name) {
    Image image;
    std::map<std::string, std::string> added = command.environment;
    if (!notify_name.empty()) added["NOTIFY_SOCKET"] = notify_name;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string variable = *at;
        if (!added.contains(variable.substr(0, variable.find('=')))) {
            image.variables.push_back(variable);
        }
    }
    for (const auto& [name, value] : added)
        image.variables.push_back(name + "=" + value);
    for (const std::string& argument : command.arguments) {
        image.arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    image.arguments.push_back(nullptr);
    for (const std::string& variable : image.variables) {
        image.environment.push_back(const_cast<char*>(variable.c_str()));
    }
    image.environment.push_back(nullptr);
    return image;
}

[[noreturn]] void become(const Image& image, int parent, int log, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it died before the line above
    setpgid(0, 0);                        // a Ctrl-C at the terminal is the supervisor's
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) {
        std::signal(number, SIG_DFL);
    }
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, 0);
    if (log >= 0) {
        dup2(log, 1);
        dup2(log, 2);
    }
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(image.arguments[0], image.arguments.data(), image.environment.data());
    const int error = errno;
    static_cast<void>(!write(report, &error, sizeof error));
    _exit(127);
}

}  // namespace

Outcome<std::unique_ptr<Child>> RealProcesses::start(const Command& command) {
    if (command.arguments.empty()) {
        return fail(base::Fault::bad_input, command.name + ": there is no program to run");
    }
    Descriptor log;
    if (!command.log_file.empty()) {
        log = Descriptor{
            open(command.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
        };
        if (log.get() < 0) return os_fail("cannot write " + command.log_file, errno);
    }
    std::string notify_name;
    Descriptor notify;
    if (command.notify) {
        notify = notify_socket(notify_name);
        if (notify.get() < 0) return os_fail(command.name + ": no notify socket", errno);
    }
    const Image image = make_image(command, notify_name);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return os_fail(command.name + ": no pipe", errno);
    const Descriptor read_end{ends[0]};
    Descriptor write_end{ends[1]};
    const int parent = getpid();
    const int pid = fork();
    if (pid < 0) return os_fail(command.name + ": cannot fork", errno);
    if (pid == 0) become(image, parent, log.get(), write_end.get());
    write_end = Descriptor{};
    auto child = std::make_unique<RealChild>(pid, std::move(notify), command.notify);
    // The pipe closes when exec has succeeded, and brings the reason when it has not.
    int error = 0;
    ssize_t n = 0;
    do {
        n = read(read_end.get(), &error, sizeof error);
    } while (n < 0 && errno == EINTR);
    if (n > 0) return os_fail(command.name + ": cannot run " + command.arguments[0], error);
    return child;
}

}  // namespace stator::process
