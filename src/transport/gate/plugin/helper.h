// A Helper is a thread of the plugin's that waits for the disk, so that the broker need not.
//
// Its jobs begin at least `apart` after one another. Without that a busy broker syncs for nearly
// every message, which costs more than all else the gate does (1,322 syncs for 1,436 messages).
// `wake` is called, on the helper's thread, after each job until done() has been asked: the broker
// sleeps up to 100 ms where no client speaks, and what came during a job would wait that long for
// its own.
#pragma once

#include "transport/gate/log_storage.h"

#include <linux/close_range.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

namespace stator::gate {

class Helper final : public Runner {
  public:
    explicit Helper(std::chrono::milliseconds apart = {}, std::function<void()> wake = {})
        : apart_{apart}, wake_owner_{std::move(wake)} {
        // The broker's signals are for the broker's thread: the new one inherits a full mask.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread{[this] { run(); }};
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~Helper() override {
        {
            const std::scoped_lock lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();  // after the job under way
    }

    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    void start(std::function<void()> job) override {
        {
            const std::scoped_lock lock{mutex_};
            job_ = std::move(job);
            busy_ = true;
        }
        wake_.notify_one();
    }

    [[nodiscard]] bool done() override {
        const std::scoped_lock lock{mutex_};
        if (!busy_) seen_ = true;
        return !busy_;
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds wakes_apart{10};

    void run() {
        // A table of open files of its own, and empty: while threads share one, each read(),
        // write() and epoll_ctl() of the broker counts references, a twentieth of what a message
        // costs it. Where the kernel does not know this, they share it. So a job opens what it
        // needs.
        std::ignore = close_range(3, ~0U, CLOSE_RANGE_UNSHARE);
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || busy_; });
            if (!busy_) return;
            wake_.wait_until(lock, next_, [this] { return stopping_; });
            next_ = Clock::now() + apart_;
            const std::function<void()> job = std::exchange(job_, nullptr);
            lock.unlock();
            job();
            lock.lock();
            busy_ = false;
            if (stopping_) return;
            seen_ = !wake_owner_;
            while (!seen_ && !stopping_) {  // a wake before the sleep begins does not count
                lock.unlock();
                wake_owner_();
                lock.lock();
                wake_.wait_for(lock, wakes_apart, [this] { return seen_ || stopping_; });
            }
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::function<void()> job_;
    bool busy_ = false;
    bool seen_ = true;  // that the last job is done
    bool stopping_ = false;
    const std::chrono::milliseconds apart_;
    const std::function<void()> wake_owner_;
    Clock::time_point next_;  // the earliest begin of the next job
    std::thread thread_;
};

}  // namespace stator::gate
