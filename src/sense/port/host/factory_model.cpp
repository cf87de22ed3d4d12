#include "sense/port/host/factory_model.h"

#include "sense/factory/model.h"
#include "sense/port/host/signature.h"
#include "shared/bundle/manifest.h"
#include "shared/tinyml/model.h"

#include <span>
#include <vector>

namespace stator::host {
namespace {

std::string file_in(const std::string& directory) {
    return directory + "/factory_model.bin";
}

}  // namespace

Outcome<std::string> make_factory_model(
    doors::Doors& doors,
    const std::string& file,
    const std::string& public_pem,
    const asset::Asset& asset
) {
    const auto tflite = doors.disk.read_all(file, factory_model_bytes_max);
    if (!tflite) return std::unexpected{tflite.error()};
    const auto envelope = doors.disk.read_all(file + ".manifest", bundle::envelope_bytes_max);
    if (!envelope) return std::unexpected{envelope.error()};
    const auto bytes = std::as_bytes(std::span{*tflite});
    Signature verifier{doors.tls, public_pem};
    std::vector<std::byte> arena(64U << 10U);
    const bundle::Receiver receiver{
        .device_class = asset.device_class,
        .level = 1,
        .release = 0,
        .feature_set = asset::feature_set_hash(asset),
        .arena_bytes_max = arena.size(),
    };
    bundle::Refusal refusal;
    const auto manifest = bundle::check(*envelope, bytes, receiver, verifier, refusal);
    if (!manifest) return fail(manifest.error(), file + ": " + std::string{refusal.view()});
    tinyml::Reason reason;
    auto model = tinyml::Model::load(bytes, arena, reason);
    if (!model) return fail(model.error(), file + ": " + std::string{reason.view()});
    if (!bundle::run_golden(*manifest, *model, refusal))
        return fail(base::Fault::bad_input, file + ": " + std::string{refusal.view()});

    std::vector<std::byte> into(factory_model_bytes_max);
    const auto made = factory::write_model({.envelope = *envelope, .tflite = bytes}, into);
    if (!made) return fail(made.error(), file + " is larger than a board's place for it");
    return std::string{reinterpret_cast<const char*>(made->data()), made->size()};
}

Outcome<void> write_factory_model(
    doors::Doors& doors, const std::string& directory, const std::string& bytes
) {
    constexpr unsigned read_only = 0400;
    return doors.disk.replace(file_in(directory), bytes, read_only);
}

Outcome<std::string> factory_model_in(doors::Doors& doors, const std::string& directory) {
    if (!doors.disk.exists(file_in(directory))) return std::string{};
    return doors.disk.read_all(file_in(directory), factory_model_bytes_max);
}

}  // namespace stator::host
