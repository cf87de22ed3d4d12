#include "learn/package/package.h"

#include "shared/bundle/compose.h"
#include "shared/tinyml/model.h"
#include "world/json/json.h"
#include "world/tls/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace stator::package {

namespace {

using nlohmann::json;

// Healthy rows first, then rows that leave the baseline step by step, each feature its own way: the
// values go from quiet over the limit to full.
Outcome<void> make_golden(
    const std::vector<runs::Row>& rows, Candidate& candidate, tinyml::Model& model
) {
    constexpr std::size_t healthy_steps = 20;
    constexpr float step_sd = 0.6F;
    bundle::Golden& golden = candidate.manifest.golden;
    const detect::Parameters& fold = candidate.manifest.fold;
    if (rows.empty()) return fail(base::Fault::bad_input, "no rows for the golden sequence");
    golden.steps = bundle::golden_steps_max;
    detect::State state;
    for (std::size_t i = 0; i < golden.steps; ++i) {
        const auto& base = rows[i % std::min(rows.size(), healthy_steps)].features;
        const float beyond =
            i < healthy_steps ? 0.0F : step_sd * static_cast<float>(i - healthy_steps);
        for (std::size_t k = 0; k < fold.feature_count; ++k) {
            const float sign = (k + i / 7) % 3 == 2 ? -1.0F : 1.0F;
            golden.features[i][k] = base[k] + sign * beyond * fold.sd[k];
        }
        const detect::Verdict verdict = detect::step(
            state, std::span{golden.features[i]}.first(fold.feature_count), fold, model
        );
        golden.values[i] = verdict.value;
    }
    return {};
}

}  // namespace

Outcome<Candidate> assemble(
    const asset::Asset& asset,
    const train::Trained& trained,
    const std::vector<runs::Row>& rows,
    int level
) {
    Candidate made;
    auto small = quantise::quantise(
        trained.network, trained.windows, quantise::options_for(trained.network)
    );
    if (!small) return std::unexpected(small.error());
    made.tflite = std::move(small->tflite);
    made.accuracy = small->accuracy;

    const auto bytes = std::as_bytes(std::span{made.tflite});
    tinyml::Reason reason;
    const auto needs = tinyml::check(bytes, reason);
    if (!needs)
        return fail(base::Fault::corrupt, fmt::format("the quantised model: {}", reason.view()));
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = tinyml::Model::load(bytes, arena, reason);
    if (!model)
        return fail(base::Fault::corrupt, fmt::format("the quantised model: {}", reason.view()));

    bundle::Manifest& manifest = made.manifest;
    manifest.device_class = asset.device_class;
    manifest.level = static_cast<std::uint32_t>(level);
    const tls::Sha256 digest = tls::sha256(made.tflite);
    std::ranges::copy(digest, manifest.tflite_sha256.begin());
    manifest.tflite_bytes = made.tflite.size();
    manifest.arena_bytes = needs->arena_bytes;
    manifest.feature_set = asset::feature_set_hash(asset);
    manifest.fold = trained.fold;
    if (auto done = make_golden(rows, made, *model); !done) return std::unexpected(done.error());
    return made;
}

Outcome<std::string> manifest_json(
    Candidate& candidate, const std::string& name, std::string_view card
) {
    candidate.manifest.name = std::string_view{name};
    std::string buffer(bundle::envelope_bytes_max, '\0');
    const auto made = bundle::compose(candidate.manifest, card, buffer);
    if (!made) return fail(made.error(), name + ": the manifest does not fit its envelope");
    return std::string{*made};
}

std::string card_of(
    const asset::Asset& asset,
    const train::Trained& trained,
    const Candidate& candidate,
    const std::string& data_set,
    std::size_t rows
) {
    const Family family = family_of(trained.network);
    return json{
        {"family", family.name},
        {"asset", std::string{asset.id.view()}},
        {"data_set", data_set},
        {"rows", rows},
        {"limit_" + family.measure, trained.limit},
        {"healthy_p99_" + family.measure, trained.p99},
        {"quantising_mean_loss", candidate.accuracy.mean_loss},
        {"quantising_worst_loss", candidate.accuracy.worst_loss},
        {"quantising_limit_loss", candidate.accuracy.limit_loss},
        {"quantising_limit_rows", candidate.accuracy.limit_rows},
        {"quantising_flips", candidate.accuracy.flips},
    }
        .dump();
}

std::string loss_text(const quantise::Report& accuracy) {
    return fmt::format(
        "int8 against float32 on {} rows: mean loss {:.4f}, worst {:.4f}; near the limit {:.4f} on"
        " {} rows; {:.2f} % change sides",
        accuracy.rows,
        accuracy.mean_loss,
        accuracy.worst_loss,
        accuracy.limit_loss,
        accuracy.limit_rows,
        100 * accuracy.flips
    );
}

Family family_of(const quantise::Network& network) {
    const bool classifies = std::ranges::none_of(network.layers, [](const quantise::Layer& layer) {
        return std::holds_alternative<quantise::Sum>(layer);
    });
    return classifies ? Family{.name = "classifier", .measure = "value"}
                      : Family{.name = "baseline", .measure = "distance"};
}

std::string constants_of(const asset::Asset& asset, const detect::Parameters& fold) {
    json features = json::array();
    for (std::size_t i = 0; i < fold.feature_count; ++i)
        features.push_back(
            {{"name", std::string{asset::feature_name(asset, i).view()}},
             {"mean", fold.mean[i]},
             {"sd", fold.sd[i]}}
        );
    return json{
        {"feature_set", fmt::format("{:08x}", asset::feature_set_hash(asset))},
        {"features", features},
        {"smooth_count", fold.smooth_count},
        {"window_count", fold.window_count},
        {"range_sd", fold.range_sd},
    }
        .dump(1);
}

}  // namespace stator::package
