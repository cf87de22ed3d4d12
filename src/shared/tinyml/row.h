// A RowKernel takes one row through a FULLY_CONNECTED layer of int8 whose weights were packed for
// it, units side by side in the lanes of a vector.
//
//   packed: for each 8 or 16 units
//           [ sums | multipliers, spread for the rounding ][ words x units x 4 B ]
//
// A word is a pair of inputs as int16, or four as bytes. The input's zero point is folded into the
// sums, and the lanes of units that are not there compute nothing that is stored: the bits are
// dense_portable()'s.
#pragma once

#include "shared/tinyml/dense.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stator::tinyml {

// A layer's input as its kernel wants it. Where the next layer takes just what this one gives, it
// gets that at once: read back in other pieces than it was stored in, it would be waited for.
struct Wide {
    std::byte* input = nullptr;
    bool is_there = false;        // the layer before has left it; else it is made of x
    std::byte* output = nullptr;  // of wide_bytes() of the units; none: nobody wants it
};

struct RowKernel {
    std::size_t (*packed_bytes)(std::uint32_t depth, std::uint32_t units);
    std::size_t (*wide_bytes)(std::uint32_t depth);
    void (*pack)(const Dense& dense, Rounding rounding, std::byte* packed);
    // Of the Dense all but weights, bias and scale, which are in `packed`. x may be read up to
    // read_beyond bytes behind its end; `wide` is room, of wide_bytes() of the depth.
    void (*run)(const Dense& dense, Rounding rounding, const std::byte* packed, Wide wide);

    static constexpr std::size_t read_beyond = 15;
};

// The first `count` of eight bytes, fewer than all.
inline void store_few(std::uint64_t bytes, std::uint32_t count, std::int8_t* y) {
    for (const std::uint32_t size : {4U, 2U, 1U}) {
        if ((count & size) == 0) continue;
        std::memcpy(y, &bytes, size);
        bytes >>= 8 * size;
        y += size;
    }
}

// Of this machine (asked at run time), or none.
[[nodiscard]] const RowKernel* row_kernel();

#if defined(__x86_64__)
extern const RowKernel row_avx2;  // where has_avx2()
extern const RowKernel row_vnni;  // where has_vnni()
#endif

}  // namespace stator::tinyml
