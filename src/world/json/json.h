// JSON documents of the services: nlohmann's, compiled once.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

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
