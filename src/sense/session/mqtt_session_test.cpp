#include "sense/session/mqtt_session.h"

#include "sense/session/fake_socket_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace stator::session {
namespace {

using namespace std::string_literals;
using Kind = hal::LinkEvent::Kind;

const std::string connack = "\x20\x03\x00\x00\x00"s;

struct Heard {
    Kind kind;
    std::uint32_t id;
    std::string topic;
    std::string payload;
};

class MqttSessionTest : public testing::Test {
  protected:
    MqttSessionTest() {
        EXPECT_TRUE(session.subscribe("control-message"));
        EXPECT_TRUE(session.subscribe("stator/devices/d1/command"));
    }

    std::vector<Heard> turn(int turns = 20) {
        std::vector<Heard> heard;
        for (int i = 0; i < turns; ++i) {
            hal::LinkEvent event;
            if (session.poll(event))
                heard.push_back(
                    {event.kind, event.id, std::string{event.topic}, std::string{event.payload}}
                );
        }
        return heard;
    }

    void connect() {
        static_cast<void>(turn(3));
        socket.coming += connack;
        const auto heard = turn();
        ASSERT_EQ(heard.size(), 1U);
        ASSERT_EQ(heard[0].kind, Kind::connected);
        socket.sent.clear();
    }

    FakeSocket socket;
    FakeClock clock;
    FakeChance chance;
    std::array<std::uint8_t, 2048> packet{};
    MqttSession session{socket, clock, chance, {{10, 0, 2, 2}, 8883, "site"}, "d1", packet};
};

TEST_F(MqttSessionTest, GreetsWithAVersion5ConnectThatSaysHowMuchItTakes) {
    static_cast<void>(turn(3));
    EXPECT_EQ(socket.asked.port, 8883);
    EXPECT_EQ(
        socket.sent,
        "\x10\x17\x00\x04MQTT\x05\x02\x00\x1e\x08\x21\x00\x04\x27\x00\x00\x08\x00\x00\x02"
        "d1"s
    );
}

TEST_F(MqttSessionTest, WithItsBuffersFullItReadsNothingAndStaysConnected) {
    connect();
    socket.takes_at_once = 0;  // the network takes no more
    while (session.publish("t", std::string(1000, 'p')))
        continue;
    while (session.publish("t", ""))
        continue;
    socket.takes_no_empty_read = true;
    for (int i = 0; i < 300; ++i)
        socket.coming += "\x32\x06\x00\x01t\x00\x01\x00"s;  // each asks for an answer
    EXPECT_GT(socket.coming.size(), 2048U);
    std::vector<Heard> heard = turn(1000);
    EXPECT_LT(heard.size(), 300U);
    EXPECT_EQ(socket.state, Socket::State::open);
    socket.takes_at_once = 100'000;
    std::ranges::move(turn(1000), std::back_inserter(heard));
    EXPECT_EQ(std::ranges::count(heard, Kind::message, &Heard::kind), 300);
    EXPECT_EQ(heard.size(), 300U);
    EXPECT_TRUE(socket.coming.empty());
}

TEST_F(MqttSessionTest, AsksTheBrokerToKeepWhatComesWhileItIsAway) {
    MqttSession kept{socket, clock, chance, {{10, 0, 2, 2}, 8883, "site"}, "d1", packet, 86'400};
    hal::LinkEvent event;
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(kept.poll(event));
    EXPECT_EQ(
        socket.sent,
        "\x10\x1c\x00\x04MQTT\x05\x00\x00\x1e\x0d\x21\x00\x04\x27\x00\x00\x08\x00"
        "\x11\x00\x01\x51\x80\x00\x02"
        "d1"s
    );
}

TEST_F(MqttSessionTest, SubscribesAgainAfterEachConnect) {
    for (int round = 0; round < 2; ++round) {
        static_cast<void>(turn(3));
        socket.sent.clear();
        socket.coming += connack;
        ASSERT_EQ(turn().size(), 1U);
        EXPECT_NE(socket.sent.find("control-message\x01"), std::string::npos);
        EXPECT_NE(socket.sent.find("stator/devices/d1/command\x01"), std::string::npos);
        socket.break_off("gone");
        const auto heard = turn(1);
        ASSERT_EQ(heard.size(), 1U);
        EXPECT_EQ(heard[0].kind, Kind::disconnected);
        EXPECT_EQ(heard[0].payload, "gone");
        clock.now_us += 20'000'000;
    }
}

TEST_F(MqttSessionTest, NothingIsPublishedBeforeTheBrokerLetsItIn) {
    EXPECT_EQ(session.publish("t", "p").error(), base::Fault::again);
    static_cast<void>(turn(3));
    EXPECT_EQ(session.publish("t", "p").error(), base::Fault::again);
}

TEST_F(MqttSessionTest, APublishIsOfQos1AndItsAcknowledgementNamesIt) {
    connect();
    const auto id = session.publish("topic", "payload");
    ASSERT_TRUE(id);
    static_cast<void>(turn(1));
    const auto low = static_cast<char>(*id & 0xFFU);
    EXPECT_EQ(socket.sent, "\x32\x11\x00\x05topic\x00"s + low + "\x00payload"s);
    socket.coming += "\x40\x02\x00"s + low;
    socket.coming += "\x40\x03\x00"s + low + "\x87";  // not authorised
    const auto heard = turn();
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[0].kind, Kind::acknowledged);
    EXPECT_EQ(heard[0].id, *id);
    EXPECT_EQ(heard[1].kind, Kind::refused);
}

TEST_F(MqttSessionTest, AMessageOfQos1IsHandedOverAndAcknowledged) {
    connect();
    socket.coming += "\x32\x0A\x00\x03top\x01\x02\x00hi"s;
    const auto heard = turn();
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard[0].kind, Kind::message);
    EXPECT_EQ(heard[0].topic, "top");
    EXPECT_EQ(heard[0].payload, "hi");
    EXPECT_EQ(socket.sent, "\x40\x02\x01\x02"s);
}

