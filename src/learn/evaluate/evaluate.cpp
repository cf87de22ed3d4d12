#include "learn/evaluate/evaluate.h"
