#include "store/files/files.h"

#include "store/files/serve.h"
#include "store/identity/site_fixture_test.h"
#include "world/json/json.h"

#include <gmock/gmock.h>

#include <optional>
#include <random>

namespace stator::files {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";

// The name in <name a="b" ...> without its brackets; nothing for what is not so written.
std::optional<std::string> name_of_tag(std::string_view tag) {
    const std::size_t end = std::min(tag.find_first_not_of(lower), tag.size());
    if (end == 0) return {};
    const std::string name{tag.substr(0, end)};
    tag.remove_prefix(end);
    while (!tag.empty()) {
        if (tag.front() != ' ') return {};
        tag.remove_prefix(1);
        const std::size_t equal = tag.find_first_not_of(lower);
        if (equal == 0 || equal == std::string_view::npos || !tag.substr(equal).starts_with("=\""))
            return {};
        const std::size_t quote = tag.find('"', equal + 2);
        if (quote == std::string_view::npos) return {};
        const std::string_view value = tag.substr(equal + 2, quote - equal - 2);
        if (value.find_first_of("<&") != std::string_view::npos) return {};
        tag.remove_prefix(quote + 1);
    }
    return name;
}

// The texts of a document's <a>, when it is well-formed XML of plain elements; else nothing.
std::optional<std::vector<std::string>> links_of(std::string_view text) {
    constexpr std::string_view doctype = "<!DOCTYPE html>\n";
    if (text.starts_with(doctype)) text.remove_prefix(doctype.size());
    std::vector<std::string> open;
    std::vector<std::string> links;
    bool had_root = false;
    while (!text.empty()) {
        const std::size_t next = text.find('<');
        const std::string_view plain = text.substr(0, next);
        if (plain.find_first_of("&>") != std::string_view::npos) return {};
        if (open.empty() && plain.find_first_not_of(" \n") != std::string_view::npos) return {};
        if (!open.empty() && open.back() == "a") links.back() += plain;
        if (next == std::string_view::npos) break;
        const std::size_t end = text.find('>', next);
        if (end == std::string_view::npos) return {};
        const std::string_view inside = text.substr(next + 1, end - next - 1);
        if (inside.starts_with('/')) {
            if (open.empty() || open.back() != inside.substr(1)) return {};
            open.pop_back();
        } else {
            const auto name = name_of_tag(inside);
            if (!name || (open.empty() && had_root)) return {};
            had_root = true;
            open.push_back(*name);
            if (*name == "a") links.emplace_back();
        }
        text.remove_prefix(end + 1);
    }
    return open.empty() && had_root ? std::optional{links} : std::nullopt;
}

// Said once more, from the contract: [A-Za-z0-9:_-][A-Za-z0-9.:_-]{0,127}
bool is_plain_component(const std::string& name) {
    static constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:_-";
    return !name.empty() && name.size() <= 128 && name[0] != '.' &&
           name.find_first_not_of(allowed) == std::string::npos;
}

class FilesTest : public testing::Test {
  protected:
    using Fixture = identity::SiteFixture;

    FilesTest() {
        auto opened = Files::open(world.doors, "/state/datasets");
        files = std::move(opened.value());
        serve.emplace(*files, access);
    }

    http::Response list(const std::string& accept = "") {
        auto request = Fixture::request("GET", "/", Fixture::actor);
        if (!accept.empty()) request.headers["accept"] = accept;
        return serve->list(request, "raw", "");
    }

