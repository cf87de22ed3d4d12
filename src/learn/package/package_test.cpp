#include "learn/package/package.h"

#include "learn/package/full.h"

#include <gmock/gmock.h>

#include <zip.h>

namespace stator::package {
namespace {

TEST(Package, AZipHoldsItsEntriesAndIsTheSameEachTime) {
    const std::vector<std::pair<std::string, std::string>> entries{
        {"model.tflite", std::string(5000, '\x07')}, {"card.json", R"({"family":"baseline"})"}
    };
    const auto made = zip(entries);
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_EQ(*made, *zip(entries));
    zip_source_t* source = zip_source_buffer_create(made->data(), made->size(), 0, nullptr);
    zip_t* archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, nullptr);
    ASSERT_NE(archive, nullptr);
    EXPECT_EQ(zip_get_num_entries(archive, 0), 2);
    for (const auto& [name, bytes] : entries) {
        zip_file_t* file = zip_fopen(archive, name.c_str(), 0);
        ASSERT_NE(file, nullptr);
        std::string read(bytes.size() + 1, '\0');
        const auto count = zip_fread(file, read.data(), read.size());
        ASSERT_EQ(count, static_cast<zip_int64_t>(bytes.size()));
        read.resize(bytes.size());
        EXPECT_EQ(read, bytes);
        zip_fclose(file);
    }
    zip_discard(archive);
}

TEST(Package, WithoutRowsThereIsNoGoldenSequence) {
    const asset::Asset motor = asset::shaded_pole_motor();
    std::vector<runs::Row> rows;
    for (int i = 0; i < 100; ++i) {
        runs::Row row;
        for (std::size_t k = 0; k < motor.features.size(); ++k)
            row.features.push_back(
                1.0F + 0.01F * static_cast<float>((i * 7 + static_cast<int>(k)) % 11)
            );
        rows.push_back(row);
    }
    const auto trained = train::baseline({}, rows, motor.features.size(), 1, {});
    ASSERT_TRUE(trained);
    EXPECT_FALSE(assemble(motor, *trained, {}, 1));
    auto made = assemble(motor, *trained, rows, 1);
    ASSERT_TRUE(made) << made.error().what;
    const auto text = manifest_json(*made, "2026-11-23-03:00:00-model.tflite", "{}");
    ASSERT_TRUE(text) << text.error().what;
    const auto back = bundle::parse(*text);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->golden.values, made->manifest.golden.values);
    EXPECT_EQ(back->fold.mean, made->manifest.fold.mean);
}

}  // namespace
}  // namespace stator::package
