#include "store/identity/access.h"
#include "store/identity/enrolment.h"
#include "store/identity/site.h"
#include "store/identity/tokens.h"
#include "world/doors/simulated.h"
#include "world/tls/openssl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stator::identity {
namespace {

using testing::HasSubstr;

constexpr std::int64_t now_ms = 1'763'000'000'000;

struct World : doors::SimulatedDoors {
    World() : SimulatedDoors{now_ms, 7} {}
};

class IdentityTest : public testing::Test {
  protected:
    std::string read(const std::string& path) {
        return world.disk.read_all(path, 1U << 20U).value();
    }

    std::string request_of(const std::string& key) {
        return world.tls.make_request(key, "device").value();
    }

    World world;
    doors::Doors& doors = world.doors;
};

TEST_F(IdentityTest, InitMakesEveryCredentialUnderOneCa) {
    const auto site = init(doors, "/state", {.host_names = {"pump-house.local", "10.0.0.7"}});
    ASSERT_TRUE(site) << site.error().what;
    EXPECT_EQ(site->admin_token.size(), 64U);  // 256 bits
    const std::string ca = read(site->ca_file());
    EXPECT_EQ(site->ca_sha256, world.tls.inspect(ca)->sha256_hex);
    for (const char* name :
         {"ingest", "learn", "rollout", "console", "bridge", "adopt", "level2-1"}) {
        const std::string chain = read(site->certificate_file(name));
        EXPECT_TRUE(world.tls.check(chain, ca)) << name;
        const std::string role = std::string{name} == "level2-1" ? "level2"
                                 : std::string{name} == "adopt"  ? "adopter"
                                                                 : "service";
        EXPECT_EQ(world.tls.inspect(chain)->uri, "urn:stator:" + role + ":" + name);
        EXPECT_EQ(
            world.tls.public_key(read(site->key_file(name))).value(),
            world.tls.inspect(chain)->public_key
        );
        EXPECT_TRUE(tls::simulated_use(chain)->client) << name;
    }
    const std::string server = read(site->certificate_file("server"));
    EXPECT_EQ(tls::split_chain(server).size(), 2U) << "leaf and CA, so that a pin can be checked";
    EXPECT_THAT(
        tls::simulated_use(server)->hosts,
        testing::UnorderedElementsAre(
            "localhost", "pump-house.local", "127.0.0.1", "::1", "10.0.0.7"
        )
    );
    const auto signature = world.tls.sign(read(site->pki("model-signing.key")), "m").value();
    EXPECT_TRUE(world.tls.verify(read(site->pki("model-signing.pub")), "m", signature));
    EXPECT_TRUE(open(doors, "/state"));
}

TEST_F(IdentityTest, TheAdminTokenItselfIsNowhereOnTheDisk) {
    const Site site = init(doors, "/state").value();
    const auto entries = world.disk.list("/state/pki").value();
    for (const disk::Entry& entry : entries) {
        const std::string path = "/state/pki/" + entry.name;
        EXPECT_EQ(read(path).find(site.admin_token), std::string::npos) << path;
    }
}

TEST_F(IdentityTest, ASecondInitMakesAndChangesNothing) {
    const Site first = init(doors, "/state").value();
    const std::string ca = read(first.ca_file());
    const Site second = init(doors, "/state").value();
    EXPECT_THAT(second.made, testing::IsEmpty());
    EXPECT_EQ(second.admin_token, "");
    EXPECT_EQ(second.ca_sha256, first.ca_sha256);
    EXPECT_EQ(read(second.ca_file()), ca);
}

TEST_F(IdentityTest, APowerCutAtAnyOperationOfInitLeavesAStateThatInitCompletes) {
    std::uint64_t operations = 0;
    {
        World whole;
        ASSERT_TRUE(init(whole.doors, "/state"));
        operations = whole.disk.operations();
    }
    ASSERT_GT(operations, 50U);
    for (std::uint64_t cut = 0; cut < operations; ++cut) {
        for (const auto survival : {disk::Survival::none, disk::Survival::random}) {
            World torn;
            torn.disk.cut_power_before(cut);
            ASSERT_FALSE(init(torn.doors, "/state")) << cut;
            torn.disk.cut_power_before(disk::SimulatedDisk::never);
            torn.disk.restart(survival);
            const auto again = init(torn.doors, "/state");
            ASSERT_TRUE(again) << "cut before operation " << cut << ": " << again.error().what;
            ASSERT_TRUE(open(torn.doors, "/state"));
            const std::string ca = torn.disk.read_all(again->ca_file(), 1U << 20U).value();
            const auto server =
                torn.disk.read_all(again->certificate_file("server"), 1U << 20U).value();
            ASSERT_TRUE(torn.tls.check(server, ca)) << cut;
        }
    }
}

TEST_F(IdentityTest, InitNamesTheFileThatDoesNotBelong) {
    const Site site = init(doors, "/state").value();
    const std::string good = read(site.key_file("learn"));
    ASSERT_TRUE(world.disk.replace(site.key_file("learn"), read(site.key_file("ingest")), 0600));
    const auto mixed = init(doors, "/state");
    ASSERT_FALSE(mixed);
    EXPECT_THAT(mixed.error().what, HasSubstr("/state/pki/learn.key"));
    ASSERT_TRUE(world.disk.replace(site.key_file("learn"), good, 0600));
    ASSERT_TRUE(init(doors, "/state"));
    ASSERT_TRUE(world.disk.remove(site.pki("ca.key")));
    const auto lost = init(doors, "/state");
    ASSERT_FALSE(lost) << "a new CA would shut out every device";
    EXPECT_THAT(lost.error().what, HasSubstr("ca.key"));
}

TEST_F(IdentityTest, OpenSaysWhatToDoWhereThereIsNoIdentity) {
    const auto site = open(doors, "/nowhere");
    ASSERT_FALSE(site);
    EXPECT_EQ(site.error().fault, base::Fault::not_found);
    EXPECT_THAT(site.error().what, HasSubstr("stator init"));
}

TEST_F(IdentityTest, ATokenIsFoundUntilItIsRemovedAlsoByAnotherProcess) {
    const Site site = init(doors, "/state").value();
    Tokens here{doors, site.pki("tokens.json")};
    Tokens there{doors, site.pki("tokens.json")};
    const std::string token = there.add("Ada", Role::operator_).value();
    EXPECT_EQ(here.find(token)->name, "Ada");
    EXPECT_EQ(here.find(token)->role, Role::operator_);
    EXPECT_EQ(here.find(site.admin_token)->role, Role::admin);
    EXPECT_FALSE(here.find(""));
    EXPECT_FALSE(here.find(tls::sha256_hex(token))) << "the hash is no token";
    ASSERT_TRUE(there.remove("Ada"));
    world.clock.wait_us(1'000'000);
    EXPECT_FALSE(here.find(token));
    EXPECT_EQ(there.remove("Ada").error().fault, base::Fault::not_found);
}

TEST_F(IdentityTest, ATokenNeedsANameOfItsOwnAndARoleOfAPerson) {
    ASSERT_TRUE(world.disk.make_directories("/state/pki"));
    Tokens tokens{doors, "/state/pki/tokens.json"};
    ASSERT_TRUE(tokens.add("Ada", Role::viewer));
    EXPECT_EQ(tokens.add("Ada", Role::admin).error().fault, base::Fault::exists);
    EXPECT_EQ(tokens.add("Bob", Role::service).error().fault, base::Fault::bad_input);
    EXPECT_EQ(tokens.add("", Role::viewer).error().fault, base::Fault::bad_input);
    EXPECT_EQ(tokens.add("a\nb", Role::viewer).error().fault, base::Fault::bad_input);
}

TEST_F(IdentityTest, ADamagedTokenFileLetsNobodyIn) {
    const Site site = init(doors, "/state").value();
    for (const char* content : {"", "{", "{}", "[1]", R"([{"name":"x","role":"admin"}])"}) {
        ASSERT_TRUE(world.disk.replace(site.pki("tokens.json"), content, 0600));
        Tokens tokens{doors, site.pki("tokens.json")};
        const auto found = tokens.find(site.admin_token);
        ASSERT_FALSE(found) << content;
        EXPECT_EQ(found.error().fault, base::Fault::corrupt) << content;
    }
}

TEST_F(IdentityTest, AccessKnowsCertificatesAndTokensAndRefusesTheRest) {
    const Site site = init(doors, "/state").value();
    Tokens tokens{doors, site.pki("tokens.json")};
    Access access{tokens, [](std::string_view serial) { return serial == "BAD"; }};
    http::Request request;
    EXPECT_EQ(access.require(request, Role::viewer)->status, 401);
    EXPECT_EQ(access.require(request, Role::viewer)->headers.at("WWW-Authenticate"), "Bearer");

    request.headers["authorization"] = "bearer  " + site.admin_token;
    EXPECT_FALSE(access.require(request, Role::engineer));
    EXPECT_EQ(access.require(request, Role::nobody, {Role::service})->status, 403);
    request.headers["authorization"] = "Basic " + site.admin_token;
    EXPECT_EQ(access.require(request, Role::viewer)->status, 401);

    request.peer_uri = "urn:stator:actor:14333616";
    request.headers["authorization"] = "Bearer " + site.admin_token;
    EXPECT_EQ(access.authorise(request).role, Role::actor) << "the certificate comes first";
    EXPECT_EQ(access.require(request, Role::viewer)->status, 403);
    EXPECT_FALSE(access.require(request, Role::engineer, {Role::sensor, Role::actor}));
    request.peer_serial = "BAD";
    EXPECT_EQ(access.require(request, Role::engineer, {Role::actor})->status, 401);
}

TEST_F(IdentityTest, RolesOfPeopleIncludeThoseBelow) {
    const Who engineer{Role::engineer, "Ada"};
    EXPECT_TRUE(engineer.at_least(Role::viewer));
    EXPECT_TRUE(engineer.at_least(Role::engineer));
    EXPECT_FALSE(engineer.at_least(Role::admin));
    EXPECT_FALSE(engineer.at_least(Role::nobody));
    EXPECT_FALSE((Who{Role::service, "learn"}.at_least(Role::viewer)));
    EXPECT_FALSE(Who{}.at_least(Role::nobody));
}

TEST_F(IdentityTest, AUriOfNoRoleOfOursIsNobody) {
    EXPECT_EQ(parse_uri(make_uri(Role::sensor, "7")).role, Role::sensor);
    EXPECT_EQ(parse_uri(make_uri(Role::sensor, "7")).id, "7");
    for (const char* uri :
         {"",
          "urn:stator:",
          "urn:stator:sensor",
          "urn:stator:sensor:",
          "urn:stator:nobody:7",
          "urn:stator:admin:7",
          "urn:other:sensor:7",
          "urn:stator:sensor:a/b",
          "urn:stator:sensor:+",
          "urn:stator:sensor:a:b",
          "URN:stator:sensor:7"}) {
        EXPECT_EQ(parse_uri(uri).role, Role::nobody) << uri;
    }
}

TEST_F(IdentityTest, ACodeEnrolsItsDeviceOnceHoweverItIsWritten) {
    const Site site = init(doors, "/state").value();
    Enrolment enrolment{doors, site};
    std::string code = enrolment.make_code("14333616", Role::actor).value();
    EXPECT_EQ(code.size(), 23U);  // four groups of five
    const std::string key = world.tls.make_key().value();
    for (char& c : code)
        c = static_cast<char>(std::tolower(c));
    const auto enrolled = enrolment.enrol(code, request_of(key), "14333616");
    ASSERT_TRUE(enrolled) << enrolled.error().what;
    const auto facts = world.tls.inspect(enrolled->certificate).value();
    EXPECT_EQ(facts.uri, "urn:stator:actor:14333616");
    EXPECT_EQ(facts.serial, enrolled->serial);
    EXPECT_EQ(facts.not_after_unix_ms, now_ms + 365LL * 24 * 3600 * 1000);
    EXPECT_TRUE(world.tls.check(enrolled->certificate, enrolled->ca));
    const auto twice = enrolment.enrol(code, request_of(key), "14333616");
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().fault, base::Fault::denied);
}

