// JSON documents of the services: nlohmann's, compiled once.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

// Without this every file that reads a document would compile the parser and the writer anew.
extern template class nlohmann::basic_json<>;

namespace nlohmann::detail {

extern template class serializer<json>;
extern template class json_sax_dom_parser<json>;
extern template class lexer<json, iterator_input_adapter<const char*>>;
extern template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
extern template class parser<json, iterator_input_adapter<const char*>>;
extern template class parser<json, iterator_input_adapter<std::string::const_iterator>>;

}  // namespace nlohmann::detail

namespace stator::json {

// Members of a document that somebody else wrote. One that is absent, or of another kind, is
// `otherwise`: unlike nlohmann's value(), none of these throws.
[[nodiscard]] std::string text_of(const nlohmann::json& object, std::string_view name);
[[nodiscard]] std::int64_t whole_of(
    const nlohmann::json& object, std::string_view name, std::int64_t otherwise = 0
);
[[nodiscard]] double number_of(
    const nlohmann::json& object, std::string_view name, double otherwise = 0.0
);
[[nodiscard]] bool flag_of(
    const nlohmann::json& object, std::string_view name, bool otherwise = false
);

}  // namespace stator::json
