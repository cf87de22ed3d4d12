#include "shared/wire/leading_device.h"

#include <gtest/gtest.h>

namespace stator::wire {
namespace {

TEST(LeadingDevice, IsFoundWhereItIsNamedFirst) {
    EXPECT_EQ(leading_device(R"({"deviceID":"7","current":0.5})"), "7");
    EXPECT_EQ(leading_device("{ \"deviceID\" :\n\"pump-1\" , \"a\":1}"), "pump-1");
    for (const char* text :
         {"",
          "{",
          R"({"deviceID)",
          R"({"deviceID")",
          R"({"deviceID":)",
          R"({"deviceID":")",
          R"({"deviceID":"7)",
          R"({"deviceID":7})",
          R"({"deviceID":""})",
          R"({"deviceID":"a b"})",
          R"({"device\u0049D":"7"})",
          R"({"deviceID":"\u0037"})",
          R"({"boot":1,"deviceID":"7"})",
          R"([{"deviceID":"7"}])"})
        EXPECT_EQ(leading_device(text), "") << text;
}

}  // namespace
}  // namespace stator::wire
