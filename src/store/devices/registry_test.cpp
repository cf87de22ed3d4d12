#include "store/devices/registry.h"

#include "store/identity/site_fixture_test.h"
#include "world/json/json.h"

#include <gmock/gmock.h>

namespace stator::devices {
namespace {

using Fixture = identity::SiteFixture;
using identity::Role;
using nlohmann::json;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* pump = "14333616";

class DevicesTest : public testing::Test {
  protected:
    DevicesTest() { start(); }

    void start() {
        registry.reset();
        registry = Registry::make(world.doors, {.state_directory = Fixture::state}).value();
    }

    http::Response form(
        const std::string& path, const std::string& body, const std::string& who = ""
    ) {
        return registry->handle(Fixture::form(path, body, who));
    }

    std::string confirm(const std::string& id) {
        return form("/confirmActivation", "device_id=" + id).body;
    }

    http::Response enrol(const std::string& code, const std::string& id) {
        const std::string request =
            world.tls.make_request(world.tls.make_key().value(), id).value();
        return form("/enrol", json{{"code", code}, {"request", request}, {"deviceID", id}}.dump());
    }

    // What the gate sees.
    Rights rights() {
        const std::string path = rights_path(Fixture::state);
        return parse_rights(world.disk.read_all(path, rights_bytes_max).value(), path).value();
    }

    State gate_state(const std::string& id) {
        const Rights seen = rights();
        const Right* right = seen.find(id);
        return right == nullptr ? State::provisioned : right->state;
    }

