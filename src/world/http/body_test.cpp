// Forms, multipart bodies, ranges, targets, URLs and problems: the pure part of the door.
#include "world/http/http.h"
#include "world/json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace stator::http {
namespace {

using testing::HasSubstr;

const std::string curl_type =
    "multipart/form-data; boundary=------------------------d74496d66958873e";
const std::string curl_body =
    "--------------------------d74496d66958873e\r\n"
    "Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n"
    "Content-Type: text/csv\r\n\r\n"
    "a,b\r\n1,2\n\r\n"
    "--------------------------d74496d66958873e--\r\n";

TEST(MultipartTest, ReadsWhatCurlSends) {
    const auto parts = parse_multipart(curl_type, curl_body);
    ASSERT_TRUE(parts) << parts.error().what;
    ASSERT_EQ(parts->size(), 1U);
    EXPECT_EQ((*parts)[0].name, "file");
    EXPECT_EQ((*parts)[0].filename, "a.csv");
    EXPECT_EQ((*parts)[0].content, "a,b\r\n1,2\n");
}

TEST(MultipartTest, ReadsSeveralPartsAPreambleAndAnEmptyContent) {
    const auto parts = parse_multipart(
        "Multipart/Form-Data; charset=utf-8; boundary=\"x y\"",
        "preamble\r\n--x y\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n--x y \r\n"
        "Content-Disposition: form-data; filename=\"q\\\"uote\"; name=\"b\"\r\n\r\n--x\r\n--x y--"
    );
    ASSERT_TRUE(parts) << parts.error().what;
    ASSERT_EQ(parts->size(), 2U);
    EXPECT_EQ((*parts)[0].name, "a");
    EXPECT_EQ((*parts)[0].content, "");
    EXPECT_EQ((*parts)[1].filename, "q\"uote");
    EXPECT_EQ((*parts)[1].content, "--x");
}

TEST(MultipartTest, MakesABodyThatReadsBackWhateverItsBytes) {
    std::string content_type;
    const Part part{"file", "m\"odel\\.zip", std::string{"\0\r\n--stator-part-0\r\n\xff", 21}};
    const auto back = parse_multipart(content_type = {}, "");
    EXPECT_FALSE(back);
    const std::string body = make_multipart(part, content_type);
    const auto parts = parse_multipart(content_type, body);
    ASSERT_TRUE(parts) << parts.error().what;
    EXPECT_EQ((*parts)[0].filename, part.filename);
    EXPECT_EQ((*parts)[0].content, part.content);
}

TEST(MultipartTest, RefusesEveryTruncationOfABody) {
    const std::size_t closing = curl_body.size() - 2;  // the last line break is not needed
    for (std::size_t n = 0; n < closing; ++n) {
        EXPECT_FALSE(parse_multipart(curl_type, curl_body.substr(0, n))) << n;
    }
}

TEST(MultipartTest, RefusesWhatIsNoForm) {
    EXPECT_FALSE(parse_multipart("application/json", curl_body));
    EXPECT_FALSE(parse_multipart("multipart/form-data", curl_body));
    EXPECT_FALSE(parse_multipart("multipart/form-data; boundary=", curl_body));
    EXPECT_FALSE(parse_multipart("multipart/form-data; boundary=\"x", curl_body));
    EXPECT_FALSE(parse_multipart("multipart/form-data; boundary=x", "--x\r\n\r\n\r\n--x--"));
    EXPECT_FALSE(parse_multipart(
        "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--"
    ));
}

TEST(MultipartTest, SurvivesAnyMutationOfABody) {
    std::mt19937 random{7};
    int refused = 0;
    int read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string body = curl_body;
        std::string type = curl_type;
        for (int k = 0; k < 3; ++k) {
            std::string& text = random() % 4 == 0 ? type : body;
            text[random() % text.size()] = static_cast<char>("\r\n-;=\" \\x"[random() % 9]);
        }
        const auto parts = parse_multipart(type, body);
        if (!parts) {
            ++refused;
            continue;
        }
        for (const Part& part : *parts)
            EXPECT_NE(body.find("\r\n\r\n" + part.content + "\r\n"), std::string::npos) << body;
        ++read;
    }
    EXPECT_GT(refused, 1'000);
    EXPECT_GT(read, 1'000);
}

TEST(FormTest, DecodesFieldsAndRefusesBrokenEscapes) {
    const auto fields = parse_form("device_id=14%20a+b&&flag&device_id=second&e=%C3%A9=");
    ASSERT_TRUE(fields);
    EXPECT_EQ(fields->at("device_id"), "14 a b");
    EXPECT_EQ(fields->at("flag"), "");
    EXPECT_EQ(fields->at("e"), "\xC3\xA9=");
    EXPECT_FALSE(parse_form("a=%"));
    EXPECT_FALSE(parse_form("a=%2"));
    EXPECT_FALSE(parse_form("a=%zz"));
    EXPECT_TRUE(parse_form("")->empty());
}

TEST(FormTest, EncodesEverythingButTheUnreservedAndReadsItBack) {
    std::string all;
    for (int c = 0; c < 256; ++c)
        all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode(all), true), all);
    EXPECT_EQ(percent_encode("2022-05-06-20:36:11-model.zip"), "2022-05-06-20%3A36%3A11-model.zip");
}

