#include "learn/extract/extract.h"
