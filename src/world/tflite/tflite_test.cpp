#include "world/tflite/library.h"

#include <gmock/gmock.h>

namespace stator::tflite {
namespace {

using testing::HasSubstr;

TEST(TfliteChoice, IsTinymlOrALibraryWithItsDelegate) {
    const auto ours = read_choice("tinyml", "", "");
    ASSERT_TRUE(ours);
    EXPECT_TRUE(ours->library.empty());
    const auto theirs = read_choice("tflite:/opt/a.so", "/opt/d.so", "device=usb:0,level=");
    ASSERT_TRUE(theirs) << theirs.error().what;
    EXPECT_EQ(theirs->library, "/opt/a.so");
    EXPECT_EQ(theirs->delegate, "/opt/d.so");
    using Pair = std::pair<std::string, std::string>;
    EXPECT_THAT(
        theirs->delegate_options, testing::ElementsAre(Pair{"device", "usb:0"}, Pair{"level", ""})
    );
}

TEST(TfliteChoice, SaysWhichWordIsWrong) {
    const auto why = [](const char* engine, const char* delegate, const char* options) {
        const auto read = read_choice(engine, delegate, options);
        return read ? std::string{} : read.error().what;
    };
    EXPECT_THAT(why("onnx", "", ""), HasSubstr("not 'onnx'"));
    EXPECT_THAT(why("tflite:", "", ""), HasSubstr("tflite:PATH"));
    EXPECT_THAT(why("tinyml", "/d.so", ""), HasSubstr("not with tinyml"));
    EXPECT_THAT(why("tflite:/a.so", "/d.so", "a=1,b"), HasSubstr("'b'"));
    EXPECT_THAT(why("tflite:/a.so", "", "a=1"), HasSubstr("no delegate"));
}

TEST(TfliteLibrary, NamesAFileThatIsNotThere) {
    const auto opened = Library::open({.library = "/nowhere/engine.so"});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, base::Fault::not_found);
    EXPECT_THAT(opened.error().what, HasSubstr("/nowhere/engine.so cannot be opened"));
}

TEST(TfliteLibrary, NamesTheFunctionThatALibraryLacks) {
    const auto opened = Library::open({.library = "libm.so.6"});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, base::Fault::bad_input);
    EXPECT_THAT(opened.error().what, HasSubstr("libm.so.6 has no function TfLiteVersion"));
}

}  // namespace
}  // namespace stator::tflite
