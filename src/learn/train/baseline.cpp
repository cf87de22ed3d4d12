#include "learn/train/train.h"
