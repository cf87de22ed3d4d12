// A Model is a .tflite file that was checked whole, ready to run in a caller's arena.
//
// load() trusts nothing: offsets, types, shapes, op versions, quantisation and sizes are validated
// first, and a file that passes cannot make invoke() read or write out of bounds. No allocation;
// the file's bytes and the arena must outlive the Model. Rounding is bit-exact with TFLM
// (`double_`, the default) or with LiteRT's reference and XNNPACK kernels (`single`).
//
// check() and load() use about 14 KiB of stack, invoke() less than 1 KiB.
#pragma once

#include "shared/base/fixed.h"
#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::tinyml {

using Reason = base::FixedString<120>;  // "op TRANSPOSE_CONV v4 not supported"

enum class Rounding : std::uint8_t { double_, single };
enum class Type : std::uint8_t { float32, int8 };

inline constexpr std::uint64_t macs_max = std::uint64_t{1} << 28;  // of one run

struct Needs {
    std::size_t arena_bytes = 0;  // exact, the same on every machine, for an arena at any address
    std::size_t input_count = 0;  // scalars
    std::size_t output_count = 0;
    Type input_type = Type::float32;
    Type output_type = Type::float32;
    std::uint64_t macs = 0;  // multiplications of one run, roughly
};

// What the file needs, or Fault::bad_input and why.
[[nodiscard]] base::Result<Needs> check(std::span<const std::byte> file, Reason& reason);

class Model {
  public:
    // Fault::full when the arena is smaller than check() says.
    [[nodiscard]] static base::Result<Model> load(
        std::span<const std::byte> file,
        std::span<std::byte> arena,
        Reason& reason,
        Rounding rounding = Rounding::double_
    );

    [[nodiscard]] const Needs& needs() const { return needs_; }

    // Real values in and out, whatever the file's types (an int8 file quantises at its ends).
    // Sizes must equal needs(): asserted.
    void invoke(std::span<const float> input, std::span<float> output);

    // Steps in and out; both ends must be int8: asserted.
    void invoke_raw(std::span<const std::int8_t> input, std::span<std::int8_t> output);

  private:
    friend class Batch;

    struct End {
        std::uint32_t place = 0;
        float scale = 1;
        std::int32_t zero = 0;
    };

    Model() = default;
    void run();

    Needs needs_;
    const std::byte* file_ = nullptr;
    std::byte* arena_ = nullptr;  // aligned to 4
    std::uint32_t records_ = 0;
    Rounding rounding_ = Rounding::double_;
    End input_;
    End output_;
};

}  // namespace stator::tinyml
