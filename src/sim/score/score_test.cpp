#include "sim/score/score.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>

namespace stator::score {
namespace {

std::vector<bool> rows(std::string_view digits) {
    std::vector<bool> made;
    for (const char digit : digits)
        made.push_back(digit == '1');
    return made;
}

TEST(Score, CountsRowsAfterTheWarmUpOnly) {
    //                               warm|
    const Score score = judge(
        rows("1111"
             "0010"
             "0111"),
        rows("0101"
             "0000"
             "1111"),
        4
    );
    EXPECT_EQ(score.counts.true_positives, 3U);
    EXPECT_EQ(score.counts.true_negatives, 3U);
    EXPECT_EQ(score.counts.false_positives, 1U);
    EXPECT_EQ(score.counts.false_negatives, 1U);
    EXPECT_DOUBLE_EQ(score.counts.f1(), 6.0 / 8.0);
    EXPECT_DOUBLE_EQ(score.counts.false_alarm_rate_percent(), 25.0);
    EXPECT_DOUBLE_EQ(score.counts.missed_alarm_rate_percent(), 25.0);
    EXPECT_EQ(score.false_alarm_events, 1U);
    EXPECT_TRUE(score.detected);
    EXPECT_EQ(score.delay_rows, 1U);
}

TEST(Score, CountsARunOfPredictionOnceAndOnlyWhereItBegins) {
    // One run outside, one that begins inside and outlasts the label, one that begins too early.
    const Score score = judge(
        rows("0110"
             "0011"
             "1100"
             "0111"),
        rows("0000"
             "0111"
             "1000"
             "0011"),
        0
    );
    EXPECT_EQ(score.false_alarm_events, 2U);
    EXPECT_EQ(score.delay_rows, 1U);
}

TEST(Score, TellsNothingToFindFromNotFound) {
    const Score calm = judge(rows("0000"), rows("0000"), 0);
    EXPECT_FALSE(calm.labelled);
    EXPECT_FALSE(calm.detected);
    EXPECT_EQ(calm.counts.f1(), 0.0);
    const Score missed = judge(rows("1000"), rows("0011"), 0);
    EXPECT_TRUE(missed.labelled);
    EXPECT_FALSE(missed.detected);
    EXPECT_FALSE(missed.delay_rows);
    EXPECT_EQ(missed.counts.missed_alarm_rate_percent(), 100.0);
}

TEST(Score, TakesRunsThatLastAtTheWarmUpsEndAsBeginningThere) {
    const Score score = judge(rows("111"), rows("110"), 1);
    EXPECT_EQ(score.delay_rows, 0U);
    EXPECT_EQ(score.false_alarm_events, 0U);
    EXPECT_EQ(judge(rows("11"), rows("00"), 1).false_alarm_events, 1U);
    EXPECT_EQ(judge(rows("11"), rows("11"), 5).counts.true_positives, 0U) << "all is warm-up";
}

TEST(Score, AddsFilesBeforeItDivides) {
    Counts sum = judge(rows("1110"), rows("1100"), 0).counts;
    sum += judge(rows("0001"), rows("1111"), 0).counts;
    EXPECT_DOUBLE_EQ(sum.f1(), 6.0 / 10.0);
}

// The data folder: STATOR_DATA, or ../shared/data beside the repository that this runs in.
std::filesystem::path data_folder() {
    if (const char* said = std::getenv("STATOR_DATA"); said != nullptr) return said;
    std::filesystem::path root = std::filesystem::current_path();
    while (!exists(root / "CMakePresets.json") && root.has_relative_path())
        root = root.parent_path();
    return root.parent_path() / "shared/data";
}

std::vector<bool> labels_of(const std::filesystem::path& csv) {
    std::ifstream file{csv};
    std::string line;
    std::vector<bool> made;
    for (std::getline(file, line); std::getline(file, line);) {
        // ...;anomaly;changepoint
        const std::size_t last = line.rfind(';');
        made.push_back(line[line.rfind(';', last - 1) + 1] == '1');
    }
    return made;
}

std::string output_of(const std::string& command) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{
        popen(command.c_str(), "r"), [](std::FILE* file) { return pclose(file); }
    };
    std::string made;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get()))
        made += static_cast<char>(c);
    return made;
}

TEST(Score, AgreesWithTheBenchmarksOwnScript) {
    const std::filesystem::path skab = data_folder() / "skab";
    if (!exists(skab / "skab_eval.py"))
        GTEST_SKIP() << "not run: no " << skab.string() << "/skab_eval.py (set STATOR_DATA)";
    const std::filesystem::path made = std::filesystem::temp_directory_path() /
                                       fmt::format("stator-score-{}", std::random_device{}());
    create_directories(made);
    std::mt19937 random{7};
    Counts sum;
    std::string names;
    for (const std::string_view name : {"valve1/3", "other/9"}) {
        const std::vector<bool> labels = labels_of(skab / fmt::format("{}.csv", name));
        ASSERT_GT(labels.size(), 500U) << name;
        std::vector<bool> predictions;
        std::string flat{name};
        flat[flat.find('/')] = '_';
        std::ofstream file{made / (flat + ".csv")};
        file << "row,pred\n";
        for (std::size_t row = 0; row < labels.size(); ++row) {
            // Right two times of three.
            predictions.push_back(random() % 3 == 0 ? !labels[row] : labels[row]);
            file << row << ',' << (predictions.back() ? 1 : 0) << '\n';
        }
        sum += judge(predictions, labels, 400).counts;
        names += fmt::format("{}{}", names.empty() ? "" : ",", name);
    }
    const std::string said = output_of(fmt::format(
        "python3 '{}' '{}' '{}' --files {} 2>&1",
        (skab / "skab_eval.py").string(),
        skab.string(),
        made.string(),
        names
    ));
    remove_all(made);
    EXPECT_THAT(
        said,
        testing::HasSubstr(fmt::format(
            "files 2  F1 {:.4f}  FAR {:.2f} %  MAR {:.2f} %   (TP {} TN {} FP {} FN {})",
            sum.f1(),
            sum.false_alarm_rate_percent(),
            sum.missed_alarm_rate_percent(),
            sum.true_positives,
            sum.true_negatives,
            sum.false_positives,
            sum.false_negatives
        ))
    );
}

}  // namespace
}  // namespace stator::score
