#include "learn/evaluate/evaluate.h"
#include "learn/package/full.h"
#include "learn/package/package.h"
#include "learn/pipeline/material.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::pipeline {

namespace {

using runs::Row;
using runs::Use;

Outcome<evaluate::Evidence> evidence_of(runs::Runs& runs, const Material& material) {
    evaluate::Evidence made;
    made.fresh = material.unseen;
    auto kept = runs.rows(material.data_set.asset, Use::kept);
    if (!kept) return std::unexpected(kept.error());
    made.kept = std::move(*kept);
    // From the book, not from the CSV: there the rows have their times, so alarms can be told
    // apart.
    auto faults = runs.rows(material.data_set.asset, Use::fault);
    if (!faults) return std::unexpected(faults.error());
    made.faults = evaluate::stretches(*faults);
    return made;
}

struct Made {
    package::Candidate candidate;
    int level = 1;
    std::string name;
    std::string manifest;
};

// Uploads under the full model's own second, or the next free one.
Outcome<void> upload(
    artifacts::Artifacts& registry,
    const std::string& full_name,
    std::int64_t unix_ms,
    const std::string& card,
    Made& made
) {
    constexpr int tries_max = 60;
    for (int i = 0; i < tries_max; ++i) {
        made.name = i == 0 ? full_name.substr(0, full_name.rfind('.')) + ".tflite"
                           : artifacts::model_name(unix_ms + i * std::int64_t{1000}, ".tflite");
        auto manifest = package::manifest_json(made.candidate, made.name, card);
        if (!manifest) return std::unexpected(manifest.error());
        made.manifest = std::move(*manifest);
        auto sent = registry.upload_quantised(made.name, made.candidate.tflite);
        if (!sent && sent.error().fault == base::Fault::exists) continue;
        if (!sent) return sent;
        return registry.put_manifest(made.name, made.manifest);
    }
    return fail(
        base::Fault::again, "no free name for a model in the next minute; is the clock right?"
    );
}

// Fetches a full-precision model, quantises it on the rows that it was trained on, and uploads it.
Outcome<Made> quantise_level(
    doors::Doors& doors,
    const Options& options,
    const Material& material,
    const std::string& full_name
) {
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    auto zipped = registry.full(full_name);
    if (!zipped) return std::unexpected(zipped.error());
    auto full = package::read_full(*zipped, full_name);
    if (!full) return std::unexpected(full.error());
    train::Trained& trained = full->trained;
    if (full->data_set != material.data_set.name ||
        trained.fold.feature_count != material.asset->features.size())
        return fail(
            base::Fault::corrupt,
            fmt::format("{} is a model of {}, not of this data set", full_name, full->data_set)
        );
    trained.windows = train::windows_of(material.reference, trained.fold);
    std::ranges::move(
        train::windows_of(material.train, trained.fold), std::back_inserter(trained.windows)
    );
    // It decides inside what it has seen, faults too: its input's range must hold them.
    if (package::family_of(trained.network).name == "classifier")
        for (const std::vector<Row>& stretch : material.faults)
            std::ranges::move(
                train::windows_of(stretch, trained.fold), std::back_inserter(trained.windows)
            );
    auto candidate = package::assemble(*material.asset, trained, material.train, full->level);
    if (!candidate) return std::unexpected(candidate.error());
    Made made{.candidate = std::move(*candidate), .level = full->level, .name = {}, .manifest = {}};
    const std::string card = package::card_of(
        *material.asset, trained, made.candidate, material.data_set.name, full->rows
    );
    if (auto done = upload(registry, full_name, doors.clock.unix_ms(), card, made); !done)
        return std::unexpected(done.error());
    return made;
}

Outcome<evaluate::Judgement> judge_level(
    runs::Runs& runs, const Material& material, const evaluate::Evidence& evidence, const Made& made
) {
    auto champion = runs.champion(material.data_set.asset, made.level);
    if (!champion) return std::unexpected(champion.error());
    const evaluate::Contender challenger{
        .name = made.name, .manifest = made.candidate.manifest, .tflite = made.candidate.tflite
    };
    if (!*champion) return evaluate::judge(nullptr, challenger, evidence);
    const auto manifest = bundle::parse((*champion)->manifest);
    if (!manifest)
        return fail(base::Fault::corrupt, (*champion)->name + ": its manifest cannot be read");
    const evaluate::Contender old{
        .name = (*champion)->name, .manifest = *manifest, .tflite = (*champion)->tflite
    };
    return evaluate::judge(&old, challenger, evidence);
}

Outcome<void> finish(
    runs::Runs& runs, const runs::DataSet& data_set, const std::vector<runs::Model>& promoted
) {
    auto transaction = database::Transaction::begin(runs.database());
    if (!transaction) return std::unexpected(transaction.error());
    if (!promoted.empty()) {
        auto rows = runs.rows(data_set.asset, Use::fresh);
        if (!rows) return std::unexpected(rows.error());
        std::erase_if(*rows, [&](const Row& row) {
            return row.time_unix_ms > data_set.until_unix_ms;
        });
        const auto [train, unseen] = split(*rows);
        if (auto done = runs.set_use(data_set.asset, train, Use::reference); !done) return done;
        if (auto done = runs.set_use(data_set.asset, unseen, Use::kept); !done) return done;
    }
    for (const runs::Model& model : promoted)
        if (auto done = runs.set_champion(data_set.asset, model); !done) return done;
    if (auto done = runs.set_pending(data_set.name, {}); !done) return done;
    if (auto done = runs.set_awaited(data_set.asset, ""); !done) return done;
    if (auto done = runs.set_done("train-model", data_set.name); !done) return done;
    return transaction->commit();
}

// The models that are to be promoted; none when a level objects. Kept over a kill.
Outcome<std::vector<runs::Model>> challenge(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
) {
    auto full = runs.full_models(data_set);
    if (!full) return std::unexpected(full.error());
    if (full->empty())
        return fail(base::Fault::bad_input, data_set + ": no model was trained on it yet");
    auto material = material_of(doors, runs, options, data_set);
    if (!material) return std::unexpected(material.error());
    auto evidence = evidence_of(runs, *material);
    if (!evidence) return std::unexpected(evidence.error());
    std::vector<runs::Model> models;
    std::string text;
    bool promote = true;
    for (const runs::Runs::Full& source : *full) {
        auto made = quantise_level(doors, options, *material, source.name);
        if (!made) return std::unexpected(made.error());
        auto judgement = judge_level(runs, *material, *evidence, *made);
        if (!judgement) return std::unexpected(judgement.error());
        promote = promote && judgement->promote;
        text += (text.empty() ? "" : "\n") + judgement->text;
        text += package::loss_text(made->candidate.accuracy) + "\n";
        models.push_back(
            {.name = made->name,
             .level = made->level,
             .manifest = made->manifest,
             .tflite = made->candidate.tflite}
        );
    }
    if (!promote) models.clear();
    auto transaction = database::Transaction::begin(runs.database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = runs.set_last_judgement(text); !done) return std::unexpected(done.error());
    if (auto done = runs.set_pending(data_set, models); !done) return std::unexpected(done.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    doors.journal.info("learn", text);
    return models;
}

}  // namespace

Outcome<bool> quantise_and_judge(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
) {
    auto known = runs.data_set(data_set);
    if (!known) return std::unexpected(known.error());
    if (!*known) return fail(base::Fault::bad_input, data_set + " was not made here");
    auto models = runs.pending(data_set);
    if (!models) return std::unexpected(models.error());
    if (models->empty()) models = challenge(doors, runs, options, data_set);
    if (!models) return std::unexpected(models.error());
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    for (const runs::Model& model : *models)
        if (auto done = registry.promote(model.name); !done) return std::unexpected(done.error());
    if (auto done = finish(runs, **known, *models); !done) return std::unexpected(done.error());
    return !models->empty();
}

}  // namespace stator::pipeline
