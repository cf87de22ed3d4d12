#include "learn/drift/drift.h"
