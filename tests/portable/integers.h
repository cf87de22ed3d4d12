// Integers runs the core's integer parts on fixed pseudo-random inputs: each processor must say the
// same hashes. A machine's start file calls it and carries its lines out.
#pragma once

#include <cstdint>

namespace stator::portable {

// One line of the machine's output; the host, an emulator's console.
void say(const char* text);

void integers();

}  // namespace stator::portable