TEST_F(MqttSessionTest, PiecesOfAnySizeMakeTheSameMessages) {
    for (std::size_t size = 1; size < 12; ++size) {
        connect();
        socket.gives_at_once = size;
        socket.takes_at_once = size;
        socket.coming += "\x32\x0A\x00\x03top\x01\x02\x00hi"s;
        socket.coming += "\x30\x08\x00\x03two\x00he"s;
        const auto heard = turn(60);
        ASSERT_EQ(heard.size(), 2U) << size;
        EXPECT_EQ(heard[0].payload, "hi");
        EXPECT_EQ(heard[1].topic, "two");
        EXPECT_EQ(socket.sent, "\x40\x02\x01\x02"s);
        socket.gives_at_once = socket.takes_at_once = 100'000;
        socket.break_off("again");
        static_cast<void>(turn(1));
        clock.now_us += 20'000'000;
    }
}

TEST_F(MqttSessionTest, APacketLargerThanItsBufferEndsTheConnection) {
    connect();
    socket.coming += "\x30\xFF\x7F"s;
    const auto heard = turn();
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard[0].kind, Kind::disconnected);
    EXPECT_EQ(socket.state, Socket::State::closed);
}

TEST_F(MqttSessionTest, ABrokerThatRefusesIsTriedAgainLaterAndLater) {
    std::vector<std::int64_t> pauses;
    std::int64_t last_us = 0;
    int connects = 0;
    for (int i = 0; i < 60'000 && pauses.size() < 8; ++i) {
        static_cast<void>(turn(1));
        if (socket.connects > connects) {
            connects = socket.connects;
            if (connects > 1) pauses.push_back(clock.now_us - last_us);
            last_us = clock.now_us;
            socket.coming = "\x20\x03\x00\x87\x00"s;
        }
        clock.now_us += 1'000;
    }
    ASSERT_EQ(pauses.size(), 8U);
    EXPECT_LE(pauses.front(), 110'000);
    EXPECT_GE(pauses.back(), 5'000'000);
    EXPECT_LE(pauses.back(), 10'100'000);
    EXPECT_FALSE(session.reason().empty());
}

TEST_F(MqttSessionTest, WithoutAClockNothingIsAsked) {
    socket.no_clock = true;
    EXPECT_TRUE(turn().empty());
    EXPECT_EQ(session.reason(), "no clock yet");
}

TEST_F(MqttSessionTest, ABrokerThatIsSilentIsAskedAndThenLeft) {
    connect();
    clock.now_us += 11'000'000;
    EXPECT_TRUE(turn(2).empty());
    EXPECT_EQ(socket.sent, "\xC0\x00"s);
    clock.now_us += 25'000'000;
    const auto heard = turn(1);
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard[0].kind, Kind::disconnected);
    EXPECT_EQ(heard[0].payload, "the broker is silent");
}

TEST_F(MqttSessionTest, NoBytesOfABrokerBreakIt) {
    const std::string good = connack + "\x90\x05\x00\x01\x00\x01\x01"s +
                             "\x32\x0A\x00\x03top\x01\x02\x00hi"s + "\x40\x02\x00\x02"s +
                             "\xD0\x00"s + "\x30\x0A\x00\x03two\x02\x26\x01hey"s;
    std::mt19937 random{5};
    std::map<Kind, int> told;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = good;
        for (unsigned i = 0; i <= random() % 4; ++i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        if (random() % 3 == 0) bytes.resize(random() % bytes.size());
        socket.coming = bytes;
        socket.gives_at_once = 1 + random() % 40;
        for (const auto& heard : turn(12)) {
            EXPECT_LE(heard.topic.size() + heard.payload.size(), good.size());
            ++told[heard.kind];
        }
        socket.break_off("next");
        static_cast<void>(turn(1));
        clock.now_us += 20'000'000;
    }
    for (const Kind kind : {Kind::connected, Kind::disconnected, Kind::acknowledged, Kind::message})
        EXPECT_GT(told[kind], 1'000) << static_cast<int>(kind);
    connect();
    socket.coming += "\x32\x0A\x00\x03top\x01\x02\x00hi"s;
    EXPECT_EQ(turn().size(), 1U) << "and it goes on";
}

}  // namespace
}  // namespace stator::session
