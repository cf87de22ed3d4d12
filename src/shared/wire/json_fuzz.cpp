// The JSON parser over arbitrary bytes: what parse() takes can be walked to its last value.
#include "shared/wire/json.h"

#include <array>
#include <cstdlib>

using namespace stator;

namespace {

void walk(wire::Value value) {
    std::array<char, 256> text{};
    static_cast<void>(value.text(text));
    if (value.kind() == wire::Kind::number && !value.number()) std::abort();
    wire::Members members = value.members();
    for (wire::Member member; members.next(member);) {
        if (member.name.kind() != wire::Kind::string) std::abort();
        walk(member.value);
    }
    wire::Elements elements = value.elements();
    for (wire::Value element; elements.next(element);)
        walk(element);
    if (!wire::Value::parse(value.raw())) std::abort();  // a part of JSON is JSON
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto root = wire::Value::parse({reinterpret_cast<const char*>(data), size});
    if (root) walk(*root);
    return 0;
}
