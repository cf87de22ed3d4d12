// A Reminder ends the sleeps of the thread that made it, every few milliseconds while it is wanted.
//
// The kernel's timer does, with the Waker's signal: no thread waits, and the broker takes no lock.
// One signal may come just before the sleep begins, the next one then ends it.
#pragma once

#include "transport/gate/plugin/waker.h"

#include <time.h>
#include <unistd.h>

#include <chrono>

namespace stator::gate {

class Reminder {
  public:
    explicit Reminder(std::chrono::milliseconds apart) {
        apart_.tv_nsec = std::chrono::nanoseconds{apart}.count();  // less than a second
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = waker_.signal_number();
        event._sigev_un._tid = gettid();
        made_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    }

    ~Reminder() {
        if (made_) timer_delete(timer_);
    }

    Reminder(const Reminder&) = delete;
    Reminder& operator=(const Reminder&) = delete;
    Reminder(Reminder&&) = delete;
    Reminder& operator=(Reminder&&) = delete;

    // Of the thread that made it. A system call only where it changes something.
    void remind(bool wanted) {
        if (wanted == wanted_ || !made_) return;
        wanted_ = wanted;
        itimerspec spec{};
        if (wanted) spec.it_value = spec.it_interval = apart_;
        timer_settime(timer_, 0, &spec, nullptr);
    }

  private:
    Waker waker_;
    timespec apart_{};
    timer_t timer_{};
    bool made_ = false;
    bool wanted_ = false;
};

}  // namespace stator::gate
