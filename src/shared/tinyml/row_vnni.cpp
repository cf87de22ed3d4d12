#include "shared/tinyml/row.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define STATOR_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,avx512vnni")]] inline

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of undefined lanes in its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "shared/tinyml/row_avx512.h"

namespace stator::tinyml {

const RowKernel row_vnni{
    .packed_bytes = avx512_row::packed_bytes,
    .wide_bytes = avx512_row::wide_bytes,
    .pack = avx512_row::pack,
    .run = avx512_row::run
};

}  // namespace stator::tinyml

#endif
