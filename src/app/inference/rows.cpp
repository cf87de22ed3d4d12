#include "app/inference/rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace stator::inference {
namespace {

std::string_view trimmed(std::string_view cell) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t first = cell.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return cell.substr(first, cell.find_last_not_of(blanks) + 1 - first);
}

template <typename Number>
Outcome<Number> number_of(std::string_view cell, const std::string& where) {
    Number value{};
    const auto read = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (read.ec != std::errc{} || read.ptr != cell.data() + cell.size())
        return fail(base::Fault::bad_input, fmt::format("{}: '{}' is no number", where, cell));
    return value;
}

Outcome<void> take(std::string_view cell, const std::string& where, std::vector<float>& into) {
    const auto value = number_of<float>(cell, where);
    if (!value) return std::unexpected(value.error());
    if (!std::isfinite(*value))
        return fail(base::Fault::bad_input, fmt::format("{}: {} is not finite", where, cell));
    into.push_back(*value);
    return {};
}

Outcome<void> take(
    std::string_view cell, const std::string& where, std::vector<std::int8_t>& into
) {
    const auto value = number_of<int>(cell, where);
    if (!value) return std::unexpected(value.error());
    if (*value < INT8_MIN || *value > INT8_MAX)
        return fail(
            base::Fault::bad_input,
            fmt::format(
                "{}: {} is no int8 (-128 to 127); leave out --raw for real values", where, cell
            )
        );
    into.push_back(static_cast<std::int8_t>(*value));
    return {};
}

template <typename Number>
Outcome<std::vector<Number>> read(
    std::string_view text, std::size_t width, const std::string& file
) {
    std::vector<Number> values;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::string where = fmt::format("{}:{}", file, line);
        std::string_view row = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), row.size() + 1));
        if (trimmed(row).empty()) continue;
        const auto cells = static_cast<std::size_t>(std::ranges::count(row, ',')) + 1;
        if (cells != width)
            return fail(
                base::Fault::bad_input,
                fmt::format("{}: {} numbers, where the model takes {}", where, cells, width)
            );
        for (std::size_t i = 0; i < width; ++i) {
            const std::string_view cell = row.substr(0, row.find(','));
            if (auto done = take(trimmed(cell), where, values); !done)
                return std::unexpected(done.error());
            row.remove_prefix(std::min(row.size(), cell.size() + 1));
        }
    }
    return values;
}

}  // namespace

Outcome<std::vector<float>> read_values(
    std::string_view text, std::size_t width, const std::string& file
) {
    return read<float>(text, width, file);
}

Outcome<std::vector<std::int8_t>> read_steps(
    std::string_view text, std::size_t width, const std::string& file
) {
    return read<std::int8_t>(text, width, file);
}

}  // namespace stator::inference
