#include "learn/package/full.h"
#include "learn/pipeline/pipeline_fixture_test.h"
#include "shared/bundle/manifest.h"
#include "shared/tinyml/model.h"
#include "world/json/json.h"

namespace stator::pipeline {
namespace {

// A model as tinyml runs it, with what it needs.
struct Ready {
    explicit Ready(std::string tflite) : file{std::move(tflite)} {
        tinyml::Reason reason;
        const auto needs = tinyml::check(std::as_bytes(std::span{file}), reason);
        EXPECT_TRUE(needs) << reason.view();
        arena.resize(needs->arena_bytes);
        model = *tinyml::Model::load(std::as_bytes(std::span{file}), arena, reason);
    }

    double run(const quantise::Row& row) {
        float out = 0;
        model->invoke(row, std::span{&out, 1});
        return static_cast<double>(out);
    }

    std::string file;
    std::vector<std::byte> arena;
    std::optional<tinyml::Model> model;
};

TEST_F(PipelineTest, TheFullPrecisionZipHoldsWhatTheInt8ModelWasMadeOfAndWhatThatCost) {
    record(240, 0.0F);
    turn();
    ASSERT_THAT(registry.promoted, SizeIs(2)) << journal.text();
    ASSERT_THAT(registry.full, SizeIs(2));
    auto zipped = registry.full.begin();
    for (int level = 1; level <= 2; ++level, ++zipped) {
        const std::string& name = registry.promoted[static_cast<std::size_t>(level - 1)];
        const auto entries = *package::unzip(zipped->second, zipped->first);
        ASSERT_THAT(entries, SizeIs(4));
        const auto draft = nlohmann::json::parse(registry.manifests.at(name));
        const auto manifest = bundle::parse(registry.manifests.at(name));
        const auto constants = nlohmann::json::parse(entries.at("constants.json"));
        const auto card = nlohmann::json::parse(entries.at("card.json"));
        const auto& told = draft.at("card");  // the zip's card and what quantising cost
        for (const auto& [member, value] : card.items())
            if (member != "level") {
                EXPECT_EQ(value, told.at(member)) << member;
            }
        EXPECT_EQ(constants["feature_set"], draft.at("feature_set"));
        EXPECT_EQ(constants["window_count"], manifest->fold.window_count);
        ASSERT_EQ(constants["features"].size(), motor.features.size());
        for (std::size_t i = 0; i < motor.features.size(); ++i) {
            const auto& feature = constants["features"][i];
            EXPECT_EQ(feature["name"], asset::feature_name(motor, i).view());
            EXPECT_EQ(feature["mean"].get<float>(), manifest->fold.mean[i]);
            EXPECT_EQ(feature["sd"].get<float>(), manifest->fold.sd[i]);
        }
        Ready full{entries.at("model.tflite")};
        Ready small{registry.quantised.at(name)};
        EXPECT_EQ(full.model->needs().input_count, small.model->needs().input_count);
        const train::Trained trained = trained_again(level);
        double sum = 0;
        double worst = 0;
        double flips = 0;
        for (const quantise::Row& row : trained.windows) {
            const double exact = full.run(row);
            const double given = small.run(row);
            sum += std::abs(exact - given);
            worst = std::max(worst, std::abs(exact - given));
            flips += (exact >= 0.5) != (given >= 0.5) ? 1 : 0;
        }
        const auto rows = static_cast<double>(trained.windows.size());
        EXPECT_NEAR(told.at("quantising_mean_loss").get<double>(), sum / rows, 1e-5);
        EXPECT_NEAR(told.at("quantising_worst_loss").get<double>(), worst, 1e-5);
        EXPECT_NEAR(told.at("quantising_flips").get<double>(), flips / rows, 1e-9);
        EXPECT_GT(told.at("quantising_limit_rows").get<int>(), 0);
        EXPECT_GT(told.at("quantising_limit_loss").get<double>(), 0.0);
        EXPECT_LT(told.at("quantising_limit_loss").get<double>(), 0.08);
        EXPECT_EQ(card.at("limit_distance").get<double>(), trained.limit);
        EXPECT_THAT(
            *pipeline->runs().last_judgement(),
            HasSubstr(
                fmt::format("near the limit {:.4f}", told.at("quantising_limit_loss").get<double>())
            )
        );
    }
}

TEST_F(PipelineTest, EachTaskRunsByItself) {
    record(240, 0.0F);
    auto& runs = pipeline->runs();
    const auto raw = registry.raw.begin()->first;
    const auto data_set = look_for_drift(doors, runs, motor, options, raw);
    ASSERT_TRUE(data_set) << data_set.error().what;
    ASSERT_FALSE(data_set->empty());
    const auto too_early = quantise_and_judge(doors, runs, options, *data_set);
    ASSERT_FALSE(too_early);
    EXPECT_THAT(too_early.error().what, HasSubstr("no model was trained on it yet"));
    const auto trained = train_models(doors, runs, options, *data_set);
    ASSERT_TRUE(trained) << trained.error().what;
    ASSERT_THAT(*trained, SizeIs(2));
    for (const std::string& name : *trained)
        EXPECT_TRUE(registry.full.contains(name)) << name;
    EXPECT_THAT(registry.quantised, IsEmpty());
    const auto promoted = quantise_and_judge(doors, runs, options, *data_set);
    ASSERT_TRUE(promoted) << promoted.error().what;
    EXPECT_TRUE(*promoted);
    ASSERT_THAT(registry.promoted, SizeIs(2));
    for (std::size_t i = 0; i < 2; ++i) {  // the int8 model has its full-precision model's second
        const std::string& full = trained->at(i);
        EXPECT_EQ(registry.promoted[i], full.substr(0, full.rfind('.')) + ".tflite");
    }
}

// The family of each full-precision model in the registry, in order.
std::vector<std::string> families(const Registry& registry) {
    std::vector<std::string> made;
    for (const auto& [name, zipped] : registry.full) {
        const auto entries = *package::unzip(zipped, name);
        made.push_back(nlohmann::json::parse(entries.at("card.json")).at("family"));
    }
    return made;
}

TEST_F(PipelineTest, AClassifierIsTrainedOnceTwoFaultsWereConfirmedAndABaselineUntilThen) {
    options.train.family = train::Family::classifier;
    options.train.epochs = 40;
    start();
    record(240, 0.0F);
    turn();
    EXPECT_THAT(families(registry), testing::ElementsAre("baseline", "baseline"));
    EXPECT_TRUE(journal.told("no classifier yet (0 windows of faults")) << journal.text();
    for (int i = 0; i < 2; ++i) {
        const std::int64_t from = record(150, 3.0F);
        alarms::Episode episode{
            .device = device,
            .level = 1,
            .start_unix_ms = from,
            .end_unix_ms = time_ms,
            .model = "m",
            .verdict = "true"
        };
        ASSERT_TRUE(alarms->save(episode));
        turn();
        record(240, 0.0F);
        turn();
    }
    const std::string last = registry.normalised.rbegin()->first;
    const auto trained = train_models(doors, pipeline->runs(), options, last);
    ASSERT_TRUE(trained) << trained.error().what;
    EXPECT_THAT(
        families(registry), testing::ElementsAre("baseline", "baseline", "classifier", "classifier")
    ) << journal.text();
    const auto promoted = quantise_and_judge(doors, pipeline->runs(), options, last);
    ASSERT_TRUE(promoted) << promoted.error().what;
    EXPECT_TRUE(*promoted) << *pipeline->runs().last_judgement();
}

TEST_F(PipelineTest, AFullModelThatWasSpoiledInTheRegistryIsNotQuantised) {
    record(240, 0.0F);
    auto& runs = pipeline->runs();
    const auto data_set = look_for_drift(doors, runs, motor, options, registry.raw.begin()->first);
    ASSERT_TRUE(data_set && train_models(doors, runs, options, *data_set));
    registry.full.begin()->second[100] ^= 1;
    const auto judged = quantise_and_judge(doors, runs, options, *data_set);
    ASSERT_FALSE(judged);
    EXPECT_EQ(judged.error().fault, base::Fault::corrupt);
    EXPECT_THAT(judged.error().what, HasSubstr(registry.full.begin()->first));
    EXPECT_THAT(registry.promoted, IsEmpty());
}

}  // namespace
}  // namespace stator::pipeline