TEST_F(IdentityTest, ACodeIsRefusedForAnotherDeviceAndAfterItsTime) {
    Enrolment enrolment{doors, init(doors, "/state").value()};
    const std::string key = world.tls.make_key().value();
    const std::string code = enrolment.make_code("7", Role::sensor, 60).value();
    EXPECT_EQ(enrolment.enrol(code, request_of(key), "8").error().fault, base::Fault::denied);
    EXPECT_EQ(enrolment.enrol("", request_of(key), "7").error().fault, base::Fault::denied);
    world.clock.wait_us(60'000'000);
    EXPECT_EQ(enrolment.enrol(code, request_of(key), "7").error().fault, base::Fault::denied);
}

TEST_F(IdentityTest, ABadRequestDoesNotUseTheCodeUpAndANewCodeReplacesTheOld) {
    Enrolment enrolment{doors, init(doors, "/state").value()};
    const std::string key = world.tls.make_key().value();
    const std::string old = enrolment.make_code("7", Role::sensor).value();
    const std::string code = enrolment.make_code("7", Role::sensor).value();
    EXPECT_EQ(enrolment.enrol(old, request_of(key), "7").error().fault, base::Fault::denied);
    EXPECT_EQ(enrolment.enrol(code, "nonsense", "7").error().fault, base::Fault::bad_input);
    EXPECT_TRUE(enrolment.enrol(code, request_of(key), "7"));
}

