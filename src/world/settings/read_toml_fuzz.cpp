// Whatever stands in a file of settings: reading it ends, and a refusal names file and line.
#include "world/settings/read_toml.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const auto read =
        stator::settings::read_toml({reinterpret_cast<const char*>(bytes), size}, "site.toml");
    if (!read && !read.error().what.starts_with("site.toml:")) std::abort();
    return 0;
}
