// Frame cuts JSON objects off a byte stream, and reads and writes the answers: the line socket's
// grammar.
//
// A message ends with its object; white space between messages means nothing. What does not begin
// with '{' is nonsense up to the end of its line, or of what has come. The inside of an object is
// not looked at beyond its strings and braces: whether it is JSON the reader of it finds out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stator::line {

inline constexpr std::size_t message_bytes_max = 8192;
inline constexpr std::size_t answer_bytes_max = 1024;

enum class Cut : std::uint8_t {
    nothing,  // white space only
    more,     // an object began and is not complete
    object,
    nonsense,
    too_long,  // an object that is not complete after message_bytes_max
};

struct Frame {
    Cut cut = Cut::nothing;
    std::size_t begin = 0;  // of the object
    std::size_t end = 0;    // what lies before it is done
};

[[nodiscard]] Frame next_frame(std::string_view bytes);

// "inference value from the edge tpu = 0.93\n"
[[nodiscard]] std::string write_answer(float value);
// "error: ...\n": one line, cut to answer_bytes_max.
[[nodiscard]] std::string write_error(std::string_view what);
// The value of an answer; nothing for anything else, and for one that is no number in 0..1.
[[nodiscard]] std::optional<float> read_answer(std::string_view text);

}  // namespace stator::line