    identity::SiteFixture world;
    identity::Access access{world.tokens};
    std::unique_ptr<Files> files;
    std::optional<Serve> serve;
};

TEST_F(FilesTest, the_reader_of_listings_knows_what_is_not_well_formed) {
    EXPECT_FALSE(links_of(""));
    EXPECT_FALSE(links_of("<ul><li></ul>"));
    EXPECT_FALSE(links_of("<ul>a & b</ul>"));
    EXPECT_FALSE(links_of("<a href=x>x</a>"));
    EXPECT_FALSE(links_of("<ul></ul><ul></ul>"));
    EXPECT_THAT(*links_of("<ul><a href=\"x\">x</a></ul>"), ElementsAre("x"));
}

TEST_F(FilesTest, a_listing_is_well_formed_and_its_last_link_is_the_newest) {
    EXPECT_THAT(*links_of(list().body), SizeIs(0));
    for (const char* name : {"b:1.csv", "a-2.csv", "c_3.csv"})
        ASSERT_TRUE(files->put("raw", name, name));
    ASSERT_TRUE(files->put("full", "other.zip", "kind"));
    const auto html = list();
    EXPECT_EQ(html.headers.at("Content-Type"), "text/html; charset=utf-8");
    const auto links = links_of(html.body);
    ASSERT_TRUE(links) << html.body;
    EXPECT_THAT(*links, ElementsAre("b:1.csv", "a-2.csv", "c_3.csv"));
    EXPECT_EQ(list("application/json").body, R"(["b:1.csv","a-2.csv","c_3.csv"])");
}

TEST_F(FilesTest, a_name_keeps_its_bytes) {
    const auto post = [&](const std::string& content) {
        return serve->upload(Fixture::upload("/upload", "a.csv", content), "raw");
    };
    EXPECT_EQ(post("one").status, 200);
    EXPECT_EQ(post("one").status, 200) << "the same again is fine";
    EXPECT_EQ(post("two").status, 409);
    EXPECT_EQ(files->get("raw", "a.csv").value(), "one");
    EXPECT_THAT(files->list("raw").value(), SizeIs(1));
}

TEST_F(FilesTest, damaged_bytes_are_never_given_out_and_the_same_upload_heals_them) {
    ASSERT_TRUE(files->put("raw", "a.csv", "content"));
    world.disk.spoil("/state/datasets/bytes/" + tls::sha256_hex("content"), 3);
    EXPECT_EQ(files->get("raw", "a.csv").error().fault, base::Fault::corrupt);
    const auto request = Fixture::request("GET", "/a.csv", Fixture::actor);
    EXPECT_EQ(serve->get(request, "raw", "a.csv").status, 503);
    ASSERT_TRUE(files->put("raw", "a.csv", "content"));
    EXPECT_EQ(files->get("raw", "a.csv").value(), "content");
}

TEST_F(FilesTest, a_part_of_a_file_is_given_on_request) {
    ASSERT_TRUE(files->put("raw", "a.csv", "0123456789"));
    auto request = Fixture::request("GET", "/a.csv", Fixture::actor);
    request.headers["range"] = "bytes=2-4";
    const auto part = serve->get(request, "raw", "a.csv");
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, "234");
    request.headers["range"] = "bytes=10-";
    EXPECT_EQ(serve->get(request, "raw", "a.csv").status, 416);
}

TEST_F(FilesTest, who_may_read_and_who_may_write) {
    ASSERT_TRUE(files->put("raw", "a.csv", "x"));
    const std::string viewer = world.person("v", identity::Role::viewer);
    const std::string operator_ = world.person("o", identity::Role::operator_);
    const std::string engineer = world.person("e", identity::Role::engineer);

    struct Case {
        std::string who;
        int read;
        int write;
    };

    for (const Case& c : {
             Case{"", 401, 401},
             Case{"Bearer nonsense", 401, 401},
             Case{"urn:other:service:x", 401, 401},
             Case{Fixture::sensor, 200, 403},
             Case{Fixture::actor, 200, 403},
             Case{"urn:stator:level2:level2-1", 200, 403},
             Case{"urn:stator:viewer:wall", 200, 403},
             Case{Fixture::service, 200, 200},
             Case{viewer, 200, 403},
             Case{operator_, 200, 403},
             Case{engineer, 200, 200},
         }) {
        const auto get = Fixture::request("GET", "/a.csv", c.who);
        EXPECT_EQ(serve->get(get, "raw", "a.csv").status, c.read) << c.who;
        EXPECT_EQ(serve->list(get, "raw", "").status, c.read) << c.who;
        const auto post = Fixture::upload("/upload", "a.csv", "x", c.who);
        EXPECT_EQ(serve->upload(post, "raw").status, c.write) << c.who;
    }
}

