#include "decide/level2/models.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>

namespace stator::level2 {

namespace {

constexpr std::size_t key_bytes_max = 4096;

class DoorVerifier final : public bundle::Verifier {
  public:
    DoorVerifier(tls::Tls& tls, std::string public_key)
        : tls_{tls}, public_key_{std::move(public_key)} {}

    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override {
        tls::Signature raw{};
        std::copy(signature.begin(), signature.end(), raw.begin());
        return tls_.verify(public_key_, bytes, raw);
    }

    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override {
        std::string text(bytes.size(), '\0');
        std::transform(bytes.begin(), bytes.end(), text.begin(), [](std::byte b) {
            return static_cast<char>(std::to_integer<unsigned char>(b));
        });
        const tls::Sha256 made = tls::sha256(text);
        std::copy(made.begin(), made.end(), digest.begin());
    }

  private:
    tls::Tls& tls_;
    std::string public_key_;
};

Outcome<std::string> get(
    doors::Doors& doors, const ModelOptions& options, std::string url, std::size_t bytes_max
) {
    http::ClientRequest request;
    request.url = std::move(url);
    request.ca_file = options.ca_file;
    request.certificate_file = options.certificate_file;
    request.key_file = options.key_file;
    request.body_bytes_max = bytes_max;
    auto response = doors.http.request(request);
    if (!response) return fail(base::Fault::again, response.error().what);
    if (response->status == 404)
        return fail(base::Fault::not_found, request.url + " is not there (404)");
    if (response->status != 200)
        return fail(
            base::Fault::again, fmt::format("{} answered {}", request.url, response->status)
        );
    return std::move(response->body);
}

std::string kept_file(const ModelOptions& options, std::string_view name) {
    return options.directory + "/kept-" + http::percent_encode(name);
}

// Whom it is for is looked at first: what is not meant for us is no fault of anybody's.
Outcome<const asset::Asset*> meant_for(
    std::span<const asset::Asset> assets, const std::string& envelope, const std::string& name
) {
    const auto opened = bundle::open_envelope(envelope);
    if (!opened) return fail(base::Fault::bad_input, name + ": the manifest has no signature line");
    const auto meant = bundle::parse(opened->json);
    if (!meant) return fail(base::Fault::bad_input, name + ": the manifest cannot be read");
    for (const asset::Asset& asset : assets)
        if (meant->level == 2 && meant->device_class == asset.device_class) return &asset;
    return fail(base::Fault::not_found, name + " is for another class or level");
}

// The other engine must take the file, and come to tinyml's golden verdicts.
Outcome<void> open_engine(tflite::Engines& engines, RunningModel& model) {
    auto engine = engines.load(model.file);
    if (!engine) return std::unexpected(engine.error());
    model.engine = std::move(*engine);
    const bundle::Manifest& manifest = model.manifest;
    const tflite::Ends& ends = model.engine->ends();
    if (ends.input_count != model.model->needs().input_count ||
        ends.output_count != model.model->needs().output_count)
        return fail(base::Fault::bad_input, "the other engine sees ends of another size");
    const detect::Network network = model.network();
    detect::State state;
    for (std::size_t i = 0; i < manifest.golden.steps; ++i) {
        const auto verdict = detect::step(
            state,
            std::span{manifest.golden.features[i]}.first(manifest.fold.feature_count),
            manifest.fold,
            network
        );
        if (model.engine_failures != 0) return fail(base::Fault::again, model.engine_failure);
        if (!(std::abs(verdict.value - manifest.golden.values[i]) <= engine_difference_max))
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "the other engine gives {} in its golden sequence where {} is right",
                    verdict.value,
                    manifest.golden.values[i]
                )
            );
    }
    return {};
}

Outcome<std::unique_ptr<RunningModel>> checked(
    doors::Doors& doors,
    const ModelOptions& options,
    const asset::Asset& asset,
    const std::string& name,
    std::uint32_t release_now,
    std::unique_ptr<RunningModel> made
) {
    auto key = doors.disk.read_all(options.signing_public_key_file, key_bytes_max);
    if (!key) return fail(base::Fault::again, key.error().what);
    DoorVerifier verifier{doors.tls, *key};
    bundle::Receiver receiver;
    receiver.device_class = asset.device_class;
    receiver.level = 2;
    receiver.release = release_now;
    receiver.feature_set = asset::feature_set_hash(asset);
    receiver.arena_bytes_max = options.arena_bytes_max;
    receiver.name = std::string_view{name};
    bundle::Refusal refusal;
    const auto bytes = std::as_bytes(std::span{made->file});
    const auto refused = [&](std::string_view why) {
        return fail(base::Fault::bad_input, fmt::format("{}: {}", name, why));
    };
    auto manifest = bundle::check(made->envelope, bytes, receiver, verifier, refusal);
    if (!manifest) return refused(refusal.view());
    made->manifest = *manifest;
    made->arena.resize(manifest->arena_bytes);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(bytes, made->arena, reason);
    if (!model) return refused(reason.view());
    made->model = std::move(*model);
    made->room.resize(tinyml::Batch::room_bytes(*made->model));
    made->batch.emplace(*made->model, made->room);
    if (auto golden = bundle::run_golden(made->manifest, *made->model, refusal); !golden)
        return refused(refusal.view());
    if (options.engines != nullptr)
        if (auto done = open_engine(*options.engines, *made); !done)
            return fail(done.error().fault, fmt::format("{}: {}", name, done.error().what));
    return made;
}

}  // namespace

