#include "act/console/suspicion.h"

#include <gtest/gtest.h>

namespace stator::console {
namespace {

TEST(Suspicion, TheNewestAlarmThatLastsAndNamesAKindIsSaidWithItsEvidence) {
    EXPECT_EQ(
        suspicion_of(R"([
          {"end_unix_ms":0,"level":1,"contributions":{}},
          {"end_unix_ms":9,"suspected":"overload","evidence":"current up"},
          {"end_unix_ms":0,"suspected":"bearing-wear","evidence":"vibration_band_high up",
           "contributions":{"vibration":1}},
          {"end_unix_ms":0,"suspected":"imbalance","evidence":"vibration_band_low up"}])"),
        "bearing wear suspected (vibration band high up)"
    );
}

TEST(Suspicion, WithoutAKindItSaysThatTheCauseIsUnclear) {
    EXPECT_EQ(
        suspicion_of(R"([{"end_unix_ms":0,"suspected":"unclear","evidence":"",
                          "contributions":{"sound":0.2,"vibration_crest":0.7}}])"),
        "a fault is suspected, cause unclear (mostly vibration crest)"
    );
    for (const char* nothing : {"", "[]", "[7]", "[{\"end_unix_ms\":0}]"})
        EXPECT_EQ(suspicion_of(nothing), "a fault is suspected, cause unclear") << nothing;
}

}  // namespace
}  // namespace stator::console
