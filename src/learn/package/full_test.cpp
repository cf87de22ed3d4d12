#include "learn/package/full.h"

#include "learn/package/package.h"
#include "world/json/json.h"

#include <gmock/gmock.h>

namespace stator::package {
namespace {

using testing::HasSubstr;

std::vector<runs::Row> healthy_rows(std::size_t features) {
    std::vector<runs::Row> rows;
    for (int i = 0; i < 100; ++i) {
        runs::Row row;
        for (std::size_t k = 0; k < features; ++k)
            row.features.push_back(
                1.0F + 0.01F * static_cast<float>((i * 7 + static_cast<int>(k)) % 11)
            );
        rows.push_back(row);
    }
    return rows;
}

struct FullModel : testing::Test {
    asset::Asset motor = asset::shaded_pole_motor();
    std::vector<runs::Row> rows = healthy_rows(motor.features.size());
    train::Trained trained = *train::baseline({}, rows, motor.features.size(), 2, {});
    std::string zipped = *write_full(
        motor, {.trained = trained, .level = 2, .data_set = "normalized.csv", .rows = rows.size()}
    );

    // The zip again, one entry of it changed.
    std::string with(const std::string& entry, const std::string& bytes) {
        auto entries = *unzip(zipped, "it");
        entries[entry] = bytes;
        return *zip({entries.begin(), entries.end()});
    }
};

TEST_F(FullModel, ComesBackToTheBitSoThatItQuantisesToTheSameFile) {
    auto back = read_full(zipped, "it.zip");
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(back->level, 2);
    EXPECT_EQ(back->data_set, "normalized.csv");
    EXPECT_EQ(back->rows, rows.size());
    EXPECT_EQ(back->trained.limit, trained.limit);
    EXPECT_EQ(back->trained.p99, trained.p99);
    EXPECT_EQ(back->trained.fold.mean, trained.fold.mean);
    EXPECT_EQ(back->trained.fold.sd, trained.fold.sd);
    EXPECT_EQ(back->trained.fold.window_count, trained.fold.window_count);
    EXPECT_EQ(back->trained.fold.adapt_rate, trained.fold.adapt_rate);
    EXPECT_TRUE(
        *quantise::write_float(back->trained.network) == *quantise::write_float(trained.network)
    );
    back->trained.windows = train::windows_of(rows, back->trained.fold);
    EXPECT_EQ(back->trained.windows, trained.windows);
    const auto now = assemble(motor, back->trained, rows, 2);
    const auto then = assemble(motor, trained, rows, 2);
    ASSERT_TRUE(now && then);
    EXPECT_TRUE(now->tflite == then->tflite);
    EXPECT_EQ(now->manifest.golden.values, then->manifest.golden.values);
    EXPECT_TRUE(zipped == *write_full(motor, *read_full(zipped, "it.zip")));
}

TEST_F(FullModel, IsRefusedWithTheMemberThatIsWrong) {
    const auto network = nlohmann::json::parse(unzip(zipped, "it")->at("network.json"));
    const auto refusal = [&](const auto& spoil) {
        auto changed = network;
        spoil(changed);
        const auto back = read_full(with("network.json", changed.dump()), "it.zip");
        return back ? std::string{"taken"} : back.error().what;
    };
    EXPECT_THAT(refusal([](auto& j) { j.erase("limit"); }), HasSubstr("it.zip: limit"));
    EXPECT_THAT(refusal([](auto& j) { j["inputs"] = "52"; }), HasSubstr("inputs"));
    EXPECT_THAT(refusal([](auto& j) { j["inputs"] = -1; }), HasSubstr("inputs"));
    EXPECT_THAT(refusal([](auto& j) { j["layers"][0]["kind"] = "magic"; }), HasSubstr("magic"));
    EXPECT_THAT(
        refusal([](auto& j) { j["layers"][0]["weights"].erase(0); }), HasSubstr("it.zip: ")
    );
    EXPECT_THAT(refusal([](auto& j) { j["fold"]["sd"][0] = 0; }), HasSubstr("fold"));
    EXPECT_THAT(refusal([](auto& j) { j["fold"]["mean"][0] = nullptr; }), HasSubstr("mean"));
    EXPECT_THAT(refusal([](auto& j) { j["fold"]["window_count"] = 1e9; }), HasSubstr("fold"));
    EXPECT_THAT(refusal([](auto& j) { j = 5; }), HasSubstr("missing or wrong"));
}

TEST_F(FullModel, IsRefusedCutShortOrWithAByteChanged) {
    for (const std::size_t size : {std::size_t{0}, zipped.size() / 2, zipped.size() - 1})
        EXPECT_FALSE(read_full(std::string_view{zipped}.substr(0, size), "it.zip"));
    const std::string network = unzip(zipped, "it")->at("network.json");
    int refused = 0;
    for (std::size_t at = 0; at < zipped.size(); at += zipped.size() / 200) {
        std::string changed = zipped;
        changed[at] = static_cast<char>(changed[at] ^ 0x20);
        const auto entries = unzip(changed, "it.zip");
        refused += entries ? 0 : 1;
        // A byte that no reader looks at (a date, a version) may change; the content may not.
        if (entries && entries->contains("network.json")) {
            EXPECT_TRUE(entries->at("network.json") == network) << at;
        }
    }
    EXPECT_GT(refused, 190);
}

}  // namespace
}  // namespace stator::package
