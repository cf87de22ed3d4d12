// Helper is the plugin's one other thread: it waits for the disk, so that the broker need not.
#pragma once

#include "transport/gate/log_storage.h"

#include <signal.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace stator::gate {

class Helper final : public Runner {
  public:
    Helper() {
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
        return !busy_;
    }

  private:
    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || busy_; });
            if (!busy_) return;
            const std::function<void()> job = std::exchange(job_, nullptr);
            lock.unlock();
            job();
            lock.lock();
            busy_ = false;
            if (stopping_) return;
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::function<void()> job_;
    bool busy_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace stator::gate
