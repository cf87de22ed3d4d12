// A Waker ends the sleep of the thread that made it.
//
// A signal that does nothing interrupts the broker's epoll_wait(), after which Mosquitto takes its
// next turn, with a tick. Asleep it would look again after 100 ms only.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace stator::gate {

class Waker {
  public:
    Waker() {
        struct sigaction quiet{};
        quiet.sa_handler = [](int) {};
        quiet.sa_flags = SA_RESTART;  // of everything but the waits
        sigaction(signal_number_, &quiet, nullptr);
    }

    [[nodiscard]] int signal_number() const { return signal_number_; }

    void operator()() const { pthread_kill(sleeper_, signal_number_); }

  private:
    int signal_number_ = SIGRTMIN;
    pthread_t sleeper_ = pthread_self();
};

}  // namespace stator::gate
