// A Dense is one row through a FULLY_CONNECTED layer of int8: its kernels, all of the same bits.
//
// The portable one runs everywhere; dense_avx2 only where has_avx2() (x86-64, asked at run time).
#pragma once

#include "shared/tinyml/fixed_point.h"
#include "shared/tinyml/program.h"

#include <cstddef>
#include <cstdint>

namespace stator::tinyml {

struct Dense {
    const std::int8_t* x = nullptr;        // depth
    const std::int8_t* weights = nullptr;  // units x depth
    const std::byte* bias = nullptr;       // int32, units; or none
    Multipliers scale;                     // 1, or one a unit
    std::int8_t* y = nullptr;              // units
    std::uint32_t depth = 0;
    std::uint32_t units = 0;
    std::int32_t x_zero = 0;
    std::int32_t y_zero = 0;
    std::int32_t low = -128;
    std::int32_t high = 127;
};

// A FULLY_CONNECTED layer as its record holds it; the Dense has neither x nor y.
struct Layer {
    Place input;
    Place output;
    std::uint32_t batches = 0;  // rows of one run
    Dense dense;
};

[[nodiscard]] Layer layer_of(const Memory& memory, const std::byte* record);

template <Rounding rounding>
void dense_portable(const Dense& dense);

#if defined(__x86_64__)
[[nodiscard]] bool has_avx2();
void dense_avx2(const Dense& dense, Rounding rounding);
#endif

}  // namespace stator::tinyml
