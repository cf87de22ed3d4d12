#include "store/models/registry.h"

#include "shared/bundle/compose.h"
#include "shared/detect/small_model_test.h"
#include "store/identity/site_fixture_test.h"
#include "store/models/firmware.h"
#include "world/json/json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>

namespace stator::models {
namespace {

using Fixture = identity::SiteFixture;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* first = "2026-11-23-03:00:00-model.tflite";
constexpr const char* second = "2026-11-23-03:00:01-model.tflite";

std::string tflite(float bias) {
    const detect::SmallModel model{bias, {1, 1, 1, 1, 1, 1, 1, 1}};
    return {reinterpret_cast<const char*>(model.file().data()), model.file().size()};
}

class Verifier final : public bundle::Verifier {
  public:
    Verifier(tls::Tls& tls, std::string key) : tls_{tls}, key_{std::move(key)} {}

    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override {
        tls::Signature copy{};
        std::ranges::copy(signature, copy.begin());
        return tls_.verify(key_, bytes, copy);
    }

    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override {
        const auto made = tls::sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        std::ranges::copy(made, digest.begin());
    }

  private:
    tls::Tls& tls_;
    std::string key_;
};

class ModelsTest : public testing::Test {
  protected:
    ModelsTest() { start(); }

    void start(std::uint64_t golden_macs_max = Options{}.golden_macs_max) {
        registry.reset();
        const Options options{
            .state_directory = Fixture::state, .golden_macs_max = golden_macs_max
        };
        registry = Registry::make(world.doors, access, options).value();
    }

    http::Response send(
        const std::string& method,
        const std::string& path,
        const std::string& body = "",
        const std::string& who = Fixture::service
    ) {
        auto request = Fixture::request(method, path, who);
        request.body = body;
        return registry->handle(request);
    }

    // The truth about the file, or what `change` makes of it.
    static std::string draft(
        const std::string& name,
        const std::string& file,
        std::uint32_t level = 1,
        const std::function<void(bundle::Manifest&)>& change = [](bundle::Manifest&) {}
    ) {
        bundle::Manifest manifest;
        manifest.name = std::string_view{name};
        manifest.device_class = "shaded-pole-motor";
        manifest.level = level;
        manifest.tflite_sha256 = tls::sha256(file);
        manifest.tflite_bytes = file.size();
        tinyml::Reason reason;
        const auto bytes = std::as_bytes(std::span{file});
        manifest.arena_bytes = tinyml::check(bytes, reason)->arena_bytes;
        manifest.feature_set = 0xA1B2C3D4;
        manifest.fold.feature_count = detect::small_model_inputs;
        for (std::size_t i = 0; i < detect::small_model_inputs; ++i) {
            manifest.fold.mean[i] = 0.1F * static_cast<float>(i) + 1e-7F;
            manifest.fold.sd[i] = 1.0F / 3.0F;
        }
        std::vector<std::byte> arena(manifest.arena_bytes);
        auto model = tinyml::Model::load(bytes, arena, reason);
        detect::State state;
        manifest.golden.steps = 2;
        manifest.golden.features[1][3] = 1.1F;
        for (std::size_t i = 0; i < manifest.golden.steps; ++i)
            manifest.golden.values[i] =
                detect::step(
                    state,
                    std::span{manifest.golden.features[i]}.first(detect::small_model_inputs),
                    manifest.fold,
                    *model
                )
                    .value;
        change(manifest);
        std::string text(bundle::envelope_bytes_max, ' ');
        return std::string{bundle::compose(manifest, R"({"why":"a test"})", std::span{text}).value()
        };
    }

    void upload(const std::string& name, const std::string& file, std::uint32_t level = 1) {
        const auto sent = registry->handle(Fixture::upload("/uploadQuantizedModel", name, file));
        ASSERT_EQ(sent.status, 200) << sent.body;
        const auto put = send("PUT", "/manifest/" + name, draft(name, file, level));
        ASSERT_EQ(put.status, 200) << put.body;
    }

    http::Response promote(const std::string& name, const std::string& who = Fixture::service) {
        return send("POST", "/api/v1/models/" + name + "/promote", "", who);
    }

    std::map<std::string, std::string> states() {
        std::map<std::string, std::string> made;
        for (const json& one : json::parse(send("GET", "/api/v1/models").body))
            made[one["name"]] =
                fmt::format("{} {}", one["state"].get<std::string>(), one["release"].get<int>());
        return made;
    }

