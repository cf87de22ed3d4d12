#include "act/console/sessions.h"

#include "world/chance/seeded.h"
#include "world/clock/virtual.h"

#include <gmock/gmock.h>

namespace stator::console {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t minute_us = 60'000'000;

class SessionsTest : public testing::Test {
  protected:
    http::Response enter(const std::string& code) {
        return sessions.enter({.method = "GET", .path = "/enter", .query = {{"code", code}}});
    }

    [[nodiscard]] bool known(const std::string& cookies) const {
        return sessions.known({.method = "GET", .path = "/", .headers = {{"cookie", cookies}}});
    }

    // "stator_session=..." of a browser that has just come in.
    std::string let_in() {
        const http::Response response = enter(sessions.new_code());
        EXPECT_EQ(response.status, 303);
        const std::string cookie = response.headers.at("Set-Cookie");
        return cookie.substr(0, cookie.find(';'));
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{1};
    Sessions sessions{chance, clock};
};

TEST_F(SessionsTest, ALinkLetsOneBrowserInOnce) {
    const std::string code = sessions.new_code();
    EXPECT_EQ(code.size(), 64U);
    const http::Response first = enter(code);
    EXPECT_EQ(first.status, 303);
    EXPECT_EQ(first.headers.at("Location"), "/");
    EXPECT_THAT(first.headers.at("Set-Cookie"), StartsWith("stator_session="));
    EXPECT_THAT(first.headers.at("Set-Cookie"), EndsWith("; HttpOnly; SameSite=Strict; Path=/"));
    const http::Response again = enter(code);
    EXPECT_EQ(again.status, 403);
    EXPECT_THAT(again.body, HasSubstr("stator console link"));
    EXPECT_NE(sessions.new_code(), code);
}

TEST_F(SessionsTest, ALinkIsGoodForTenMinutes) {
    const std::string in_time = sessions.new_code();
    const std::string too_late = sessions.new_code();
    clock.wait_us(10 * minute_us);
    EXPECT_EQ(enter(in_time).status, 303);
    clock.wait_us(1);
    EXPECT_EQ(enter(too_late).status, 403);
}

TEST_F(SessionsTest, WhatIsNoCodeLetsNobodyIn) {
    std::ignore = sessions.new_code();
    EXPECT_EQ(enter("").status, 403);
    EXPECT_EQ(enter(std::string(64, '0')).status, 403);
    EXPECT_EQ(sessions.enter({.method = "GET", .path = "/enter"}).status, 403);
}

TEST_F(SessionsTest, TheCookieIsFoundAmongOthersAndOnlyByItsWholeName) {
    const std::string cookie = let_in();
    EXPECT_TRUE(known(cookie));
    EXPECT_TRUE(known("a=b; " + cookie));
    EXPECT_TRUE(known("my_stator_session=1; " + cookie + "; z=y"));
    EXPECT_FALSE(known("my_" + cookie));
    EXPECT_FALSE(known(cookie + "0"));
    EXPECT_FALSE(known("stator_session="));
    EXPECT_FALSE(known(""));
    EXPECT_FALSE(sessions.known({.method = "GET", .path = "/"}));
}

TEST_F(SessionsTest, ASessionLastsTwelveHours) {
    const std::string cookie = let_in();
    clock.wait_us(12 * 60 * minute_us);
    EXPECT_TRUE(known(cookie));
    clock.wait_us(1);
    EXPECT_FALSE(known(cookie));
    EXPECT_TRUE(known(let_in()));
}

}  // namespace
}  // namespace stator::console
