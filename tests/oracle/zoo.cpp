#include "oracle/zoo.h"

namespace stator::oracle {

void make_zoo(const Keep& keep) { (void)keep; }

}  // namespace stator::oracle
