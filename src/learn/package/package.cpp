#include "learn/package/package.h"
