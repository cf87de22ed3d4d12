#include "sense/port/cortex_m/program.h"

#include "sense/node/firmware_bank.h"
#include "sense/port/cortex_m/watchdog.h"

namespace stator::cortex_m {

void Program::restart() {
    leave_note(Cause::restart);
    cortex_m::restart();
}

firmware::Version Program::version() {
    const node::FirmwareBank bank{flash_};
    const auto header = bank.header(bank.state().running_slot());
    return header ? header->version : firmware::Version{};
}

bool Program::on_trial() {
    return node::FirmwareBank{flash_}.state().trial == node::FirmwareTrial::running;
}

}  // namespace stator::cortex_m
