#include "decide/line/line.h"

#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/sockets/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::line {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LineTest : public testing::Test {
  protected:
    LineTest() { open(); }

    void open() {
        line.reset();
        line = Line::open(doors, sockets, options, [this](std::string_view json) {
                   asked.emplace_back(json);
                   return write_answer(0.25F);
               }).value();
    }

    std::unique_ptr<sockets::Connection> client() {
        return sockets.connect("127.0.0.1", options.port).value();
    }

    void run(int turns = 20) {
        for (int i = 0; i < turns; ++i)
            static_cast<void>(line->step());
    }

    std::string talk(sockets::Connection& peer, std::string_view text) {
        EXPECT_EQ(peer.write(text), text.size());
        run();
        return answers(peer);
    }

    static std::string answers(sockets::Connection& peer) {
        std::string got;
        for (auto more = peer.read(got, 4096); more && *more; more = peer.read(got, 4096)) {
        }
        return got;
    }

    static bool closed(sockets::Connection& peer) {
        std::string got;
        const auto more = peer.read(got, 1);
        return !more && more.error().fault == base::Fault::closed;
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk{3};
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt broker{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    doors::Doors doors{clock, disk, chance, broker, http, tls, databases, journal};
    sockets::SimulatedSockets sockets;
    Options options;
    std::vector<std::string> asked;
    std::unique_ptr<Line> line;
};

TEST_F(LineTest, a_client_without_a_newline_is_served_and_may_go_on) {
    const auto peer = client();
    EXPECT_EQ(talk(*peer, R"({"deviceID":"7"})"), "inference value from the edge tpu = 0.25\n");
    EXPECT_EQ(talk(*peer, "{}\n"), "inference value from the edge tpu = 0.25\n");
    EXPECT_EQ(asked, (std::vector<std::string>{R"({"deviceID":"7"})", "{}"}));
}

TEST_F(LineTest, a_message_may_come_byte_by_byte_and_two_at_once) {
    const auto peer = client();
    for (const char c : std::string_view{R"({"a":{"b":"}"}})"})
        talk(*peer, {&c, 1});
    EXPECT_EQ(asked, (std::vector<std::string>{R"({"a":{"b":"}"}})"}));
    talk(*peer, "{}{}");
    EXPECT_EQ(asked.size(), 3U);
}

TEST_F(LineTest, nonsense_is_told_so_and_the_next_message_is_served) {
    const auto peer = client();
    EXPECT_THAT(talk(*peer, "hello\n"), StartsWith("error: "));
    EXPECT_THAT(talk(*peer, "{}"), StartsWith("inference value"));
}

TEST_F(LineTest, an_endless_object_is_told_so_and_closed) {
    const auto peer = client();
    std::string said;
    const std::string some = R"({"a":")" + std::string(1000, 'x');
    for (int i = 0; i < 20 && said.empty(); ++i)
        said = talk(*peer, some);
    EXPECT_THAT(said, HasSubstr("not complete after 8192 bytes"));
    EXPECT_TRUE(closed(*peer));
    EXPECT_FALSE(line->busy());
}

TEST_F(LineTest, white_space_without_end_fills_nothing) {
    const auto peer = client();
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(talk(*peer, std::string(1000, '\n')), "");
    EXPECT_THAT(talk(*peer, "{}"), StartsWith("inference value"));
}

TEST_F(LineTest, more_connections_than_there_may_be_are_told_so_and_cost_the_others_nothing) {
    options.connections_max = 3;
    open();
    std::vector<std::unique_ptr<sockets::Connection>> peers;
    for (int i = 0; i < 5; ++i) {
        peers.push_back(client());
        run(1);
    }
    EXPECT_EQ(answers(*peers[4]), "error: 3 are connected, which is all there may be\n");
    EXPECT_TRUE(closed(*peers[4]));
    EXPECT_THAT(talk(*peers[0], "{}"), StartsWith("inference value"));
    peers.erase(peers.begin());
    run();
    peers.push_back(client());
    EXPECT_THAT(talk(*peers.back(), "{}"), StartsWith("inference value"));
}

TEST_F(LineTest, a_client_that_reads_no_answers_is_no_longer_read) {
    const auto peer = client();
    std::size_t sent = 0;
    for (int i = 0; i < 2000; ++i) {
        sent += peer->write("{}{}{}{}{}{}{}{}{}{}").value();
        run(3);
    }
    EXPECT_LT(sent, 40'000U);
    EXPECT_GT(sent, 1000U);
    const std::size_t before = asked.size();
    answers(*peer);
    run();
    EXPECT_GT(asked.size(), before);
}

TEST_F(LineTest, who_says_nothing_is_closed_in_time) {
    const auto peer = client();
    run();
    EXPECT_TRUE(line->busy());
    clock.wait_us(options.silence_us_max + 1);
    run();
    EXPECT_FALSE(line->busy());
    EXPECT_TRUE(closed(*peer));
}

TEST_F(LineTest, a_port_that_is_taken_is_an_error_that_names_it) {
    const auto other = Line::open(doors, sockets, options, {});
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error().what, HasSubstr("9898"));
}

}  // namespace
}  // namespace stator::line
