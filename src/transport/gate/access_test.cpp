#include "transport/gate/access.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stator::gate {

namespace {

TEST(Access, is_the_table_and_nothing_else) {
    const wire::Topics topics;

    struct Row {
        std::string topic;
        std::string publishers;
        std::string readers;
    };

    // Written out by hand from the contract: s sensor, a actor, 2 level2, v service, w viewer, o
    // adopter.
    const std::vector<Row> rows{
        {std::string{topics.data.view()}, "savo", "2vw"},
        {std::string{topics.inference.view()}, "savo", "vw"},
        {std::string{topics.alert.view()}, "2v", "avw"},
        {std::string{topics.control.view()}, "v", "sa2vw"},
        {"stator/devices/me/command", "v", "sa2vw"},
        {"stator/devices/me/stored", "", "sa2vw"},
        {"stator/devices/me/event", "sa2v", "vw"},
        {"stator/devices/me/waveform", "sa", "vw"},
        {"stator/devices/other/waveform", "", "vw"},
        {"stator/devices/other/command", "v", "vw"},
        {"stator/devices/other/stored", "", "vw"},
        {"stator/devices/other/event", "v", "vw"},
        {"stator/presence/me", "", "vw"},
        {"some/other/topic", "", "vw"},
        {"$SYS/broker/uptime", "", "vw"},
        {"#", "", "vw"},
        {"+", "", "vw"},
        {"stator/devices/+/command", "", "vw"},
        {"stator/devices/me/#", "", "vw"},
        {"$share/g/shaded-pole-motor-sensor_data", "", "vw"},
        {"", "", "vw"},
    };
    const std::string letters = "sa2vwo";
    for (const Row& row : rows)
        for (std::size_t i = 0; i < letters.size(); ++i) {
            const auto role = static_cast<Role>(i);
            const auto place = topics.place_of(row.topic);
            const auto has = [&](const std::string& set) {
                return set.find(letters[i]) != std::string::npos;
            };
            EXPECT_EQ(may_publish(role, "me", place), has(row.publishers))
                << name_of(role) << " publishes " << row.topic;
            EXPECT_EQ(may_subscribe(role, "me", topics, row.topic), has(row.readers))
                << name_of(role) << " subscribes " << row.topic;
        }
}

TEST(Access, reads_only_a_uri_of_ours) {
    ASSERT_TRUE(parse_uri("urn:stator:actor:14333616"));
    EXPECT_EQ(parse_uri("urn:stator:actor:14333616")->role, Role::actor);
    for (const char* wrong :
         {"",
          "urn:stator:",
          "urn:stator:actor",
          "urn:stator:actor:",
          "urn:stator:admin:1",
          "urn:other:actor:1",
          "urn:stator:actor:a/b",
          "urn:stator:actor:a:b",
          "urn:stator:actor:#",
          "URN:STATOR:actor:1",
          " urn:stator:actor:1"})
        EXPECT_FALSE(parse_uri(wrong)) << wrong;
}

}  // namespace

}  // namespace stator::gate
