// A reading as large as a device's of the contract with its features, about 380 bytes: what the
// loads of bench/ send.
#pragma once

#include <fmt/format.h>

#include <string>

namespace stator::bench {

inline std::string reading(const std::string& name, long boot, long seq) {
    return fmt::format(
        R"({{"deviceID":"{}","current":0.61,"temperature":41.2,"vibration":0.12,"sound":0.8,)"
        R"("fft_data":"true","timeStamp":"{}","boot":{},"seq":{},"clock":"synced",)"
        R"("features":{{"vibration_crest":3.1,"vibration_kurtosis":2.9,"current_thd":0.08}},)"
        R"("featureSet":"a1b2c3d4","inference":0.12,"threshold":0.5,"alarm":false,)"
        R"("model":"2026-01-01-00:00:00-model.tflite","firmware":"0.1.0"}})",
        name,
        1700000000000 + seq,
        boot,
        seq
    );
}

}  // namespace stator::bench
