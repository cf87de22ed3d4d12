#include "sense/session/http_session.h"

#include "sense/session/fake_socket_test.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace stator::session {
namespace {

using base::Fault;

class HttpSessionTest : public testing::Test {
  protected:
    base::Result<hal::FetchReply> ask(std::size_t offset = 0, std::size_t bytes_max = 256) {
        const auto started = session.start({
            .service = hal::Service::models,
            .path = "/quantized/m.tflite",
            .offset = offset,
            .bytes_max = bytes_max,
        });
        if (!started) return std::unexpected{started.error()};
        return poll();
    }

    base::Result<hal::FetchReply> poll() {
        base::Result<hal::FetchReply> reply = std::unexpected{Fault::again};
        for (int i = 0; i < 200 && !reply && reply.error() == Fault::again; ++i)
            reply = session.poll();
        return reply;
    }

    static std::string text(const hal::FetchReply& reply) {
        return {reinterpret_cast<const char*>(reply.bytes.data()), reply.bytes.size()};
    }

    FakeSocket socket;
    FakeClock clock;
    HttpSession session{
        socket, clock, {{10, 0, 2, 2}, 30006, "site"}, {{10, 0, 2, 2}, 30007, "site"}
    };
};

TEST_F(HttpSessionTest, ARangeIsAskedForAndTheFilesSizeTold) {
    socket.coming =
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 5\r\n"
        "Content-Range: bytes 10-14/4000\r\n\r\nhello";
    const auto reply = ask(10, 5);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(text(*reply), "hello");
    EXPECT_EQ(reply->file_bytes, 4000U);
    EXPECT_EQ(socket.asked.port, 30007);
    EXPECT_NE(
        socket.sent.find("GET /quantized/m.tflite HTTP/1.1\r\nHost: site\r\n"), std::string::npos
    );
    EXPECT_NE(socket.sent.find("Range: bytes=10-14\r\n\r\n"), std::string::npos);
}

TEST_F(HttpSessionTest, AnotherRangeThanTheOneAskedForIsNotTakenForIt) {
    for (const char* range : {"bytes 15-19/4000", "bytes 1-5/4000", "bytes */4000", "10-14/4000"}) {
        socket.coming = "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: ";
        socket.coming += std::string{range} + "\r\n\r\nhello";
        EXPECT_FALSE(ask(10, 5)) << range;
        EXPECT_EQ(session.reason(), "an answer that is not understood");
    }
}

TEST_F(HttpSessionTest, ARangeTheServerDoesNotKnowIsCutOutOfTheWhole) {
    socket.coming = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";
    socket.gives_at_once = 3;
    const auto reply = ask(6, 5);
    ASSERT_TRUE(reply);
    EXPECT_EQ(text(*reply), "world");
    EXPECT_EQ(reply->file_bytes, 11U);
}

TEST_F(HttpSessionTest, TheConnectionIsKeptForTheNextQuestionAndClosedWhenNoneComes) {
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    socket.coming = answer;
    ASSERT_TRUE(ask());
    socket.coming = answer;
    ASSERT_TRUE(ask());
    EXPECT_EQ(socket.connects, 1);
    clock.now_us += 3'000'000;
    session.tend();
    EXPECT_EQ(socket.state, Socket::State::closed);
}

TEST_F(HttpSessionTest, AKeptConnectionThatIsGoneIsNoFailure) {
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    socket.coming = answer;
    ASSERT_TRUE(ask());
    socket.ended = true;  // the server has closed it, which shows when it is read
    ASSERT_TRUE(session.start({.path = "/x"}));
    base::Result<hal::FetchReply> reply = std::unexpected{Fault::again};
    for (int i = 0; i < 5 && socket.connects < 2; ++i)
        reply = session.poll();
    EXPECT_EQ(reply.error(), Fault::again);
    EXPECT_EQ(socket.connects, 2);
    socket.ended = false;
    socket.coming = answer;
    EXPECT_TRUE(poll());
}

TEST_F(HttpSessionTest, AnAnswerWithoutALengthIsNotUnderstood) {
    socket.coming = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    EXPECT_EQ(ask().error(), Fault::io);
    EXPECT_EQ(session.reason(), "an answer that is not understood");
}

TEST_F(HttpSessionTest, NoAnswerInTimeIsAFailure) {
    ASSERT_TRUE(session.start({.path = "/x"}));
    EXPECT_EQ(session.poll().error(), Fault::again);
    clock.now_us += 21'000'000;
    EXPECT_EQ(session.poll().error(), Fault::io);
    EXPECT_EQ(session.reason(), "no answer in time");
}

TEST_F(HttpSessionTest, AFormIsPosted) {
    socket.coming = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nTRUE";
    ASSERT_TRUE(session.start(
        {.service = hal::Service::devices, .path = "/confirmActivation", .form = "a=1&b=2"}
    ));
    const auto reply = poll();
    ASSERT_TRUE(reply);
    EXPECT_EQ(text(*reply), "TRUE");
    EXPECT_EQ(socket.asked.port, 30006);
    EXPECT_NE(socket.sent.find("Content-Length: 7\r\n\r\na=1&b=2"), std::string::npos);
}

TEST_F(HttpSessionTest, NoBytesOfAServerBreakIt) {
    const std::string good =
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 20\r\n"
        "Content-Range: bytes 0-19/40\r\n\r\n01234567890123456789";
    std::mt19937 random{3};
    int answered = 0;
    int refused = 0;
    for (int round = 0; round < 3'000; ++round) {
        std::string bytes = good;
        for (unsigned i = 0; i <= random() % 4; ++i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        if (random() % 4 == 0) bytes.insert(random() % bytes.size(), std::string(3000, '9'));
        socket.coming = bytes;
        socket.gives_at_once = 100 + random() % 700;
        const auto reply = ask(0, 20);
        if (reply) {
            EXPECT_LE(reply->bytes.size(), 20U);
            EXPECT_NE(bytes.find("\r\n\r\n" + std::string{text(*reply)}), std::string::npos)
                << bytes;
        }
        ++(reply ? answered : refused);
        socket.close();
    }
    EXPECT_GT(answered, 300);
    EXPECT_GT(refused, 300);
    socket.coming = good;
    EXPECT_TRUE(ask(0, 20)) << "and it goes on";
}

}  // namespace
}  // namespace stator::session