    Fixture world;
    identity::Access access{world.tokens};
    std::unique_ptr<Registry> registry;
};

TEST_F(ModelsTest, each_kind_has_its_upload_its_listing_and_its_files) {
    const std::string model = tflite(-5);

    struct Kind {
        const char* upload;
        const char* path;
        std::string name;
        std::string content;
    };

    for (const Kind& kind :
         {Kind{"/uploadModel", "/full", "2026-11-23-03:00:00-model.zip", "PK"},
          Kind{"/uploadQuantizedModel", "/quantized", first, model},
          Kind{"/uploadNormalizedData", "/normalized_training_data", "n.csv", "a\n1\n"}}) {
        const auto sent = registry->handle(Fixture::upload(kind.upload, kind.name, kind.content));
        EXPECT_EQ(sent.status, 200) << kind.upload << sent.body;
        for (const std::string slash : {"", "/"}) {
            const auto list = send("GET", kind.path + slash);
            EXPECT_THAT(list.body, HasSubstr(">" + kind.name + "</a>"));
            EXPECT_THAT(list.body, HasSubstr(kind.path + ("/" + kind.name)));
        }
        const std::string file = std::string{kind.path} + "/" + kind.name;
        EXPECT_EQ(send("GET", file, "", Fixture::sensor).body, kind.content);
        EXPECT_EQ(send("GET", file, "", "").status, 401);
        EXPECT_EQ(send("DELETE", file).status, 405);
    }
    EXPECT_EQ(send("GET", "/OTA_bin").status, 200);
    EXPECT_EQ(send("GET", "/OTA_bin/none.bin").status, 404);
    EXPECT_EQ(send("GET", "/quantized/../manifest/x").status, 400);
}

TEST_F(ModelsTest, a_firmware_image_comes_in_only_signed_whole_and_newer) {
    const std::string key = Fixture::state + std::string{"/pki/model-signing.key"};
    const auto key_pem = world.doors.disk.read_all(key, 8192);
    ASSERT_TRUE(key_pem);
    const auto pack = [&](std::uint32_t release, const std::string& board = "b1") {
        const FirmwareFacts facts{.board = board, .version = "0.2.0", .release = release};
        return pack_firmware(world.doors, facts, "the image", *key_pem).value();
    };
    const auto send_up = [&](const std::string& name, const std::string& content) {
        return registry->handle(Fixture::upload("/uploadFirmware", name, content));
    };
    const auto refused = [&](const std::string& content, int status, const char* why) {
        const auto answer = send_up("x.bin", content);
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_THAT(answer.body, HasSubstr(why));
        EXPECT_EQ(send("GET", "/OTA_bin/x.bin").status, 404);
    };
    const std::string good = pack(2);
    EXPECT_EQ(send_up("2.bin", good).status, 200);
    EXPECT_EQ(send("GET", "/OTA_bin/2.bin", "", Fixture::sensor).body, good);
    EXPECT_THAT(send("GET", "/OTA_bin").body, HasSubstr(">2.bin</a>"));
    EXPECT_EQ(send("GET", "/OTA_bin/2.bin", "", "").status, 401);
    refused("the image", 400, "no firmware image");
    std::string changed = pack(3);
    changed[8] = 4;
    refused(changed, 400, "the site's key did not sign it");
    refused(pack(3) + "more", 400, "its size is not what its header says");
    changed = pack(3);
    changed.back() = static_cast<char>(changed.back() ^ 1);
    refused(changed, 400, "its hash is not its header's");
    refused(pack(2), 409, "release 2 does not rise: 2.bin has 2");
    refused(pack(1), 409, "release 1 does not rise");
    EXPECT_EQ(send_up("other.bin", pack(1, "b2")).status, 200);  // another board counts for itself
    EXPECT_EQ(send_up("3.bin", pack(3)).status, 200);
}

TEST_F(ModelsTest, it_says_which_paths_are_its_own) {
    for (const char* path :
         {"/full",
          "/full/",
          "/quantized/x",
          "/OTA_bin/x",
          "/manifest/x",
          "/api/v1/models",
          "/uploadModel",
          "/uploadFirmware",
          "/normalized_training_data/x"})
        EXPECT_TRUE(Registry::knows(path)) << path;
    for (const char* path : {"/", "/upload", "/fuller", "/full.csv", "/raw.csv"})
        EXPECT_FALSE(Registry::knows(path)) << path;
}

TEST_F(ModelsTest, a_model_that_the_runtime_would_refuse_is_refused_with_the_reason) {
    std::string broken = tflite(-5);
    broken.resize(broken.size() / 2);
    const auto sent = registry->handle(Fixture::upload("/uploadQuantizedModel", first, broken));
    EXPECT_EQ(sent.status, 400);
    EXPECT_THAT(sent.body, HasSubstr(first));
    EXPECT_EQ(send("GET", std::string{"/quantized/"} + first).status, 404);
}

TEST_F(ModelsTest, a_promoted_model_passes_every_check_of_a_receiver) {
    const std::string file = tflite(-5);
    upload(first, file);
    const std::string path = std::string{"/manifest/"} + first;
    EXPECT_EQ(send("GET", path).status, 404) << "unsigned: not for devices";
    const auto promoted = promote(first);
    ASSERT_EQ(promoted.status, 200) << promoted.body;
    const auto served = send("GET", path, "", Fixture::actor);
    EXPECT_EQ(served.body, promoted.body);

    Verifier verifier{
        world.tls, world.disk.read_all(world.site.pki("model-signing.pub"), 4096).value()
    };
    bundle::Receiver receiver{
        .device_class = "shaded-pole-motor", .feature_set = 0xA1B2C3D4, .arena_bytes_max = 1U << 20U
    };
    bundle::Refusal refusal;
    const auto bytes = std::as_bytes(std::span{file});
    const auto manifest = bundle::check(served.body, bytes, receiver, verifier, refusal);
    ASSERT_TRUE(manifest) << refusal.view();
    EXPECT_EQ(manifest->release, 1U);
    // The numbers are the maker's, bit for bit.
    const auto drafted = bundle::parse(draft(first, file));
    EXPECT_EQ(manifest->fold.mean, drafted->fold.mean);
    EXPECT_EQ(manifest->fold.sd, drafted->fold.sd);
    EXPECT_EQ(manifest->golden.values, drafted->golden.values);
    EXPECT_EQ(manifest->golden.features, drafted->golden.features);
    std::string tampered = served.body;
    const std::size_t at = tampered.find("\"release\":1");
    ASSERT_NE(at, std::string::npos);
    tampered[at + 10] = '9';
    EXPECT_FALSE(bundle::check(tampered, bytes, receiver, verifier, refusal));
    EXPECT_EQ(refusal.view(), "the signature does not verify");
}

TEST_F(ModelsTest, releases_rise_and_the_one_before_is_retired_per_class_and_level) {
    upload(first, tflite(-5));
    upload(second, tflite(-4));
    upload("edge.tflite", tflite(-3), 2);
    EXPECT_EQ(states()[first], "uploaded 0");
    ASSERT_EQ(promote(first).status, 200);
    ASSERT_EQ(promote("edge.tflite").status, 200);
    start();
    ASSERT_EQ(promote(second).status, 200);
    EXPECT_EQ(states()[first], "retired 1");
    EXPECT_EQ(states()[second], "promoted 2");
    EXPECT_EQ(states()["edge.tflite"], "promoted 1");
    EXPECT_EQ(promote(second).body, send("GET", std::string{"/manifest/"} + second).body)
        << "said twice: the same answer";
    EXPECT_EQ(states()[second], "promoted 2");
    // Back to the older one: a release of its own, so devices take it.
    ASSERT_EQ(promote(first).status, 200);
    EXPECT_EQ(states()[first], "promoted 3");
    EXPECT_EQ(states()[second], "retired 2");
}

TEST_F(ModelsTest, what_must_not_be_promoted_is_not) {
    EXPECT_EQ(promote("none.tflite").status, 404);
    EXPECT_EQ(promote("../x").status, 400);
    const std::string file = tflite(-5);
    ASSERT_EQ(registry->handle(Fixture::upload("/uploadQuantizedModel", first, file)).status, 200);
    EXPECT_EQ(promote(first).status, 404) << "no manifest";
    ASSERT_EQ(send("PUT", std::string{"/manifest/"} + first, draft(first, tflite(-4))).status, 200);
    EXPECT_EQ(promote(first).status, 400) << "the manifest of other bytes";
    ASSERT_EQ(send("PUT", std::string{"/manifest/"} + first, draft(first, file)).status, 200);
    EXPECT_EQ(promote(first, "").status, 401);
    EXPECT_EQ(promote(first, Fixture::actor).status, 403);
    EXPECT_EQ(promote(first, world.person("o", identity::Role::operator_)).status, 403);
    EXPECT_EQ(send("GET", std::string{"/manifest/"} + first).status, 404);
    EXPECT_EQ(promote(first, world.person("e", identity::Role::engineer)).status, 200);
    EXPECT_EQ(send("PUT", std::string{"/manifest/"} + first, draft(first, file)).status, 409)
        << "a promoted model's manifest is fixed";
}

TEST_F(ModelsTest, a_golden_sequence_that_would_hold_the_registry_up_is_not_run) {
    const std::string file = tflite(-5);
    const std::string path = std::string{"/manifest/"} + first;
    ASSERT_EQ(registry->handle(Fixture::upload("/uploadQuantizedModel", first, file)).status, 200);
    ASSERT_EQ(send("PUT", path, draft(first, file)).status, 200);
    tinyml::Reason reason;
    const std::uint64_t macs = tinyml::check(std::as_bytes(std::span{file}), reason)->macs;
    ASSERT_GT(macs, 0U);
    start(2 * macs - 1);  // the draft's has two steps
    const auto answer = promote(first);
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("its golden sequence of 2 steps takes"));
    EXPECT_EQ(states()[first], "uploaded 0");
    start(2 * macs);
    EXPECT_EQ(promote(first).status, 200);
}

TEST_F(ModelsTest, what_every_receiver_would_refuse_is_not_signed) {
    struct Lie {
        const char* why;
        std::function<void(bundle::Manifest&)> tell;
    };

    const std::string file = tflite(-5);
    const std::string path = std::string{"/manifest/"} + first;
    ASSERT_EQ(registry->handle(Fixture::upload("/uploadQuantizedModel", first, file)).status, 200);
    for (const Lie& lie :
         {Lie{"another arena", [](auto& manifest) { manifest.arena_bytes += 4; }},
          Lie{"a larger arena", [](auto& manifest) { manifest.arena_bytes = 0; }},
          Lie{"its inputs or outputs", [](auto& manifest) { manifest.fold.window_count = 2; }},
          Lie{"its golden sequence", [](auto& manifest) {
                  manifest.golden.values[1] = std::nextafter(manifest.golden.values[1], 1.0F);
              }}}) {
        ASSERT_EQ(send("PUT", path, draft(first, file, 1, lie.tell)).status, 200);
        const auto answer = promote(first);
        EXPECT_EQ(answer.status, 400) << lie.why;
        EXPECT_THAT(answer.body, HasSubstr(first));
        EXPECT_THAT(answer.body, HasSubstr(lie.why));
        EXPECT_EQ(states()[first], "uploaded 0");
        EXPECT_EQ(send("GET", path).status, 404);
    }
    ASSERT_EQ(send("PUT", path, draft(first, file)).status, 200);
    EXPECT_EQ(promote(first).status, 200);
    EXPECT_EQ(states()[first], "promoted 1");
}

TEST_F(ModelsTest, a_manifest_that_cannot_be_read_or_is_of_another_is_refused) {
    const std::string good = draft(first, tflite(-5));
    const std::string path = std::string{"/manifest/"} + first;
    EXPECT_EQ(send("PUT", path, "{}").status, 400);
    EXPECT_EQ(send("PUT", path, good.substr(0, good.size() / 2)).status, 400);
    EXPECT_EQ(send("PUT", std::string{"/manifest/"} + second, good).status, 400);
    EXPECT_EQ(send("PUT", "/manifest/..", good).status, 400);
    EXPECT_EQ(send("PUT", path, good, Fixture::actor).status, 403);
    EXPECT_EQ(send("POST", path, good).status, 405);
}

TEST_F(ModelsTest, without_its_key_it_promotes_nothing_and_says_why) {
    upload(first, tflite(-5));
    ASSERT_TRUE(world.disk.remove(world.site.pki("model-signing.key")));
    const auto answer = promote(first);
    EXPECT_GE(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("model-signing.key"));
    EXPECT_EQ(states()[first], "uploaded 0");
}

}  // namespace
}  // namespace stator::models