detect::Network RunningModel::network() {
    return {this, [](void* self, std::span<const float> input, std::span<float> output) {
                auto& running = *static_cast<RunningModel*>(self);
                if (running.engine) {
                    auto done = running.engine->invoke(input, output);
                    if (done) return;
                    ++running.engine_failures;
                    running.engine_failure = std::move(done.error().what);
                }
                running.model->invoke(input, output);
            }};
}

judge::Model judge_of(RunningModel& running) {
    const bundle::Manifest& manifest = running.manifest;
    return {manifest.name.view(), manifest.fold, manifest.keep_state, running.network()};
}

void RunningModel::run(std::span<const float> inputs, std::span<float> outputs) {
    if (!engine) return batch->invoke(inputs, outputs);
    const std::size_t width = model->needs().input_count;
    const std::size_t height = model->needs().output_count;
    const detect::Network alone = network();
    for (; !inputs.empty(); inputs = inputs.subspan(width), outputs = outputs.subspan(height))
        alone.run(alone.self, inputs.first(width), outputs.first(height));
}

Outcome<std::unique_ptr<RunningModel>> fetch_model(
    doors::Doors& doors,
    const ModelOptions& options,
    std::span<const asset::Asset> assets,
    const Running& running,
    const std::string& name
) {
    const std::string encoded = http::percent_encode(name);
    auto envelope = get(
        doors, options, options.registry_url + "/manifest/" + encoded, bundle::envelope_bytes_max
    );
    if (!envelope) return std::unexpected(envelope.error());
    auto asset = meant_for(assets, *envelope, name);
    if (!asset) return std::unexpected(asset.error());
    const std::string folder =
        options.models_url.empty() ? options.registry_url + "/quantized/" : options.models_url;
    auto file = get(doors, options, folder + encoded, model_bytes_max);
    if (!file) return std::unexpected(file.error());
    const auto now = running.find(std::string{(*asset)->device_class.view()});
    auto made = std::make_unique<RunningModel>();
    made->envelope = std::move(*envelope);
    made->file = std::move(*file);
    return checked(
        doors,
        options,
        **asset,
        name,
        now == running.end() ? 0 : now->second->manifest.release,
        std::move(made)
    );
}

Outcome<void> keep_model(
    doors::Doors& doors, const ModelOptions& options, const RunningModel& model
) {
    return doors.disk.replace(
        kept_file(options, model.manifest.name.view()),
        fmt::format("{}\n{}{}", model.envelope.size(), model.envelope, model.file)
    );
}

Outcome<std::unique_ptr<RunningModel>> kept_model(
    doors::Doors& doors,
    const ModelOptions& options,
    std::span<const asset::Asset> assets,
    const std::string& name
) {
    const std::string path = kept_file(options, name);
    constexpr std::size_t line_bytes_max = 24;
    auto kept =
        doors.disk.read_all(path, line_bytes_max + bundle::envelope_bytes_max + model_bytes_max);
    if (!kept) return std::unexpected(kept.error());
    std::size_t envelope_bytes = 0;
    const char* const end = kept->data() + kept->size();
    const auto read = std::from_chars(kept->data(), end, envelope_bytes);
    if (read.ptr == end || *read.ptr != '\n' ||
        static_cast<std::size_t>(end - read.ptr - 1) < envelope_bytes)
        return fail(base::Fault::corrupt, path + " is damaged");
    auto made = std::make_unique<RunningModel>();
    made->envelope.assign(read.ptr + 1, envelope_bytes);
    made->file.assign(read.ptr + 1 + envelope_bytes, end);
    auto asset = meant_for(assets, made->envelope, name);
    if (!asset) return std::unexpected(asset.error());
    return checked(doors, options, **asset, name, 0, std::move(made));
}

void forget_model(doors::Doors& doors, const ModelOptions& options, const std::string& name) {
    // What stays lying there costs a file, no more.
    static_cast<void>(doors.disk.remove(kept_file(options, name)));
}

}  // namespace stator::level2
