#include "learn/extract/extract.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

namespace stator::extract {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

asset::Asset pump() {
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "pump-1";
    asset.device = "7";
    EXPECT_TRUE(asset.features.resize(2));  // current, temperature
    return asset;
}

TEST(Extract, OnlyTheDevicesOwnRowsWithAllFeaturesCount) {
    const auto rows = rows_of(
        "timeStamp,deviceID,temperature,current\r\n"
        "30,7,41,0.5\r\n"
        "10,7,40,0.25\r\n"
        "20,8,40,0.5\r\n"
        "40,7,,0.5\r\n"
        "50,7,nan,0.5\r\n"
        "60,7,4O,0.5\r\n"
        "x,7,40,0.5\r\n",
        pump()
    );
    ASSERT_TRUE(rows) << rows.error().what;
    ASSERT_THAT(*rows, SizeIs(2));
    EXPECT_EQ((*rows)[0].time_unix_ms, 10);
    EXPECT_THAT((*rows)[0].features, testing::ElementsAre(0.25F, 40.0F));
}

TEST(Extract, AMissingColumnIsNamed) {
    const auto rows = rows_of("deviceID,timeStamp,current\n7,1,2\n", pump());
    ASSERT_FALSE(rows);
    EXPECT_THAT(rows.error().what, HasSubstr("temperature"));
    // A file of other machines is none of our business.
    EXPECT_TRUE(rows_of("deviceID,timeStamp,pressure\n8,1,2\n", pump()));
}

TEST(Extract, ATornTableIsRefusedWithItsLine) {
    const auto table = read_csv("a,b\n1,2\n3\n");
    ASSERT_FALSE(table);
    EXPECT_THAT(table.error().what, HasSubstr("line 3"));
    EXPECT_FALSE(read_csv(""));
    EXPECT_FALSE(read_csv("\n\n"));
}

TEST(Extract, ANormalisedCsvReadsBackAsThePhysicalValues) {
    const asset::Asset asset = pump();
    std::vector<runs::Row> rows;
    for (int i = 0; i < 50; ++i)
        rows.push_back(
            {.time_unix_ms = i,
             .features = {0.1F * static_cast<float>(i % 7), 40.0F + static_cast<float>(i)}}
        );
    const std::vector<runs::Row> fault{{.time_unix_ms = 99, .features = {9.0F, 90.0F}}};
    const Constants constants = constants_of(rows, 2);
    const std::string csv = normalised_csv(asset, constants, rows, fault);
    EXPECT_TRUE(csv.starts_with("current,temperature,label\n"));
    const auto back = read_normalised(
        csv, asset, {.name = "n", .asset = "pump-1", .mean = constants.mean, .sd = constants.sd}
    );
    ASSERT_TRUE(back) << back.error().what;
    ASSERT_THAT(back->healthy, SizeIs(50));
    ASSERT_THAT(back->fault, SizeIs(1));
    for (std::size_t i = 0; i < 50; ++i)
        for (std::size_t k = 0; k < 2; ++k)
            EXPECT_NEAR(back->healthy[i].features[k], rows[i].features[k], 1e-5F);
    EXPECT_NEAR(back->fault[0].features[1], 90.0F, 1e-4F);
}

TEST(Extract, AValueBeyondAllMeasureStaysANumber) {
    const asset::Asset asset = pump();
    std::vector<runs::Row> rows(50, {.time_unix_ms = 0, .features = {1.0F, 40.0F}});
    const Constants constants = constants_of(rows, 2);
    const std::vector<runs::Row> fault{{.time_unix_ms = 1, .features = {3e38F, -3e38F}}};
    const auto back = read_normalised(
        normalised_csv(asset, constants, rows, fault),
        asset,
        {.name = "n", .asset = "pump-1", .mean = constants.mean, .sd = constants.sd}
    );
    ASSERT_TRUE(back) << back.error().what;
    ASSERT_THAT(back->fault, SizeIs(1));
    // Standardised they are more than a float holds: the largest one is what comes back.
    ASSERT_LT(constants.sd[0], 1.0F);
    ASSERT_LT(constants.sd[1], 0.5F);
    EXPECT_FLOAT_EQ(back->fault[0].features[0], 3.4028235e38F * constants.sd[0]);
    EXPECT_FLOAT_EQ(back->fault[0].features[1], -3.4028235e38F * constants.sd[1]);
}

TEST(Extract, NoMutationOfACsvIsReadAsMoreThanItHolds) {
    const std::string good = "deviceID,timeStamp,current,temperature\n7,1,0.5,40\n7,2,0.6,41\n";
    const auto whole = rows_of(good, pump());
    ASSERT_TRUE(whole);
    ASSERT_THAT(*whole, SizeIs(2));
    const auto values_changed = [&](const runs::Row& row) {
        int least = 3;
        for (const runs::Row& one : *whole)
            least = std::min(
                least,
                (row.time_unix_ms != one.time_unix_ms ? 1 : 0) +
                    (row.features[0] != one.features[0] ? 1 : 0) +
                    (row.features[1] != one.features[1] ? 1 : 0)
            );
        return least;
    };
    int refused = 0;
    int of_both = 0;
    int of_fewer = 0;
    for (std::size_t at = 0; at < good.size(); ++at)
        for (const char c : {',', '\n', '\r', '"', '\0', '-', 'e', '9', '\xff'}) {
            std::string bad = good;
            bad[at] = c;
            const auto rows = rows_of(bad, pump());
            if (!rows) {
                ++refused;
                continue;
            }
            ASSERT_LE(rows->size(), 2U);
            int changed = 0;
            for (const auto& row : *rows) {
                ASSERT_THAT(row.features, SizeIs(2));
                changed += values_changed(row);
            }
            ASSERT_LE(changed, 1) << bad;
            (rows->size() == 2 ? of_both : of_fewer) += 1;
        }
    EXPECT_GT(refused, 100);
    EXPECT_GT(of_both, 20);
    EXPECT_GT(of_fewer, 50);
}

}  // namespace
}  // namespace stator::extract
