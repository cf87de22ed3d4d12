#include "store/datasets/registry.h"

#include "store/identity/site_fixture_test.h"

#include <gmock/gmock.h>

namespace stator::datasets {
namespace {

using Fixture = identity::SiteFixture;
using testing::HasSubstr;

constexpr const char* name = "raw_sensor_training_data_2022-05-06T20:36:11:1651869371000.csv";

TEST(Datasets, what_is_uploaded_is_listed_and_given_back_after_a_restart_too) {
    Fixture world;
    identity::Access access{world.tokens};
    auto registry = Registry::make(world.doors, access, Fixture::state).value();
    EXPECT_EQ(registry->handle(Fixture::upload("/upload", name, "a,b\n1,2\n")).status, 200);
    registry = Registry::make(world.doors, access, Fixture::state).value();
    const std::string path = std::string{"/"} + name;
    const auto file = registry->handle(Fixture::request("GET", path, Fixture::service));
    EXPECT_EQ(file.status, 200);
    EXPECT_EQ(file.body, "a,b\n1,2\n");
    EXPECT_EQ(file.headers.at("Content-Type"), "text/csv; charset=utf-8");
    EXPECT_THAT(
        registry->handle(Fixture::request("GET", "/", Fixture::service)).body,
        HasSubstr("<a href=\"/" + std::string{name} + "\">" + name + "</a>")
    );
}

TEST(Datasets, nobody_gets_nothing) {
    Fixture world;
    identity::Access access{world.tokens};
    auto registry = Registry::make(world.doors, access, Fixture::state).value();
    EXPECT_EQ(registry->handle(Fixture::request("GET", "/")).status, 401);
    EXPECT_EQ(registry->handle(Fixture::upload("/upload", name, "x", "")).status, 401);
    EXPECT_EQ(registry->handle(Fixture::request("GET", "/a/b.csv", Fixture::service)).status, 400);
    EXPECT_EQ(registry->handle(Fixture::request("PUT", "/a.csv", Fixture::service)).status, 405);
}

}  // namespace
}  // namespace stator::datasets