    Fixture world;
    std::string operator_ = world.person("o", Role::operator_);
    std::unique_ptr<Registry> registry;
};

TEST_F(DevicesTest, an_operator_provisions_and_anybody_may_ask_whether_a_device_is_active) {
    EXPECT_EQ(confirm(pump), "FALSE");
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616").status, 401);
    const std::string viewer = world.person("v", Role::viewer);
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616", viewer).status, 403);
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616", Fixture::actor).status, 403);
    EXPECT_EQ(confirm(pump), "FALSE");
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616", operator_).status, 200);
    EXPECT_EQ(confirm(pump), "TRUE");
    EXPECT_EQ(gate_state(pump), State::active);
    start();
    EXPECT_EQ(confirm(pump), "TRUE") << "after a restart too";
    ASSERT_TRUE(registry->provision("later", Role::sensor, "Later"));
    EXPECT_EQ(confirm("later"), "FALSE") << "provisioned, not yet active";
}

TEST_F(DevicesTest, a_legacy_exception_is_in_the_snapshot_until_it_is_ended) {
    const std::string password =
        registry->admit_legacy("old", Role::sensor, Legacy::password).value();
    EXPECT_EQ(registry->admit_legacy("older", Role::sensor, Legacy::bare).value(), "");
    const Rights seen = rights();
    ASSERT_NE(seen.find_legacy("old"), nullptr);
    EXPECT_FALSE(seen.find_legacy("old")->bare);
    EXPECT_TRUE(password_matches(seen.find_legacy("old")->password_hash, password));
    EXPECT_FALSE(password_matches(seen.find_legacy("old")->password_hash, password + "0"));
    EXPECT_TRUE(seen.find_legacy("older")->bare);
    EXPECT_FALSE(password_matches(seen.find_legacy("older")->password_hash, ""));
    EXPECT_EQ(gate_state("old"), State::active);
    EXPECT_TRUE(registry->list().value().front().legacy);

    const std::string again = registry->admit_legacy("old", Role::sensor, Legacy::password).value();
    EXPECT_NE(again, password);
    EXPECT_FALSE(password_matches(rights().find_legacy("old")->password_hash, password));

    ASSERT_TRUE(registry->end_legacy("old"));
    EXPECT_EQ(rights().find_legacy("old"), nullptr);
    EXPECT_EQ(registry->end_legacy("old").error().fault, base::Fault::not_found);
    EXPECT_FALSE(registry->list().value().front().legacy);
}

TEST_F(DevicesTest, a_revoked_device_is_not_let_in_as_legacy) {
    ASSERT_TRUE(registry->admit_legacy("old", Role::sensor, Legacy::bare));
    ASSERT_TRUE(registry->revoke("old"));
    EXPECT_EQ(
        registry->admit_legacy("old", Role::sensor, Legacy::bare).error().fault, base::Fault::denied
    );
}

TEST_F(DevicesTest, provisioning_again_keeps_role_and_title) {
    ASSERT_TRUE(registry->provision(pump, Role::sensor, "Pump 1"));
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616", operator_).status, 200);
    const auto devices = registry->list().value();
    ASSERT_THAT(devices, SizeIs(1));
    EXPECT_EQ(devices[0].title, "Pump 1");
    EXPECT_EQ(devices[0].role, Role::sensor);
}

TEST_F(DevicesTest, what_is_wrong_with_a_request_is_said) {
    for (const char* body : {"", "device=1", "device_id=", "device_id=..%2Fx", "device_id=a%20b"})
        EXPECT_EQ(form("/provisionDevice", body, operator_).status, 400) << body;
    EXPECT_EQ(form("/confirmActivation", "device_id=a%2Fb").status, 400);
    EXPECT_EQ(form("/enrol", "no json").status, 400);
    EXPECT_EQ(form("/enrol", R"({"code":1,"request":"x","deviceID":"x"})").status, 400);
    const auto wrong = registry->handle(Fixture::request("GET", "/enrol"));
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.headers.at("Allow"), "POST");
    EXPECT_EQ(form("/nothing", "").status, 404);
    EXPECT_EQ(form("/api/v1/devices/none/activate", "", operator_).status, 404);
    EXPECT_EQ(form("/api/v1/devices/none/explode", "", operator_).status, 404);
    EXPECT_EQ(registry->handle(Fixture::request("GET", "/api/v1/devices")).status, 401);
}

TEST_F(DevicesTest, a_code_becomes_a_certificate_once) {
    ASSERT_TRUE(registry->provision(pump, Role::actor, "Pump 1"));
    const std::string code = registry->make_code(pump).value();
    EXPECT_EQ(enrol("AAAAA-AAAAA-AAAAA-AAAAA", pump).status, 403);
    EXPECT_EQ(enrol(code, "other").status, 403);
    const auto answer = enrol(code, pump);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const json body = json::parse(answer.body);
    EXPECT_EQ(body["role"], "actor");
    const auto certificate = body["certificate"].get<std::string>();
    EXPECT_TRUE(world.tls.check(certificate, body["ca"].get<std::string>()));
    EXPECT_EQ(world.tls.inspect(certificate)->uri, "urn:stator:actor:14333616");
    EXPECT_EQ(enrol(code, pump).status, 403) << "used";
}

TEST_F(DevicesTest, a_revoked_device_is_out_for_good) {
    ASSERT_TRUE(registry->provision(pump, Role::actor, "Pump 1"));
    ASSERT_TRUE(registry->activate(pump));
    const json enrolled = json::parse(enrol(registry->make_code(pump).value(), pump).body);
    const std::string serial =
        world.tls.inspect(enrolled["certificate"].get<std::string>())->serial;
    http::Request request{.peer_uri = "urn:stator:actor:14333616", .peer_serial = serial};
    EXPECT_EQ(registry->access().authorise(request).role, Role::actor);
    const std::string old_code = registry->make_code(pump).value();

    const std::string path = "/api/v1/devices/14333616/";
    EXPECT_EQ(form(path + "revoke", "").status, 401);
    EXPECT_EQ(form(path + "revoke", "", operator_).status, 200);
    EXPECT_EQ(confirm(pump), "FALSE");
    EXPECT_EQ(gate_state(pump), State::revoked);
    EXPECT_TRUE(rights().is_revoked(serial));
    EXPECT_EQ(registry->access().authorise(request).role, Role::nobody);
    EXPECT_EQ(form(path + "activate", "", operator_).status, 403);
    EXPECT_EQ(form("/provisionDevice", "device_id=14333616", operator_).status, 403);
    EXPECT_EQ(enrol(old_code, pump).status, 403) << "a code from before must not let it in again";
    start();
    EXPECT_EQ(registry->access().authorise(request).role, Role::nobody);
}

TEST_F(DevicesTest, a_sensor_of_ones_own_has_key_and_certificate_and_is_active_at_once) {
    const auto added = registry->add_with_certificate("s1");
    ASSERT_TRUE(added) << added.error().what;
    const std::string certificate = world.disk.read_all(added->certificate_file, 1U << 16U).value();
    const std::string key = world.disk.read_all(added->key_file, 1U << 16U).value();
    EXPECT_EQ(world.tls.inspect(certificate)->uri, "urn:stator:sensor:s1");
    EXPECT_EQ(world.tls.public_key(key).value(), world.tls.inspect(certificate)->public_key);
    EXPECT_EQ(confirm("s1"), "TRUE");
    EXPECT_EQ(registry->add_with_certificate("s1").error().fault, base::Fault::exists);
    EXPECT_FALSE(registry->add_with_certificate("../s1"));
}

TEST_F(DevicesTest, a_cut_at_any_operation_of_adding_leaves_a_name_that_can_be_added_again) {
    for (std::uint64_t cut = 0;; ++cut) {
        Fixture torn;
        auto first = Registry::make(torn.doors, {.state_directory = Fixture::state}).value();
        torn.disk.cut_power_before(torn.disk.operations() + cut);
        const bool added = first->add_with_certificate("s1").has_value();
        const bool cut_came = torn.disk.power_is_off();
        torn.disk.cut_power_before(disk::SimulatedDisk::never);
        torn.disk.restart(disk::Survival::random);
        first.reset();
        auto second = Registry::make(torn.doors, {.state_directory = Fixture::state}).value();
        if (!added) {
            const auto again = second->add_with_certificate("s1");
            // Its last act is the snapshot: then it is active already, and its files are there.
            EXPECT_TRUE(again || again.error().fault == base::Fault::exists) << cut;
        }
        EXPECT_EQ(second->list().value().at(0).state, State::active) << cut;
        const std::string at = "/state/nodes/s1/";
        const auto certificate = torn.disk.read_all(at + "certificate.pem", 1U << 16U);
        const auto key = torn.disk.read_all(at + "key.pem", 1U << 16U);
        ASSERT_TRUE(certificate && key) << cut;
        EXPECT_EQ(torn.tls.public_key(*key).value(), torn.tls.inspect(*certificate)->public_key)
            << cut;
        const std::string path = rights_path(Fixture::state);
        const auto seen = parse_rights(torn.disk.read_all(path, rights_bytes_max).value(), path);
        ASSERT_TRUE(seen) << cut;
        EXPECT_EQ(seen->find("s1")->state, State::active) << cut;
        if (!cut_came) break;
        ASSERT_LT(cut, 200U);
    }
}

TEST_F(DevicesTest, two_processes_change_the_same_facts_and_the_snapshot_has_both) {
    const auto other = Registry::make(world.doors, {.state_directory = Fixture::state}).value();
    const std::uint64_t before = rights().generation;
    ASSERT_TRUE(registry->provision("a", Role::sensor, "A"));
    ASSERT_TRUE(other->provision("b", Role::sensor, "B"));
    ASSERT_TRUE(registry->activate("b"));
    EXPECT_EQ(rights().generation, before + 3);
    EXPECT_EQ(gate_state("b"), State::active);
    ASSERT_TRUE(rights().find("a") != nullptr);
    EXPECT_THAT(other->list().value(), SizeIs(2));
    ASSERT_TRUE(other->revoke("b"));
    EXPECT_EQ(confirm("b"), "FALSE") << "seen at once by the one that serves";
}

TEST_F(DevicesTest, a_level_2_service_is_assigned_its_devices_once) {
    ASSERT_TRUE(registry->provision("level2-1", Role::level2, "level 2"));
    ASSERT_TRUE(registry->provision(pump, Role::actor, "Pump 1"));
    ASSERT_TRUE(registry->assign("level2-1", {pump}));
    const std::uint64_t generation = rights().generation;
    ASSERT_TRUE(registry->assign("level2-1", {pump}));
    EXPECT_EQ(rights().generation, generation) << "nothing changed";
    EXPECT_TRUE(rights().is_assigned("level2-1", pump));
}

TEST_F(DevicesTest, the_list_says_id_role_state_and_title) {
    ASSERT_TRUE(registry->provision(pump, Role::actor, "Pumpe \"Süd\""));
    const auto answer =
        registry->handle(Fixture::request("GET", "/api/v1/devices", world.person("v", Role::viewer))
        );
    const json one = json::parse(answer.body).at(0);
    EXPECT_EQ(one["id"], pump);
    EXPECT_EQ(one["role"], "actor");
    EXPECT_EQ(one["state"], "provisioned");
    EXPECT_EQ(one["title"], "Pumpe \"Süd\"");
}

}  // namespace
}  // namespace stator::devices
