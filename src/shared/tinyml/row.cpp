#include "shared/tinyml/row.h"

#include "shared/tinyml/tile.h"

namespace stator::tinyml {

const RowKernel* row_kernel() {
#if defined(__x86_64__)
    if (has_vnni()) return &row_vnni;
    if (has_avx2()) return &row_avx2;
#endif
    return nullptr;
}

}  // namespace stator::tinyml
