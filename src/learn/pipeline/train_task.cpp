#include "learn/package/full.h"
#include "learn/pipeline/material.h"

#include <fmt/format.h>

namespace stator::pipeline {

namespace {

// Uploads under the first free second and returns the name.
Outcome<std::string> upload(
    artifacts::Artifacts& registry, std::int64_t unix_ms, const std::string& zipped
) {
    constexpr int tries_max = 60;
    for (int i = 0; i < tries_max; ++i) {
        std::string name = artifacts::model_name(unix_ms + i * std::int64_t{1000}, ".zip");
        const auto sent = registry.upload_full(name, zipped);
        if (sent) return name;
        if (sent.error().fault != base::Fault::exists) return std::unexpected(sent.error());
    }
    return fail(
        base::Fault::again, "no free name for a model in the next minute; is the clock right?"
    );
}

Outcome<train::Trained> train_level(
    journal::Journal& journal, const Material& material, const train::Config& config, int level
) {
    const std::size_t features = material.asset->features.size();
    if (config.family == train::Family::classifier) {
        auto trained = train::classifier(
            material.reference, material.train, material.faults, features, level, config
        );
        if (trained || trained.error().fault != base::Fault::bad_input) return trained;
        journal.info(
            "learn",
            fmt::format(
                "{}: level {}: no classifier yet ({}), so a baseline: it needs alarms that a "
                "person "
                "called true, and one more of them to be judged by",
                material.asset->id.view(),
                level,
                trained.error().what
            )
        );
    }
    return train::baseline(material.reference, material.train, features, level, config);
}

}  // namespace

Outcome<std::vector<std::string>> train_models(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
) {
    auto material = material_of(doors, runs, options, data_set);
    if (!material) return std::unexpected(material.error());
    const asset::Asset& asset = *material->asset;
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    std::vector<std::string> names;
    for (const int level : levels) {
        auto trained = train_level(doors.journal, *material, options.train, level);
        if (!trained) return std::unexpected(trained.error());
        const package::Full full{
            .trained = std::move(*trained),
            .level = level,
            .data_set = data_set,
            .rows = material->reference.size() + material->train.size()
        };
        auto zipped = package::write_full(asset, full);
        if (!zipped) return std::unexpected(zipped.error());
        auto name = upload(registry, doors.clock.unix_ms(), *zipped);
        if (!name) return std::unexpected(name.error());
        if (auto done = runs.add_full_model(data_set, {.level = level, .name = *name}); !done)
            return std::unexpected(done.error());
        names.push_back(std::move(*name));
    }
    return names;
}

}  // namespace stator::pipeline
