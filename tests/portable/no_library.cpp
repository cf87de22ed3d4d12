// What the C++ library would bring, for machines that have none.
#include <string_view>

namespace std {

// Nothing here asks for what lies beyond the end: whoever does stands still, and the test ends it.
void __throw_out_of_range_fmt(const char* /*format*/, ...) {
    for (;;) {
    }
}

}  // namespace std
