// Alarms is which devices are in alarm, kept in flash: whoever was told of one must hear its end.
//
// The folds lie in RAM and begin anew with a start; that one of them was in alarm may not be
// forgotten, for nobody else would end it. One record of node::RecordLog:
//
//   words: | a bit for each device | CRC-32C of their ids, each followed by '\n' | model's release
//   |
//
// Written when an alarm begins or ends, which is seldom. Of other devices than ours it says
// nothing.
#pragma once

#include "sense/factory/page.h"
#include "sense/node/record_log.h"

#include <cstdint>
#include <span>

namespace stator::edge {

class Alarms {
  public:
    // The first two sectors of `flash`.
    Alarms(hal::Flash& flash, std::span<const factory::Assigned> devices);

    struct Kept {
        std::uint32_t devices = 0;  // a bit for each
        std::uint32_t release = 0;  // of the model that raised them
    };

    [[nodiscard]] Kept kept() const;
    // False: flash did not take it.
    [[nodiscard]] bool keep(const Kept& now);

  private:
    node::RecordLog log_;
    std::uint32_t ids_;
};

}  // namespace stator::edge