TEST(TargetTest, SplitsAndDecodesPathAndQuery) {
    Request request;
    ASSERT_TRUE(read_target("/a%2Fb/c+d?x=1+2&y=%3d", request));
    EXPECT_EQ(request.path, "/a/b/c+d");
    EXPECT_EQ(request.query.at("x"), "1 2");
    EXPECT_EQ(request.query.at("y"), "=");
    for (const char* bad : {"", "a", "*", "http://h/", "/%", "/%00", "/?a=%g0"}) {
        EXPECT_FALSE(read_target(bad, request)) << bad;
    }
}

TEST(UrlTest, ReadsSchemeHostPortAndTarget) {
    const Url url = parse_url("https://[::1]:30007/full/a%20b?x=1#frag").value();
    EXPECT_TRUE(url.tls);
    EXPECT_EQ(url.host, "::1");
    EXPECT_EQ(url.port, 30007);
    EXPECT_EQ(url.target, "/full/a%20b?x=1");
    EXPECT_EQ(parse_url("http://h")->port, 80);
    EXPECT_EQ(parse_url("https://h?x")->target, "/?x");
    EXPECT_EQ(parse_url("https://h/")->port, 443);
    for (const char* bad :
         {"",
          "h",
          "ftp://h/",
          "http://",
          "http://:80/",
          "http://h:x/",
          "http://h:99999/",
          "http://u@h/",
          "http://[::1",
          "http://h/a b",
          "http://h/\r\nX: y"}) {
        EXPECT_FALSE(parse_url(bad)) << bad;
    }
}

Response ranged(const std::string& range) {
    Request request;
    request.method = "GET";
    request.headers["range"] = range;
    Response whole;
    whole.body = "0123456789";
    return apply_range(request, whole);
}

TEST(RangeTest, GivesTheBytesAskedFor) {
    EXPECT_EQ(ranged("bytes=0-0").body, "0");
    EXPECT_EQ(ranged("bytes=2-4").body, "234");
    EXPECT_EQ(ranged("bytes=7-").body, "789");
    EXPECT_EQ(ranged("bytes=7-99999999999999999999999").body, "789");
    EXPECT_EQ(ranged("bytes=-3").body, "789");
    EXPECT_EQ(ranged("bytes=-30").body, "0123456789");
    EXPECT_EQ(ranged("bytes=2-4").status, 206);
    EXPECT_EQ(ranged("bytes=2-4").headers.at("Content-Range"), "bytes 2-4/10");
    EXPECT_EQ(ranged("bytes=-3").headers.at("Content-Range"), "bytes 7-9/10");
}

TEST(RangeTest, SaysWhenThereIsNoSuchRange) {
    for (const char* range : {"bytes=10-", "bytes=10-20", "bytes=-0"}) {
        const Response response = ranged(range);
        EXPECT_EQ(response.status, 416) << range;
        EXPECT_EQ(response.headers.at("Content-Range"), "bytes */10");
    }
}

TEST(RangeTest, GivesTheWholeForWhatItDoesNotUnderstand) {
    for (const char* range :
         {"",
          "bytes=",
          "bytes=-",
          "bytes=4-2",
          "rows=1-2",
          "bytes=a-b",
          "bytes=1-2,4-5",
          "bytes=+1-2",
          "bytes=1--2"}) {
        const Response response = ranged(range);
        EXPECT_EQ(response.status, 200) << range;
        EXPECT_EQ(response.body, "0123456789");
    }
}

TEST(ProblemTest, IsJsonWhateverTheDetail) {
    const Response response = problem(400, "Bad Request", "name \"a\nb\" \xff is wrong");
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.headers.at("Content-Type"), "application/problem+json");
    const auto body = nlohmann::json::parse(response.body);
    EXPECT_EQ(body.at("status"), 400);
    EXPECT_THAT(body.at("detail").get<std::string>(), HasSubstr("name \"a\nb\""));
}

}  // namespace
}  // namespace stator::http
