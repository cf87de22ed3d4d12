// Settings are librdkafka's names for what our Options say, and our Faults for what it answers.
//
// What can never work is found here, before anything connects: a file that cannot be read, an empty
// list of brokers. The sentence names the setting or the file.
#pragma once

#include "world/kafka/kafka.h"

#include <librdkafka/rdkafkacpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stator::kafka {

using Setting = std::pair<std::string, std::string>;

[[nodiscard]] base::Fault fault_of(RdKafka::ErrorCode code);
// The record itself is at fault: no broker will ever take it.
[[nodiscard]] bool is_final(RdKafka::ErrorCode code);

[[nodiscard]] Outcome<std::vector<Setting>> common_settings(const Options& options);
[[nodiscard]] Outcome<std::unique_ptr<RdKafka::Conf>> configure(
    const std::vector<Setting>& settings, RdKafka::EventCb& events
);

// What the connections last complained of, forgotten when one of them is up.
class Trouble {
  public:
    void on_event(RdKafka::Event& event);

    void clear() { text_.clear(); }

    void set(std::string text) { text_ = std::move(text); }

    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

}  // namespace stator::kafka
