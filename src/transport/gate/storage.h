// Storage is what the gate needs of the log: append now, sync soon, remember the marks.
//
// append() returns when the record survives a kill of this process; sync runs beside the gate and
// makes it survive a power cut. LogStorage puts it on the log's writer.
#pragma once

#include "store/log/record.h"
#include "transport/gate/marks.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <vector>

namespace stator::gate {

enum class Sync : std::uint8_t { idle, running, done, failed };

class Storage {
  public:
    virtual ~Storage() = default;
    // `mark`: where the sender's mark stands once this record is synced; null when it has none.
    [[nodiscard]] virtual Outcome<void> append(
        log::Class log_class, const log::RecordView& record, const Mark* mark
    ) = 0;
    // Begins a sync of all that was appended. Only while none runs.
    virtual void begin_sync() = 0;
    // `done` and `failed` once, then `idle`.
    [[nodiscard]] virtual Sync poll_sync() = 0;
    // As the last start found them in the log.
    [[nodiscard]] virtual std::vector<Mark> marks() = 0;
    // How full the class's budget is with what nobody may delete yet: 0..1.
    [[nodiscard]] virtual double fill(log::Class log_class) = 0;
    // Once a second: lets go of what everybody has read.
    virtual void maintain() = 0;
};

}  // namespace stator::gate
