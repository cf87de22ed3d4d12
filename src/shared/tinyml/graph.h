// A Graph is the file's one subgraph, read and checked: tensors, operators, and who makes what.
//
// It lives on the stack while a file is checked or loaded and is then forgotten. After parse()
// every index is in range, every constant's bytes lie in the file, every shape is small enough to
// multiply in 32 bits, every quantisation is sound, and each tensor is written once, before it is
// read.
#pragma once

#include "shared/base/fixed.h"
#include "shared/tinyml/flatbuffer.h"
#include "shared/tinyml/model.h"
#include "shared/tinyml/schema.h"

#include <array>
#include <cassert>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace stator::tinyml {

inline constexpr std::size_t tensors_max = 96;
inline constexpr std::size_t operators_max = 48;
inline constexpr std::size_t rank_max = 4;
inline constexpr std::size_t operands_max = 8;
inline constexpr std::size_t folded_max = 8;  // numbers in a tensor that is computed at load
inline constexpr std::size_t folded_numbers_max = 128;  // in all of them
inline constexpr std::uint32_t scalars_max = 1U << 24;

struct Tensor {
    std::array<std::int32_t, rank_max> dims{};
    std::uint32_t rank = 0;
    std::uint32_t count = 1;  // scalars
    std::uint32_t bytes = 0;
    Kind kind = Kind::float32;
    bool constant = false;  // its bytes lie in the file, at data_at
    bool produced = false;  // by an operator or as the graph's input
    bool folded = false;    // its numbers are the graph's, from folded_at on
    bool quantised = false;
    std::uint32_t data_at = 0;
    Vector scales;
    std::uint32_t dimension = 0;  // that the scales belong to
    float scale = 0;              // the first
    std::int32_t zero_point = 0;
    std::uint16_t folded_at = 0;
    // for the planner
    std::uint16_t root = 0;  // the tensor whose bytes this one shares
    std::uint16_t first = 0xFFFF;
    std::uint16_t last = 0;
    std::uint32_t arena_at = 0;

    [[nodiscard]] bool per_channel() const { return scales.size > 1; }

    [[nodiscard]] std::int32_t last_dim() const { return rank == 0 ? 1 : dims[rank - 1]; }
};

// Some items, at most size_max. Unlike a FixedVector's, an item's bytes are first touched when it
// is added: clearing room for the most would cost a microcontroller more than reading the file.
template <typename T, std::size_t size_max>
class Items {
  public:
    Items() = default;
    Items(const Items&) = delete;
    Items& operator=(const Items&) = delete;

    // A new one, at its type's first values; below the limit: asserted.
    T& add() {
        assert(size_ < size_max);
        return *std::construct_at(begin() + size_++);
    }

    [[nodiscard]] T& operator[](std::size_t i) {
        assert(i < size_);
        return begin()[i];
    }

    [[nodiscard]] const T& operator[](std::size_t i) const {
        assert(i < size_);
        return begin()[i];
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] T* begin() { return reinterpret_cast<T*>(room_.data()); }

    [[nodiscard]] T* end() { return begin() + size_; }

    [[nodiscard]] const T* begin() const { return reinterpret_cast<const T*>(room_.data()); }

    [[nodiscard]] const T* end() const { return begin() + size_; }

  private:
    static_assert(std::is_trivially_destructible_v<T>);
    alignas(T) std::array<std::byte, size_max * sizeof(T)> room_;
    std::size_t size_ = 0;
};

struct Operator {
    Op op = Op::add;
    std::int32_t version = 1;
    Items<std::int16_t, operands_max> inputs;  // -1: left out
    std::uint16_t output = 0;
    Table options;
};

// A part of a sentence: text that outlives it, or a number (held to 31 bits).
struct Word {
    const char* text = nullptr;  // none: a number
    std::uint32_t size = 0;

    // 8 bytes on a microcontroller: sentences are built in many places
    Word(std::string_view t)  // NOLINT(google-explicit-constructor)
        : text{t.data()}, size{static_cast<std::uint32_t>(t.size())} {}

    Word(const char* t) : Word{std::string_view{t}} {}  // NOLINT(google-explicit-constructor)

    template <std::integral Number>
    Word(Number n)  // NOLINT(google-explicit-constructor)
        : size{static_cast<std::uint32_t>(
              std::in_range<std::int32_t>(n) ? static_cast<std::int32_t>(n)
                                             : std::numeric_limits<std::int32_t>::max()
          )} {}
};

// Puts a sentence together: say(reason, {"tensor ", 3, " is too long"}). Built with
// STATOR_TINYML_TERSE it says only that the file was refused, for where every byte of code counts.
#if defined(STATOR_TINYML_TERSE)
void say_refused(Reason& reason);

[[gnu::always_inline]] inline void say(Reason& reason, std::initializer_list<Word>) {
    say_refused(reason);
}
#else
void say(Reason& reason, std::initializer_list<Word> words);
#endif

class Graph {
  public:
    Graph(std::span<const std::byte> bytes, Reason& why)
        : file{bytes}, reason{why}, too_large_{bytes.size() > file_bytes_max} {}

    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    // False when the file is not a model that we can run; `reason` says why.
    [[nodiscard]] bool parse();

    // Always false, so that a check reads `return graph.refuse({...})`.
#if defined(STATOR_TINYML_TERSE)
    [[gnu::always_inline]] bool refuse(std::initializer_list<Word> words) {
        say(reason, words);
        return false;
    }
#else
    bool refuse(std::initializer_list<Word> words);
#endif

    File file;
    Reason& reason;
    Items<Tensor, tensors_max> tensors;
    Items<Operator, operators_max> operators;
    Items<std::int32_t, folded_numbers_max> folded;
    std::uint16_t input = 0;
    std::uint16_t output = 0;

  private:
    [[nodiscard]] bool names_tensor(std::int32_t index) const {
        return static_cast<std::uint32_t>(index) < tensors.size();
    }

    [[nodiscard]] bool parse_tensors(const Table& subgraph, const Table& model);
    [[nodiscard]] bool parse_shape(const Table& table, Tensor& tensor, std::uint32_t i);
    [[nodiscard]] bool parse_quantisation(const Table& table, Tensor& tensor, std::uint32_t i);
    [[nodiscard]] bool parse_data(
        const Table& table, const Table& model, Tensor& t, std::uint32_t i
    );
    [[nodiscard]] bool parse_ends(const Table& subgraph);
    [[nodiscard]] bool parse_operators(const Table& subgraph, const Table& model);
    [[nodiscard]] bool parse_operator(const Table& table, const Table& model, std::uint16_t i);

    bool too_large_;
    Vector buffers_;  // the file's, once they are looked for
};

}  // namespace stator::tinyml
