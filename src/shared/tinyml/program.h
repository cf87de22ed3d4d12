// A program is the checked graph in the form that runs: records in the arena, one an operator.
//
//   arena:  [ record | record | ... ]  [ activations, planned ]
//   record: next u24 in words, kernel u8, the kernel's own numbers, its multipliers
//
// Records hold 32-bit places, not pointers, so a model needs the same number of bytes on a 64-bit
// server as on a Cortex-M, and the registry can tell a device's arena exactly.
#pragma once

#include "shared/tinyml/fixed_point.h"
#include "shared/tinyml/graph.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

namespace stator::tinyml {

inline constexpr std::uint32_t arena_bytes_max = 64U << 20;

// Where bytes lie: in the arena, or (top bit) in the file.
struct Place {
    std::uint32_t at = none;
    static constexpr std::uint32_t none = 0xFFFFFFFF;
    static constexpr std::uint32_t in_file = 0x80000000;

    [[nodiscard]] bool present() const { return at != none; }
};

struct Memory {
    const std::byte* file = nullptr;
    std::byte* arena = nullptr;

    [[nodiscard]] const std::byte* in(Place place) const {
        if ((place.at & Place::in_file) != 0) return file + (place.at & ~Place::in_file);
        return arena + place.at;
    }

    [[nodiscard]] const std::int8_t* in8(Place place) const {
        return reinterpret_cast<const std::int8_t*>(in(place));
    }

    [[nodiscard]] std::byte* out(Place place) const { return arena + place.at; }

    [[nodiscard]] std::int8_t* out8(Place place) const {
        return reinterpret_cast<std::int8_t*>(out(place));
    }

    [[nodiscard]] float real(Place place, std::uint32_t i) const {
        return load<float>(in(place) + std::size_t{4} * i);
    }

    [[nodiscard]] std::int32_t whole(Place place, std::uint32_t i) const {
        return load<std::int32_t>(in(place) + std::size_t{4} * i);
    }

    void put(Place place, std::uint32_t i, float value) const {
        std::memcpy(out(place) + std::size_t{4} * i, &value, 4);
    }
};

// What runs; each has a row in kernels.cpp.
enum class Kernel : std::uint32_t {
    fully_connected_int8,
    fully_connected_float,
    conv_int8,
    conv_float,
    pool_int8,
    pool_float,
    arithmetic_int8,
    arithmetic_float,
    activation_int8,
    activation_float,
    tanh_int8,
    tanh_float,
    leaky_int8,
    leaky_float,
    softmax_int8,
    softmax_float,
    reduce_int8,
    reduce_float,
    quantise,
    requantise,
    dequantise,
    count,
};

struct Record {
    std::uint32_t kernel : 8;
    std::uint32_t next_word : 24;  // where in the arena the record behind lies, in words

    [[nodiscard]] std::uint32_t next() const { return std::uint32_t{next_word} * 4; }
};

static_assert(sizeof(Record) == 4 && arena_bytes_max <= 4U << 24U);

// Multipliers, one or one a channel, as they lie in the arena: the significands, then the shifts in
// a byte each.
struct Multipliers {
    const std::byte* at = nullptr;
    std::uint32_t count = 0;  // 1, or the channels

    [[nodiscard]] static constexpr std::uint32_t bytes(std::uint32_t count) {
        return 4 * count + ((count + 3U) & ~3U);
    }

    [[nodiscard]] const std::int8_t* shifts() const {
        return reinterpret_cast<const std::int8_t*>(at + std::size_t{4} * count);
    }

    [[nodiscard]] Multiplier of(std::uint32_t channel) const {
        if (count == 1) channel = 0;
        return {load<std::int32_t>(at + std::size_t{4} * channel), shifts()[channel]};
    }
};

// What goes number by number from one tensor to another.
struct Along {
    Place input;
    Place output;
    std::uint32_t count = 0;
};

// Builds records. Without an arena it only counts, so that the size is known before there is one;
// `again` says that the same is built behind it, which then checks what is dear to reckon.
class Builder {
  public:
    explicit Builder(Graph& g, std::byte* arena, bool again = false)
        : graph{g}, arena_{arena}, again_{again} {}