TEST_F(FilesTest, what_is_wrong_with_a_request_is_said) {
    auto request = Fixture::upload("/upload", "a.csv", "x");
    request.body = "nothing of the kind";
    EXPECT_EQ(serve->upload(request, "raw").status, 400);
    request.headers.clear();
    EXPECT_EQ(serve->upload(request, "raw").status, 400);
    request = Fixture::request("POST", "/upload", Fixture::service);
    request.body = http::make_multipart(
        {.name = "other", .filename = "a.csv", .content = "x"}, request.headers["content-type"]
    );
    EXPECT_EQ(serve->upload(request, "raw").status, 400);
    const auto wrong = serve->upload(Fixture::request("GET", "/upload", Fixture::service), "raw");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.headers.at("Allow"), "POST");
    EXPECT_EQ(wrong.headers.at("Content-Type"), "application/problem+json");
    const auto get = Fixture::request("GET", "/b.csv", Fixture::actor);
    EXPECT_EQ(serve->get(get, "raw", "b.csv").status, 404);
    EXPECT_EQ(serve->get(get, "raw", "../pki/ca.key").status, 400);
    const std::string large(file_bytes_max + 1, 'x');
    EXPECT_EQ(serve->upload(Fixture::upload("/upload", "l.csv", large), "raw").status, 413);
}

TEST_F(FilesTest, any_name_is_either_a_plain_component_or_refused) {
    constexpr std::string_view letters{"aZ09.:_-/ <>&?#*~$'\0\x01\n\x7f\xc3\xa9", 25};
    std::mt19937 random{11};
    int fine = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::size_t common = random() % 3 == 0 ? letters.size() : 8;
        std::string name;
        for (std::size_t size = random() % (i % 50 == 0 ? 140 : 6); size > 0; --size)
            name += letters[random() % common];
        const bool is_plain = is_plain_component(name);
        EXPECT_EQ(is_name(name), is_plain) << name;
        const auto request = Fixture::request("GET", "/" + name, Fixture::actor);
        EXPECT_EQ(serve->get(request, "full", name).status, is_plain ? 404 : 400) << name;
        // What a multipart head cannot carry as it is comes out as another name, or none.
        if (name.find_first_of(std::string_view{"\0\n\r\"\\", 5}) != std::string::npos) continue;
        const auto post = serve->upload(Fixture::upload("/upload", name, name), "raw");
        EXPECT_EQ(post.status, is_plain ? 200 : 400) << name;
        fine += is_plain ? 1 : 0;
    }
    EXPECT_GT(fine, 300);
    const auto links = links_of(list().body);
    ASSERT_TRUE(links);
    EXPECT_THAT(*links, SizeIs(files->list("raw").value().size()));
    const auto entries = world.disk.list("/state/datasets/bytes").value();
    for (const disk::Entry& entry : entries)
        EXPECT_EQ(entry.name.size(), 64U) << entry.name;
}

TEST_F(FilesTest, every_cut_of_power_leaves_a_name_with_its_whole_bytes_or_no_name) {
    int cuts = 0;
    for (const auto survival :
         {disk::Survival::none, disk::Survival::random, disk::Survival::all}) {
        for (std::uint64_t cut = 0;; ++cut) {
            identity::SiteFixture torn;
            auto opened = Files::open(torn.doors, "/state/datasets");
            ASSERT_TRUE(opened);
            torn.disk.cut_power_before(torn.disk.operations() + cut);
            const bool put = (*opened)->put("raw", "a.csv", "content").has_value();
            const bool cut_came = torn.disk.power_is_off();
            EXPECT_TRUE(put || cut_came);
            torn.disk.cut_power_before(disk::SimulatedDisk::never);
            torn.disk.restart(survival);
            if (put || (*opened)->find("raw", "a.csv")) {
                EXPECT_EQ((*opened)->get("raw", "a.csv").value_or("damaged"), "content") << cut;
            } else {
                EXPECT_THAT((*opened)->list("raw").value(), SizeIs(0)) << cut;
                EXPECT_TRUE((*opened)->put("raw", "a.csv", "content")) << cut;
            }
            if (!cut_came) break;
            ++cuts;
            ASSERT_LT(cut, 50U);
        }
    }
    EXPECT_GT(cuts, 9);
}

}  // namespace
}  // namespace stator::files
