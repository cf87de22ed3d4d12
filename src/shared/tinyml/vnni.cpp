#include "shared/tinyml/row.h"
#include "shared/tinyml/tile.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define STATOR_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,avx512vnni")]] inline

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of undefined lanes in its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "shared/tinyml/row_avx512.h"
#include "shared/tinyml/tile_avx512.h"

namespace stator::tinyml {

bool has_vnni() {
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}

const TileKernel tile_vnni{
    .name = "AVX-512 VNNI", .group = 4, .offset = 128, .widen = avx512::widen, .run = avx512::run
};

const RowKernel row_vnni{
    .packed_bytes = avx512_row::packed_bytes,
    .wide_bytes = avx512_row::wide_bytes,
    .pack = avx512_row::pack,
    .run = avx512_row::run
};

}  // namespace stator::tinyml

#endif
