#include "world/json/json.h"

#include <gtest/gtest.h>

namespace stator::json {
namespace {

const nlohmann::json object = nlohmann::json::parse(
    R"({"text":"a","whole":-7,"large":18446744073709551615,"number":0.5,"flag":true,"none":null})"
);

TEST(Json, GivesAMemberOfItsKind) {
    EXPECT_EQ(text_of(object, "text"), "a");
    EXPECT_EQ(whole_of(object, "whole", 3), -7);
    EXPECT_EQ(number_of(object, "number", 3.0), 0.5);
    EXPECT_EQ(number_of(object, "whole"), -7.0);
    EXPECT_TRUE(flag_of(object, "flag"));
}

TEST(Json, GivesTheOtherForWhatIsAbsentOrOfAnotherKindAndNeverThrows) {
    for (const auto& [name, value] : object.items()) {
        EXPECT_EQ(text_of(object, name), name == "text" ? value.get<std::string>() : "");
        if (name != "whole" && name != "large") {
            EXPECT_EQ(whole_of(object, name, 3), 3);
        }
        EXPECT_EQ(number_of(object, name, 3.0), value.is_number() ? value.get<double>() : 3.0);
        EXPECT_EQ(flag_of(object, name, true), name == "flag" ? value.get<bool>() : true);
    }
    for (const auto& nothing : {nlohmann::json{}, nlohmann::json::array({1}), nlohmann::json(5)}) {
        EXPECT_EQ(text_of(nothing, "text"), "");
        EXPECT_EQ(whole_of(nothing, "text", 3), 3);
        EXPECT_EQ(number_of(nothing, "text", 3.0), 3.0);
        EXPECT_FALSE(flag_of(nothing, "text"));
    }
}

}  // namespace
}  // namespace stator::json
