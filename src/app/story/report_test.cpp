#include "app/story/report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace stator::story {
namespace {

// A story of two faults: the first alarm of level 1 is false, the second finds the first fault; the
// fixed limit finds the second fault only, and cries twice for nothing.
constexpr const char* overview = R"({
  "asset":{"title":"Pump 1","device":"7"}, "badge":"SIMULATED, 40 x time",
  "steps":[
    {"number":0,"title":"The site","done":true,"at_unix_ms":1000,"took_ms":0,"measured":"made"},
    {"number":1,"title":"The device","done":true,"at_unix_ms":3000,"took_ms":2000,"measured":"it"},
    {"number":2,"title":"The log","done":false,"at_unix_ms":0,"took_ms":0,"measured":""}],
  "episodes":[
    {"device":"7","level":1,"start_unix_ms":5000},
    {"device":"7","level":1,"start_unix_ms":12000},
    {"device":"7","level":2,"start_unix_ms":12100,"suspected":"bearing-wear","evidence":"x up"},
    {"device":"7","level":2,"start_unix_ms":14000,"suspected":"unclear","evidence":""},
    {"device":"other","level":1,"start_unix_ms":30000}],
  "fixed_limit":[
    {"channel":"current","start_unix_ms":6000},
    {"channel":"current","start_unix_ms":7000},
    {"channel":"sound","start_unix_ms":33000}],
  "loop":{"readings":240,"duplicates":1,"gaps_declared":2,"missed_bytes":3},
  "judgement":"what the last model changed"})";
constexpr const char* account = R"({"faults":[
  {"kind":"bearing-wear","onset_unix_ms":10000,"failure_unix_ms":20000,"end_unix_ms":15000},
  {"kind":"overload","onset_unix_ms":31000,"failure_unix_ms":41000,"end_unix_ms":0}]})";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Report, SetsMissesBesideHitsForStatorAndForTheFixedLimit) {
    const std::string text = report(overview, account, "", {.wall_s = 50, .acceleration = 40});
    EXPECT_TRUE(text.starts_with("THE LOOP CLOSED\n")) << text;
    const auto ours =
        text.find("Stator, level 1              missed faults 1, false alarm events 1");
    const auto theirs =
        text.find("fixed limit, raw channels    missed faults 1, false alarm events 2");
    ASSERT_NE(ours, std::string::npos) << text;
    ASSERT_NE(theirs, std::string::npos) << text;
    const std::string of_ours = text.substr(ours, theirs - ours);
    const std::string of_theirs = text.substr(theirs);
    // 2 s of ours after the onset are 80 s of the motor's, and 8 s before its failure are 320 s.
    EXPECT_TRUE(has(of_ours, "bearing-wear: found 80 s after its onset, 320 s before failure"))
        << text;
    EXPECT_TRUE(has(of_ours, "overload: MISSED")) << text;
    EXPECT_TRUE(has(of_theirs, "bearing-wear: MISSED")) << text;
    EXPECT_TRUE(has(of_theirs, "overload: found 80 s after its onset")) << text;
    EXPECT_TRUE(has(text, "readings 240, duplicates 1, gaps declared 2, bytes missed by the page 3")
    );
    EXPECT_TRUE(has(text, "what the last model changed"));
    EXPECT_TRUE(has(text, "SIMULATED, 40 x time"));
}

TEST(Report, SetsWhatWasSuspectedBesideWhatItWas) {
    const auto of = [](const char* kind, std::int64_t onset_unix_ms) {
        const std::string faults = fmt::format(
            R"({{"faults":[{{"kind":"{}","onset_unix_ms":{},"end_unix_ms":15000}}]}})",
            kind,
            onset_unix_ms
        );
        return report(overview, faults, "", {});
    };
    const std::string right = of("bearing-wear", 10'000);
    EXPECT_TRUE(
        has(right, "bearing-wear: suspected bearing-wear (x up): right; unclear: not named\n")
    ) << right;
    EXPECT_TRUE(has(of("overload", 10'000), "overload: suspected bearing-wear (x up): WRONG; "));
    EXPECT_TRUE(has(of("overload", 14'500), "overload: suspected nothing: no alarm of level 2\n"));
}

TEST(Report, CallsAnAlarmFalseThatComesBeforeTheOnsetOrAfterTheRepair) {
    const std::string early = R"({"faults":[
      {"kind":"imbalance","onset_unix_ms":5001,"failure_unix_ms":9000,"end_unix_ms":11999}]})";
    const std::string text = report(overview, early, "", {});
    EXPECT_TRUE(has(text, "Stator, level 1              missed faults 1, false alarm events 2"))
        << text;
}

TEST(Report, OfAMotorWithoutFaultsCountsEveryAlarmAsFalse) {
    const std::string text = report(overview, R"({"faults":[]})", "", {});
    EXPECT_TRUE(has(text, "Stator, level 1              missed faults 0, false alarm events 2"))
        << text;
}

TEST(Report, NamesTheStepThatFailedAndTheStepsThatWereNotReached) {
    const std::string text = report(overview, account, "step 2 was not reached in 60 s", {});
    EXPECT_TRUE(text.starts_with("THE LOOP DID NOT CLOSE\nstep 2 was not reached in 60 s\n"));
    EXPECT_TRUE(has(text, "  1 at    2.0 s, took   2.0 s: The device")) << text;
    EXPECT_TRUE(has(text, "  2 NOT REACHED:                The log")) << text;
}

TEST(Report, SaysSoWhenTheConsoleCouldNotBeRead) {
    EXPECT_TRUE(has(report("", "", "x", {}), "the console could not be read"));
}

}  // namespace
}  // namespace stator::story
