#include "act/console/feed.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::console {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::int64_t interval_us = 200'000;

// The pages' side of the http door: what each was sent, and one that has gone.
struct Pages final : http::Server {
    [[nodiscard]] std::uint16_t port() const override { return 1; }

    bool poll(std::int64_t /*timeout_us*/) override { return false; }

    http::StreamId new_stream() override { return ++last; }

    bool push(http::StreamId stream, std::string_view bytes) override {
        if (stream == gone) return false;
        sent[stream].emplace_back(bytes);
        return true;
    }

    http::StreamId last = 0;
    http::StreamId gone = 0;
    std::map<http::StreamId, std::vector<std::string>> sent;
};

class FeedTest : public testing::Test {
  protected:
    void read(const std::string& payload, const std::string& topic = telemetry) {
        feed.on_record({.receive_unix_ms = 5, .topic = topic, .payload = payload});
    }

    void send(const std::string& overview) {
        feed.send(pages, overview, now_us);
        now_us += interval_us;
    }

    static constexpr const char* telemetry = "shaded-pole-motor-sensor_data";
    static constexpr const char* alert = "motor-failure-alert-level2-inference";
    std::int64_t now_us = interval_us;
    Pages pages;
    Feed feed{wire::Topics{}};
};

TEST_F(FeedTest, KeepsTheLastOfEachDeviceWithItsChannelsOnly) {
    read(R"({"deviceID":"7","timeStamp":"1700","current":0.5,"boot":3,"seq":9,"inference":0.25})");
    read(R"({"deviceID":"7","timeStamp":1800,"current":0.75,"alarm":false,"model":"m"})");
    read(R"({"deviceID":"8","timeStamp":"yesterday","sound":1})");
    ASSERT_THAT(feed.sensors(), SizeIs(2));
    const Sensor& seven = feed.sensors().at("7");
    EXPECT_EQ(seven.last_unix_ms, 1800);
    EXPECT_EQ(seven.readings, 2U);
    EXPECT_THAT(seven.values, ElementsAre(testing::Pair("current", 0.75)));
    EXPECT_FALSE(seven.level1);
    EXPECT_EQ(feed.sensors().at("8").last_unix_ms, 5) << "when it was received";
}

TEST_F(FeedTest, APageIsToldTheOverviewAtOnceAndThenWhenItChanges) {
    EXPECT_EQ(feed.open(pages).headers.at("Content-Type"), "text/event-stream");
    send("one");
    send("one");
    send("two");
    EXPECT_THAT(
        pages.sent[1],
        ElementsAre("event: overview\ndata: one\n\n", "event: overview\ndata: two\n\n")
    );
    std::ignore = feed.open(pages);
    send("two");
    EXPECT_THAT(pages.sent[1], SizeIs(2));
    EXPECT_THAT(pages.sent[2], ElementsAre("event: overview\ndata: two\n\n"));
}

TEST_F(FeedTest, ReadingsAreGatheredAndAFloodIsBounded) {
    std::ignore = feed.open(pages);
    send("");
    for (int i = 0; i < 500; ++i)
        read(fmt::format(R"({{"deviceID":"7","timeStamp":"{}","current":0.5}})", i));
    feed.send(pages, "", now_us - interval_us + 1);
    EXPECT_THAT(pages.sent[1], SizeIs(1)) << "not so soon";
    send("");
    ASSERT_THAT(pages.sent[1], SizeIs(2));
    const std::string& batch = pages.sent[1].back();
    EXPECT_THAT(batch, HasSubstr("event: readings\ndata: ["));
    EXPECT_THAT(batch, HasSubstr(R"("at_unix_ms":499)")) << "the newest";
    EXPECT_THAT(batch, Not(HasSubstr(R"("at_unix_ms":299,)"))) << "the oldest are left out";
    send("");
    EXPECT_THAT(pages.sent[1], SizeIs(2)) << "each once";
}

TEST_F(FeedTest, WithoutAPageNothingIsKeptForOne) {
    read(R"({"deviceID":"7","timeStamp":"1","current":0.5})");
    std::ignore = feed.open(pages);
    send("o");
    EXPECT_THAT(pages.sent[1], ElementsAre("event: overview\ndata: o\n\n"));
}

TEST_F(FeedTest, APageThatHasGoneIsForgottenAndAQuietOneHearsABeat) {
    std::ignore = feed.open(pages);
    std::ignore = feed.open(pages);
    send("o");
    pages.gone = 2;
    for (int i = 0; i < 60; ++i)
        send("o");
    EXPECT_EQ(feed.pages(), 1U);
    EXPECT_THAT(pages.sent[1], ElementsAre(HasSubstr("overview"), ": still here\n\n"));
}

TEST_F(FeedTest, HundredsOfStrangersAndGarbageCostNothing) {
    for (int i = 0; i < 1000; ++i) {
        read(fmt::format(R"({{"deviceID":"d{}","current":1}})", i));
        read(fmt::format(R"({{"deviceID":"d{}","inference":0.5}})", i), alert);
    }
    EXPECT_THAT(feed.sensors(), SizeIs(200));
    EXPECT_EQ(feed.level2("d199"), 0.5);
    EXPECT_FALSE(feed.level2("d200"));
    for (const char* payload : {"", "{", "[]", R"({"deviceID":7})", R"({"current":1})", "\xFF"})
        read(payload);
    read(R"({"deviceID":"x","current":1})", "control-message");
    EXPECT_THAT(feed.sensors(), SizeIs(200));
    EXPECT_THAT(pages.sent, IsEmpty());
}

}  // namespace
}  // namespace stator::console
