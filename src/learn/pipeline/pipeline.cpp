#include "learn/pipeline/pipeline.h"
