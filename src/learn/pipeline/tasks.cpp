#include "learn/evaluate/evaluate.h"
#include "learn/package/package.h"
#include "learn/pipeline/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::pipeline {

namespace {

using runs::Row;
using runs::Use;
using Rows = std::vector<Row>;

constexpr std::array levels{1, 2};

// The newest quarter is never trained on: it judges.
std::pair<Rows, Rows> split(const Rows& rows) {
    const auto cut = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() - rows.size() / 4);
    return {Rows{rows.begin(), cut}, Rows{cut, rows.end()}};
}

struct Material {
    const asset::Asset* asset = nullptr;
    runs::DataSet data_set;
    Rows reference;
    Rows train;
    evaluate::Evidence evidence;
};

Outcome<Material> material_of(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const runs::DataSet& data_set
) {
    Material made;
    made.data_set = data_set;
    const auto found = std::ranges::find(options.assets, data_set.asset, [](const asset::Asset& a) {
        return a.id.view();
    });
    if (found == options.assets.end())
        return fail(
            base::Fault::bad_input, data_set.name + " is of an unknown asset, " + data_set.asset
        );
    made.asset = &*found;
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    auto csv = registry.normalised(data_set.name);
    if (!csv) return std::unexpected(csv.error());
    auto labelled = extract::read_normalised(*csv, *made.asset, data_set);
    if (!labelled) return std::unexpected(labelled.error());
    auto [train, unseen] = split(labelled->healthy);
    made.train = std::move(train);
    made.evidence.fresh = std::move(unseen);
    for (const auto& [use, into] :
         {std::pair{Use::reference, &made.reference}, std::pair{Use::kept, &made.evidence.kept}}) {
        auto rows = runs.rows(data_set.asset, use);
        if (!rows) return std::unexpected(rows.error());
        *into = std::move(*rows);
    }
    // From the book, not from the CSV: there the rows have their times, so alarms can be told
    // apart.
    auto faults = runs.rows(data_set.asset, Use::fault);
    if (!faults) return std::unexpected(faults.error());
    made.evidence.faults = evaluate::stretches(*faults);
    return made;
}

struct Made {
    package::Candidate candidate;
    std::string name;
    std::string manifest;
};

// Uploads under the first free second.
Outcome<void> upload(
    artifacts::Artifacts& registry,
    std::int64_t unix_ms,
    const std::string& card,
    const std::string& zipped,
    Made& made
) {
    constexpr int tries_max = 60;
    for (int i = 0; i < tries_max; ++i) {
        const std::int64_t at = unix_ms + i * std::int64_t{1000};
        made.name = artifacts::model_name(at, ".tflite");
        auto manifest = package::manifest_json(made.candidate, made.name, card);
        if (!manifest) return std::unexpected(manifest.error());
        made.manifest = std::move(*manifest);
        auto sent = registry.upload_quantised(made.name, made.candidate.tflite);
        if (!sent && sent.error().fault == base::Fault::exists) continue;
        if (!sent) return sent;
        if (auto done = registry.put_manifest(made.name, made.manifest); !done) return done;
        auto full = registry.upload_full(artifacts::model_name(at, ".zip"), zipped);
        // The zip is for people; under a taken name its bytes are another model's, so try the next.
        for (int k = 1; !full && full.error().fault == base::Fault::exists && k < tries_max; ++k)
            full = registry.upload_full(artifacts::model_name(at + k * 1000LL, ".zip"), zipped);
        return full;
    }
    return fail(
        base::Fault::again, "no free name for a model in the next minute; is the clock right?"
    );
}

Outcome<Made> make_level(
    doors::Doors& doors, const Options& options, const Material& material, int level
) {
    const asset::Asset& asset = *material.asset;
    auto trained = train::baseline(
        material.reference, material.train, asset.features.size(), level, options.train
    );
    if (!trained) return std::unexpected(trained.error());
    auto candidate = package::assemble(asset, *trained, material.train, level);
    if (!candidate) return std::unexpected(candidate.error());
    Made made{.candidate = std::move(*candidate), .name = {}, .manifest = {}};
    const std::string card = package::card_of(
        asset,
        *trained,
        made.candidate,
        material.data_set.name,
        material.reference.size() + material.train.size()
    );
    auto zipped = package::zip(
        {{"model.tflite", made.candidate.full},
         {"constants.json", package::constants_of(asset, trained->fold)},
         {"card.json", card}}
    );
    if (!zipped) return std::unexpected(zipped.error());
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    if (auto done = upload(registry, doors.clock.unix_ms(), card, *zipped, made); !done)
        return std::unexpected(done.error());
    return made;
}

