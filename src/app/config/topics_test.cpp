#include "app/config/topics.h"

#include <gtest/gtest.h>

namespace stator::config {
namespace {

TEST(WireTopics, AreTheConfigurationsNames) {
    Topics topics;
    topics.data = "plant/7/readings";
    topics.control = "plant/7/control";
    const auto made = wire_topics(topics);
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_EQ(made->place_of("plant/7/readings").kind, wire::TopicKind::data);
    EXPECT_EQ(made->place_of("plant/7/control").kind, wire::TopicKind::control);
    EXPECT_EQ(made->place_of("shaded-pole-motor-sensor_data").kind, wire::TopicKind::unknown);
    EXPECT_EQ(made->place_of("motor-anomaly-level1-inference").kind, wire::TopicKind::inference);
}

TEST(WireTopics, AreRefusedWhereABrokerCouldNotKeepThemApart) {
    for (const std::string& name :
         {std::string{},
          std::string{"a/+"},
          std::string{"a/#"},
          std::string{"a b"},
          std::string{"a\nb"},
          std::string{"$SYS/broker"},
          std::string{"stator/devices/x/command"},
          std::string{"control-message"},
          std::string(129, 'a')}) {
        Topics topics;
        topics.data = name;
        const auto made = wire_topics(topics);
        ASSERT_FALSE(made) << name;
        EXPECT_NE(made.error().what.find("topics."), std::string::npos) << made.error().what;
    }
}

}  // namespace
}  // namespace stator::config
