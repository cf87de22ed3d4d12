// A RowKernel takes one row through a FULLY_CONNECTED layer of int8 whose weights were packed for
// it, eight units side by side in the lanes of a vector.
//
//   packed: for each eight units [ sums | multipliers, spread for the rounding ][ words x 8 x 4 B ]
//
// A word is a pair of inputs as int16. The input's zero point is folded into the sums, and the
// lanes of units that are not there compute nothing that is stored: the bits are
// dense_portable()'s.
#pragma once

#include "shared/tinyml/dense.h"

#include <cstddef>
#include <cstdint>

namespace stator::tinyml {

struct RowKernel {
    std::size_t (*packed_bytes)(std::uint32_t depth, std::uint32_t units);
    std::size_t (*wide_bytes)(std::uint32_t depth);
    void (*pack)(const Dense& dense, Rounding rounding, std::byte* packed);
    // Of the Dense all but weights, bias and scale, which are in `packed`. x may be read up to
    // read_beyond bytes behind its end; `wide` is room.
    void (*run)(const Dense& dense, Rounding rounding, const std::byte* packed, std::byte* wide);

    static constexpr std::size_t read_beyond = 15;
};

// Of this machine (asked at run time), or none.
[[nodiscard]] const RowKernel* row_kernel();

#if defined(__x86_64__)
extern const RowKernel row_avx2;  // where has_avx2()
#endif

}  // namespace stator::tinyml
