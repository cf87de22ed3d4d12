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
#include <cstdint>
#include <initializer_list>

namespace stator::tinyml {

inline constexpr std::size_t file_bytes_max = std::size_t{64} << 20;
inline constexpr std::size_t tensors_max = 96;
inline constexpr std::size_t operators_max = 48;
inline constexpr std::size_t rank_max = 4;
inline constexpr std::size_t operands_max = 8;
inline constexpr std::size_t folded_max = 8;  // numbers in a tensor that is computed at load
inline constexpr std::uint32_t scalars_max = 1U << 24;

struct Tensor {
    std::array<std::int32_t, rank_max> dims{};
    std::uint32_t rank = 0;
    std::uint32_t count = 1;  // scalars
    Kind kind = Kind::float32;
    bool constant = false;  // its bytes lie in the file, at data_at
    bool produced = false;  // by an operator or as the graph's input
    bool folded = false;    // its numbers are in `values`
    bool quantised = false;
    std::uint32_t data_at = 0;
    Vector scales;
    std::uint32_t dimension = 0;  // that the scales belong to
    float scale = 0;              // the first
    std::int32_t zero_point = 0;
    std::array<std::int32_t, folded_max> values{};
    // for the planner
    std::uint16_t root = 0;  // the tensor whose bytes this one shares
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::uint32_t arena_at = 0;

    [[nodiscard]] bool per_channel() const { return scales.size > 1; }

    [[nodiscard]] std::uint32_t bytes() const { return count * bytes_of(kind); }

    [[nodiscard]] std::int32_t last_dim() const { return rank == 0 ? 1 : dims[rank - 1]; }
};

struct Operator {
    Op op = Op::add;
    std::int32_t version = 1;
    base::FixedVector<std::int16_t, operands_max> inputs;  // -1: left out
    std::uint16_t output = 0;
    Table options;
};

// Puts a sentence together: say(reason, {"tensor ", 3, " is too long"}).
struct Word {
    std::string_view text;
    std::int64_t number = 0;
    bool is_number = false;

    Word(const char* t) : text{t} {}  // NOLINT(google-explicit-constructor)

    Word(std::string_view t) : text{t} {}  // NOLINT(google-explicit-constructor)

    Word(std::int64_t n) : number{n}, is_number{true} {}  // NOLINT(google-explicit-constructor)
};

void say(Reason& reason, std::initializer_list<Word> words);

class Graph {
  public:
    Graph(std::span<const std::byte> bytes, Reason& why) : file{bytes}, reason{why} {}

    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    // False when the file is not a model that we can run; `reason` says why.
    [[nodiscard]] bool parse();

    // Always false, so that a check reads `return graph.refuse({...})`.
    bool refuse(std::initializer_list<Word> words);

    File file;
    Reason& reason;
    base::FixedVector<Tensor, tensors_max> tensors;
    base::FixedVector<Operator, operators_max> operators;
    std::uint16_t input = 0;
    std::uint16_t output = 0;

  private:
    [[nodiscard]] bool parse_tensors(const Table& subgraph, const Table& model);
    [[nodiscard]] bool parse_shape(const Table& table, Tensor& tensor, std::uint32_t i);
    [[nodiscard]] bool parse_quantisation(const Table& table, Tensor& tensor, std::uint32_t i);
    [[nodiscard]] bool parse_data(
        const Table& table, const Table& model, Tensor& t, std::uint32_t i
    );
    [[nodiscard]] bool parse_ends(const Table& subgraph);
    [[nodiscard]] bool parse_operators(const Table& subgraph, const Table& model);
    [[nodiscard]] bool parse_operator(const Table& table, const Table& model, std::uint16_t i);
};

}  // namespace stator::tinyml