Outcome<evaluate::Judgement> judge_level(
    runs::Runs& runs, const Material& material, const Made& made, int level
) {
    auto champion = runs.champion(material.data_set.asset, level);
    if (!champion) return std::unexpected(champion.error());
    const evaluate::Contender challenger{
        .name = made.name, .manifest = made.candidate.manifest, .tflite = made.candidate.tflite
    };
    if (!*champion) return evaluate::judge(nullptr, challenger, material.evidence);
    const auto manifest = bundle::parse((*champion)->manifest);
    if (!manifest)
        return fail(base::Fault::corrupt, (*champion)->name + ": its manifest cannot be read");
    const evaluate::Contender old{
        .name = (*champion)->name, .manifest = *manifest, .tflite = (*champion)->tflite
    };
    return evaluate::judge(&old, challenger, material.evidence);
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
    doors::Doors& doors, runs::Runs& runs, const Options& options, const runs::DataSet& data_set
) {
    auto material = material_of(doors, runs, options, data_set);
    if (!material) return std::unexpected(material.error());
    std::vector<runs::Model> models;
    std::string text;
    bool promote = true;
    for (const int level : levels) {
        auto made = make_level(doors, options, *material, level);
        if (!made) return std::unexpected(made.error());
        auto judgement = judge_level(runs, *material, *made, level);
        if (!judgement) return std::unexpected(judgement.error());
        promote = promote && judgement->promote;
        text += (text.empty() ? "" : "\n") + judgement->text;
        text += package::loss_text(made->candidate.accuracy) + "\n";
        models.push_back(
            {.name = made->name,
             .level = level,
             .manifest = made->manifest,
             .tflite = made->candidate.tflite}
        );
    }
    if (!promote) models.clear();
    auto transaction = database::Transaction::begin(runs.database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = runs.set_last_judgement(text); !done) return std::unexpected(done.error());
    if (auto done = runs.set_pending(data_set.name, models); !done)
        return std::unexpected(done.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    doors.journal.info("learn", text);
    return models;
}

}  // namespace

Outcome<std::string> look_for_drift(
    doors::Doors& doors,
    runs::Runs& runs,
    const asset::Asset& asset,
    const Options& options,
    const std::string& raw_name
) {
    const std::string id{asset.id.view()};
    auto extracted = extract::extract(doors, runs, asset, options.extract, raw_name);
    if (!extracted) return std::unexpected(extracted.error());
    doors.journal.info(
        "learn",
        fmt::format(
            "{}: {} rows may train, {} wait for a verdict, {} are of confirmed faults",
            id,
            extracted->fresh,
            extracted->held,
            extracted->fault
        )
    );
    if (extracted->alarm_lasts) {
        doors.journal.info("learn", id + ": an alarm lasts, nothing is learnt until it ends");
        return std::string{};
    }
    auto awaited = runs.awaited(id);
    if (!awaited) return std::unexpected(awaited.error());
    if (extracted->data_set.empty() || !awaited->empty()) return std::string{};

    auto reference = runs.rows(id, Use::reference);
    if (!reference) return std::unexpected(reference.error());
    auto fresh = runs.rows(id, Use::fresh);
    if (!fresh) return std::unexpected(fresh.error());
    const drift::Finding finding = drift::compare(asset, *reference, *fresh, options.drift);
    doors.journal.info("learn", finding.text);
    if (auto done = runs.set_last_drift(finding.text); !done) return std::unexpected(done.error());
    switch (finding.kind) {
        case drift::Kind::commissioning:
        case drift::Kind::drifted:
            return extracted->data_set;
        case drift::Kind::unsettled:
            fresh->resize(fresh->size() / 2);
            [[fallthrough]];
        case drift::Kind::none:
            if (auto done = runs.set_use(id, *fresh, Use::kept); !done)
                return std::unexpected(done.error());
            if (auto done = runs.trim(id, Use::kept, options.kept_max); !done)
                return std::unexpected(done.error());
            return std::string{};
        case drift::Kind::too_few:
            return std::string{};
    }
    return std::string{};
}

Outcome<bool> train_and_judge(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
) {
    auto known = runs.data_set(data_set);
    if (!known) return std::unexpected(known.error());
    if (!*known)
        return fail(
            base::Fault::bad_input,
            data_set + " was not made here: its constants are not known, extract it again"
        );
    auto models = runs.pending(data_set);
    if (!models) return std::unexpected(models.error());
    if (models->empty()) models = challenge(doors, runs, options, **known);
    if (!models) return std::unexpected(models.error());
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    for (const runs::Model& model : *models)
        if (auto done = registry.promote(model.name); !done) return std::unexpected(done.error());
    if (auto done = finish(runs, **known, *models); !done) return std::unexpected(done.error());
    return !models->empty();
}

}  // namespace stator::pipeline
