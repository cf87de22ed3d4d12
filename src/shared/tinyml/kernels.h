// The kernels: for each op a check that fills a record (prepare), and what runs from it.
//
// prepare() is called twice with the same graph, once to count bytes and once to fill them; it must
// do the same both times. run() trusts its record: whatever could go wrong was refused before.
#pragma once

#include "shared/tinyml/program.h"

#include <new>
#include <optional>

namespace stator::tinyml {

using Run = void (*)(const Memory& memory, const std::byte* numbers);

[[nodiscard]] Run run_of(Kernel kernel, Rounding rounding);

// Checks the operator and adds its record, if it needs one.
[[nodiscard]] bool prepare(Builder& builder, const Operator& op);

[[nodiscard]] bool prepare_fully_connected(Builder&, const Operator&);
[[nodiscard]] bool prepare_arithmetic(Builder&, const Operator&);
[[nodiscard]] bool prepare_activation(Builder&, const Operator&);
[[nodiscard]] bool prepare_quantise(Builder&, const Operator&);
[[nodiscard]] bool prepare_conv(Builder&, const Operator&);
[[nodiscard]] bool prepare_pool(Builder&, const Operator&);
[[nodiscard]] bool prepare_reduce(Builder&, const Operator&);
[[nodiscard]] bool prepare_softmax(Builder&, const Operator&);
[[nodiscard]] bool prepare_leaky(Builder&, const Operator&);
[[nodiscard]] bool prepare_same_bytes(Builder&, const Operator&);  // RESHAPE and its kin
[[nodiscard]] bool prepare_folded(Builder&, const Operator&);      // done at load, never run

template <Rounding rounding>
void run_fully_connected_int8(const Memory&, const std::byte*);
void run_fully_connected_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_arithmetic_int8(const Memory&, const std::byte*);
void run_arithmetic_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_activation_int8(const Memory&, const std::byte*);
void run_activation_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_tanh_int8(const Memory&, const std::byte*);
void run_tanh_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_conv_int8(const Memory&, const std::byte*);
void run_conv_float(const Memory&, const std::byte*);
void run_pool_int8(const Memory&, const std::byte*);
void run_pool_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_reduce_int8(const Memory&, const std::byte*);
void run_reduce_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_softmax_int8(const Memory&, const std::byte*);
void run_softmax_float(const Memory&, const std::byte*);
template <Rounding rounding>
void run_leaky_int8(const Memory&, const std::byte*);
void run_leaky_float(const Memory&, const std::byte*);
void run_quantise(const Memory&, const std::byte*);
template <Rounding rounding>
void run_requantise(const Memory&, const std::byte*);
void run_dequantise(const Memory&, const std::byte*);

// For Batch: of int8 to int8, so that 256 values by the input's byte are all that it does; nothing
// where the record is of another kind. SQUARE is such a one, also as a MUL of a tensor by itself.
[[nodiscard]] std::optional<Along> curve_of(Kernel kernel, const std::byte* record);
void fill_table(
    Kernel kernel, const std::byte* record, Rounding rounding, std::span<std::byte, 256> table
);

// QUANTIZE from and DEQUANTIZE to float32.
struct Steps {
    Along along;
    float scale = 1;
    std::int32_t zero = 0;
};

[[nodiscard]] Steps steps_of(const std::byte* record);

// curve_of() and fill_table() of each kind.
[[nodiscard]] Along activation_along(const std::byte* record);
void fill_activation(const std::byte*, Rounding, std::span<std::byte, 256> table);
[[nodiscard]] std::optional<Along> square_along(const std::byte* record);
void fill_square(const std::byte*, Rounding, std::span<std::byte, 256> table);
[[nodiscard]] Along requantise_along(const std::byte* record);
void fill_requantise(const std::byte*, Rounding, std::span<std::byte, 256> table);

// The table of a function of a step.
template <typename Function>
void fill_with(std::span<std::byte, 256> table, Function function) {
    for (int step = -128; step < 128; ++step)
        table[static_cast<std::uint8_t>(step)] =
            static_cast<std::byte>(function(static_cast<std::int8_t>(step)));
}

// A record's numbers, where Builder::record() made them.
template <typename T>
[[nodiscard]] inline const T& numbers_of(const std::byte* at) {
    return *std::launder(reinterpret_cast<const T*>(at));
}

}  // namespace stator::tinyml