TEST_F(IdentityTest, AnUnusableIdOrRoleGetsNoCode) {
    Enrolment enrolment{doors, init(doors, "/state").value()};
    for (const char* id : {"", "a/b", "+", "#", "..", "a b", "\xC3\xA9"}) {
        EXPECT_EQ(enrolment.make_code(id, Role::sensor).error().fault, base::Fault::bad_input);
    }
    EXPECT_FALSE(enrolment.make_code("7", Role::service));
    EXPECT_FALSE(enrolment.make_code("7", Role::admin));
}

TEST_F(IdentityTest, InitAndEnrolmentWorkWithRealKeysToo) {
    tls::OpenSslTls real{world.clock};
    doors::Doors real_doors{
        world.clock,
        world.disk,
        world.chance,
        world.mqtt,
        world.http,
        real,
        world.databases,
        world.journal
    };
    const auto site = init(real_doors, "/state", {.host_names = {"pump-house.local"}});
    ASSERT_TRUE(site) << site.error().what;
    ASSERT_TRUE(init(real_doors, "/state"));
    Enrolment enrolment{real_doors, *site};
    const std::string code = enrolment.make_code("7", Role::actor).value();
    const std::string key = real.make_key().value();
    const auto enrolled = enrolment.enrol(code, real.make_request(key, "x").value(), "7");
    ASSERT_TRUE(enrolled) << enrolled.error().what;
    EXPECT_TRUE(real.check(enrolled->certificate, enrolled->ca));
    EXPECT_EQ(real.inspect(enrolled->certificate)->uri, "urn:stator:actor:7");
}

}  // namespace
}  // namespace stator::identity