    // The kernel's numbers, to be filled in; valid until the next record.
    template <typename T>
    [[nodiscard]] T& record(Kernel kernel) {
        static_assert(std::is_trivially_copyable_v<T> && alignof(T) == 4);
        static_assert(sizeof(T) <= scratch_bytes);
        return *std::construct_at(reinterpret_cast<T*>(open(kernel, sizeof(T))));
    }

    // Room in the arena, in words; empty while only counting.
    [[nodiscard]] std::span<std::byte> room(std::uint32_t bytes, Place& place);

    // Ends the last record.
    void close();

    [[nodiscard]] Place place(std::int32_t tensor) const;

    // The i-th input, which is there: asserted.
    [[nodiscard]] const Tensor& in(const Operator& op, std::size_t i) const;
    [[nodiscard]] const Tensor& out(const Operator& op) const;

    // Where they lie; an input that is left out has no place.
    [[nodiscard]] Place place_in(const Operator& op, std::size_t i) const;

    [[nodiscard]] Place place_out(const Operator& op) const { return place(op.output); }

    [[nodiscard]] Along along(const Operator& op) const;

    [[nodiscard]] bool again() const { return again_; }

    [[nodiscard]] std::uint32_t used() const { return used_; }

    // The records alone have outgrown what an arena may be.
    [[nodiscard]] bool overflowed() const { return used_ >= arena_bytes_max; }

    [[nodiscard]] std::uint32_t records() const { return records_; }

    // Counts the work of one run, which has a limit: a small file can ask for a very long one.
    [[nodiscard]] bool work(std::uint64_t macs);

    [[nodiscard]] std::uint64_t macs() const { return macs_; }

#if defined(STATOR_TINYML_TERSE)
    [[gnu::always_inline]] bool refuse(const Operator&, std::initializer_list<Word> words) {
        return graph.refuse(words);
    }
#else
    bool refuse(const Operator& op, std::initializer_list<Word> words);
#endif

    Graph& graph;

  private:
    static constexpr std::size_t scratch_bytes = 192;

    [[nodiscard]] std::byte* open(Kernel kernel, std::uint32_t bytes);

    std::byte* arena_;
    bool again_;
    alignas(4
    ) std::array<std::byte, scratch_bytes> scratch_;  // of the last record, if only counted
    std::uint32_t used_ = 0;
    std::uint32_t open_at_ = 0;
    std::uint32_t records_ = 0;
    std::uint64_t macs_ = 0;
    Kernel kernel_ = Kernel::count;
};

// Checks of an operator's form that many kernels share; each says what is wrong.
[[nodiscard]] bool has_inputs(Builder&, const Operator&, std::size_t least, std::size_t most);
[[nodiscard]] bool is_all(Builder&, const Operator&, Kind, std::size_t inputs);
[[nodiscard]] bool is_quantised(Builder&, const Operator&, const Tensor&);
[[nodiscard]] bool same_shape(const Tensor&, const Tensor&);

// The multipliers input * weights / output, one or one a channel
// (TFLM's FULLY_CONNECTED multiplies the two scales as floats where there is only one).
[[nodiscard]] bool channel_scales(Builder&, const Operator&, const Tensor& weights, Place&);

// The limits a fused activation puts on an int8 output (TFLM CalculateActivationRangeQuantized).
struct Range8 {
    std::int8_t low = -128;
    std::int8_t high = 127;
};

struct RangeReal {
    float low;
    float high;
};

[[nodiscard]] bool fused_range(Builder&, const Operator&, Fused, const Tensor& output, Range8&);
[[nodiscard]] bool fused_range(Builder&, const Operator&, Fused, RangeReal&);

}  // namespace stator::tinyml
