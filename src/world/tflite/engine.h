// The tflite door: another runtime than ours for a .tflite file, opened at run time.
//
// An Engine holds one file, ready to run row by row. It is a second opinion and a way to hardware
// (an Edge TPU by its delegate library): what the devices run is shared/tinyml. The real one is
// library.h.
#pragma once

#include "shared/tinyml/model.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stator::tflite {

struct Ends {
    std::size_t input_count = 0;  // scalars
    std::size_t output_count = 0;
    tinyml::Type input_type = tinyml::Type::float32;
    tinyml::Type output_type = tinyml::Type::float32;
};

class Engine {
  public:
    virtual ~Engine() = default;
    [[nodiscard]] virtual const Ends& ends() const = 0;
    // Real values in and out, whatever the file's types. Sizes must equal ends(): asserted. An
    // Error: the runtime or its delegate failed, the output is not to be used.
    [[nodiscard]] virtual Outcome<void> invoke(
        std::span<const float> input, std::span<float> output
    ) = 0;
    // Steps in and out; both ends must be int8: asserted.
    [[nodiscard]] virtual Outcome<void> invoke_raw(
        std::span<const std::int8_t> input, std::span<std::int8_t> output
    ) = 0;
};

class Engines {
  public:
    virtual ~Engines() = default;
    // Fault::bad_input: the runtime does not take this file, with its words. Fault::again: the
    // delegate refuses now (its device may not be there).
    [[nodiscard]] virtual Outcome<std::unique_ptr<Engine>> load(std::string_view file) = 0;
};

// What a person chooses by `--engine` or level2.engine, and the delegate beside it.
struct Choice {
    std::string library;  // empty: tinyml
    std::string delegate;
    std::vector<std::pair<std::string, std::string>> delegate_options;
};

// `engine`: "tinyml" or "tflite:PATH"; `delegate`: PATH or empty; `options`: "key=value,key=value"
// for the delegate. An Error says which word is wrong.
[[nodiscard]] Outcome<Choice> read_choice(
    std::string_view engine, std::string_view delegate, std::string_view options
);

}  // namespace stator::tflite
