#include "world/json/json.h"

template class nlohmann::basic_json<>;

namespace nlohmann::detail {

template class serializer<json>;
template class json_sax_dom_parser<json>;
template class lexer<json, iterator_input_adapter<const char*>>;
template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
template class parser<json, iterator_input_adapter<const char*>>;
template class parser<json, iterator_input_adapter<std::string::const_iterator>>;

}  // namespace nlohmann::detail

namespace stator::json {

std::string text_of(const nlohmann::json& object, std::string_view name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::int64_t whole_of(const nlohmann::json& object, std::string_view name, std::int64_t otherwise) {
    const auto found = object.find(name);
    const bool is_whole = found != object.end() && found->is_number_integer();
    return is_whole ? found->get<std::int64_t>() : otherwise;
}

double number_of(const nlohmann::json& object, std::string_view name, double otherwise) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

bool flag_of(const nlohmann::json& object, std::string_view name, bool otherwise) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

}  // namespace stator::json
