// say_ready() tells whoever started this process that it serves.
//
// READY=1 to NOTIFY_SOCKET, as systemd and our own supervisor want it; without one, nothing.
#pragma once

namespace stator::process {

void say_ready();

}  // namespace stator::process
