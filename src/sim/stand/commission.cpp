#include "sim/stand/commission.h"

#include "learn/package/package.h"
#include "learn/train/train.h"
#include "sense/proof/lock_step.h"
#include "shared/signal/extract.h"
#include "sim/stand/stand.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace stator::stand {

namespace {

std::vector<runs::Row> healthy_rows(const Wish& wish, const asset::Asset& asset) {
    plant::Plant plant{wish.seed, asset};
    signal::Workspace workspace;
    std::array<std::uint16_t, signal::waveform_samples> counts{};
    std::vector<runs::Row> rows;
    const double interval_s = wish.interval_ms / 1e3;
    for (double now_s = interval_s; now_s <= commissioning_s; now_s += interval_s) {
        plant.advance_to(now_s);
        runs::Row row;
        row.features.resize(asset::features_max);
        for (std::size_t i = 0; i < asset.channels.size(); ++i) {
            const auto frame =
                std::span{counts}.first(signal::frame_samples(asset.channels[i].sampling));
            static_cast<void>(plant.read(i, frame));
            signal::extract(asset, i, frame, workspace, row.features);
        }
        row.features.resize(asset.features.size());
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string signed_envelope(const std::string& manifest) {
    std::string text;
    for (const std::uint8_t byte : proof::Verifier::sign(manifest))
        text += fmt::format("{:02x}", byte);
    return text + "\n" + manifest;
}

std::string word(std::size_t value) {
    std::string bytes;
    for (unsigned i = 0; i < 4; ++i)
        bytes += static_cast<char>(value >> 8 * i & 0xFFU);
    return bytes;
}

}  // namespace

Outcome<std::string> commission(const Wish& wish) {
    const asset::Asset asset = proof::lock_step_asset();
    const std::vector<runs::Row> rows = healthy_rows(wish, asset);
    auto trained = train::baseline({}, rows, asset.features.size(), 1, {});
    if (!trained) return std::unexpected{trained.error()};
    auto candidate = package::assemble(asset, *trained, rows, 1);
    if (!candidate) return std::unexpected{candidate.error()};
    candidate->manifest.release = 1;
    proof::Verifier{}.sha256(
        std::as_bytes(std::span{candidate->tflite}), candidate->manifest.tflite_sha256
    );
    auto manifest =
        package::manifest_json(*candidate, std::string{proof::lock_step_model}, std::string_view{});
    if (!manifest) return std::unexpected{manifest.error()};
    const std::string envelope = signed_envelope(*manifest);
    return word(wish.interval_ms) + word(wish.frames) + word(envelope.size()) +
           word(candidate->tflite.size()) + envelope + candidate->tflite;
}

}  // namespace stator::stand
