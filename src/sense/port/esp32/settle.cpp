#include "sense/port/esp32/settle.h"

namespace stator::esp32 {
namespace {

using node::FirmwareBank;
using node::FirmwareState;
using node::FirmwareTrial;

Settled pending(FirmwareBank& bank, FirmwareState state, Loader& loader) {
    const std::uint32_t candidate = 1 - state.slot;
    if (loader.running_slot() == candidate) {
        state.trial = FirmwareTrial::running;
        // Unwritten, nothing could end the trial: rather none.
        if (bank.append(state)) return Settled::go_on;
        return loader.choose(state.slot) ? Settled::restart : Settled::go_on;
    }
    if (loader.gave_up(candidate))
        state.trial = FirmwareTrial::not_confirmed;
    else if (loader.choose(candidate))
        return Settled::restart;
    else
        state.trial = FirmwareTrial::damaged;
    static_cast<void>(bank.append(state));
    return Settled::go_on;
}

Settled trial(FirmwareBank& bank, FirmwareState state, Loader& loader) {
    state.trial = FirmwareTrial::not_confirmed;
    static_cast<void>(bank.append(state));
    if (loader.running_slot() == state.slot) return Settled::go_on;
    return loader.choose(state.slot) ? Settled::restart : Settled::go_on;
}

Settled at_rest(FirmwareBank& bank, FirmwareState state, Loader& loader) {
    if (loader.running_slot() == state.slot) {
        loader.keep();
        return Settled::go_on;
    }
    if (loader.choose(state.slot)) return Settled::restart;
    state.slot = 1 - state.slot;  // the release that was confirmed stays what must be exceeded
    static_cast<void>(bank.append(state));
    loader.keep();
    return Settled::go_on;
}

}  // namespace

Settled settle(FirmwareBank& bank, Loader& loader) {
    const FirmwareState state = bank.state();
    switch (state.trial) {
        case FirmwareTrial::pending:
            return pending(bank, state, loader);
        case FirmwareTrial::running:
            return trial(bank, state, loader);
        default:
            return at_rest(bank, state, loader);
    }
}

}  // namespace stator::esp32
