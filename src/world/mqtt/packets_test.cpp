#include "world/mqtt/packets.h"

#include <gtest/gtest.h>

#include <random>

namespace stator::mqtt {
namespace {

using namespace std::string_literals;

RawPacket cut(std::string_view bytes) {
    const auto packet = cut_packet(bytes, 1U << 20U);
    EXPECT_TRUE(packet && *packet);
    return packet && *packet ? **packet : RawPacket{};
}

TEST(Packets, APublishIsReadWithItsFlags) {
    const std::string bytes =
        "\x3B\x0C\x00\x03"
        "a/b\x00\x0A"
        "hello"s;
    const auto publish = parse_publish(cut(bytes), 4);
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->topic, "a/b");
    EXPECT_EQ(publish->payload, "hello");
    EXPECT_EQ(publish->packet, 10);
    EXPECT_EQ(publish->qos, 1);
    EXPECT_TRUE(publish->duplicate);
    EXPECT_TRUE(publish->retain);
}

TEST(Packets, ThePropertiesOfMqtt5ArePassedOver) {
    const std::string bytes =
        "\x32\x11\x00\x03"
        "a/b\x00\x0A\x04\x01\x01\x23\x01"
        "hello"s;
    const auto publish = parse_publish(cut(bytes), 5);
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->payload, "hello");
    EXPECT_FALSE(publish->duplicate);
}

TEST(Packets, APacketThatIsNotAllThereIsWaitedForAndOneThatIsTooLongRefused) {
    const std::string bytes =
        "\x32\x0C\x00\x03"
        "a/b\x00\x0A"
        "hello"s;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto part = cut_packet(std::string_view{bytes}.substr(0, size), 1000);
        ASSERT_TRUE(part) << size;
        EXPECT_FALSE(*part) << size;
    }
    EXPECT_FALSE(cut_packet("\x32\xFF\xFF\xFF\x7F"s, 1000));
    EXPECT_FALSE(cut_packet("\x32\xFF\xFF\xFF\xFF\x01"s, 1000));
}

TEST(Packets, AConnackSaysWelcomeSessionAndKeepAlive) {
    const auto old = parse_connack(cut("\x20\x02\x01\x00"s), 4);
    ASSERT_TRUE(old);
    EXPECT_TRUE(old->session_present);
    const auto made = parse_connack(cut("\x20\x09\x00\x87\x06\x21\x00\x14\x13\x00\x3C"s), 5);
    ASSERT_TRUE(made);
    EXPECT_FALSE(made->session_present);
    EXPECT_EQ(made->reason, 0x87);
    EXPECT_EQ(made->keep_alive_s, 60);
    EXPECT_FALSE(parse_connack(cut("\x20\x04\x00\x00\x01\x7B"s), 5)) << "no such property";
}

TEST(Packets, AConnectAsksForASessionThatStays) {
    Options options;
    options.client_id = "c";
    options.clean_session = false;
    options.keep_alive_s = 20;
    options.credentials.username = "u";
    options.credentials.password = "p";
    EXPECT_EQ(
        make_connect(options, {.receive_max = 5, .session_s = 258, .packet_bytes_max = 1000}),
        "\x10\x21\x00\x04MQTT\x05\xC0\x00\x14"
        "\x0D\x11\x00\x00\x01\x02\x21\x00\x05\x27\x00\x00\x03\xE8"
        "\x00\x01"
        "c\x00\x01u\x00\x01p"s
    );
    options.protocol_version = 4;
    options.credentials = {};
    EXPECT_EQ(
        make_connect(options, {}),
        "\x10\x0D\x00\x04MQTT\x04\x00\x00\x14\x00\x01"
        "c"s
    );
    EXPECT_EQ(make_puback(0x0102), "\x40\x02\x01\x02"s);
    EXPECT_EQ(
        make_subscribe(1, {"a/+"}, 1, 4),
        "\x82\x08\x00\x01\x00\x03"
        "a/+\x01"s
    );
    EXPECT_EQ(
        make_subscribe(1, {"a/+"}, 1, 5),
        "\x82\x09\x00\x01\x00\x00\x03"
        "a/+\x21"s
    );
}

TEST(Packets, AMutatedStreamIsReadWithoutLookingPastItsEnd) {
    std::mt19937 random{3};
    const std::string good =
        "\x20\x09\x00\x00\x06\x21\x00\x14\x13\x00\x3C"
        "\x90\x04\x00\x01\x00\x01"
        "\x32\x11\x00\x03"
        "a/b\x00\x0A\x04\x01\x01\x23\x01"
        "hello"s;
    std::size_t read = 0;
    for (int i = 0; i < 10'000; ++i) {
        std::string bytes = good;
        for (auto n = random() % 4; n > 0; --n)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        // On the heap and exactly so long: the sanitizer sees every step too far.
        const std::vector<char> exact{bytes.begin(), bytes.end()};
        std::string_view rest{exact.data(), exact.size()};
        for (;;) {
            const auto packet = cut_packet(rest, 1000);
            if (!packet || !*packet) break;
            for (const int version : {4, 5}) {
                if (const auto publish = parse_publish(**packet, version)) {
                    EXPECT_TRUE(rest.substr(0, (*packet)->size).ends_with(publish->payload));
                    ++read;
                }
                static_cast<void>(parse_connack(**packet, version));
                static_cast<void>(parse_suback(**packet, version));
            }
            rest.remove_prefix((*packet)->size);
        }
    }
    EXPECT_GT(read, 2000U);
}

}  // namespace
}  // namespace stator::mqtt
