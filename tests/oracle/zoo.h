// The zoo: a small .tflite file for each op that tinyml knows, in several shapes and quantisations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace stator::oracle {

using Keep = std::function<void(const std::string& name, const std::string& tflite)>;

void make_zoo(const Keep& keep);

}  // namespace stator::oracle
