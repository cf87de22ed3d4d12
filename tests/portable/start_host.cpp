// The host itself: what the emulated processors are held to.
#include "integers.h"

#include <cstdio>

void stator::portable::say(const char* text) {
    std::fputs(text, stdout);
}

int main() {
    stator::portable::integers();
}
