#include "decide/level2/models.h"

#include <fmt/format.h>

#include <span>

namespace stator::level2 {

namespace {

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
    doors::Doors& doors, const ModelOptions& options, const std::string& path, std::size_t bytes_max
) {
    http::ClientRequest request;
    request.url = options.registry_url + path;
    request.ca_file = options.ca_file;
    request.certificate_file = options.certificate_file;
    request.key_file = options.key_file;
    request.body_bytes_max = bytes_max;
    auto response = doors.http.request(request);
    if (!response) return std::unexpected(response.error());
    if (response->status != 200)
        return fail(
            base::Fault::again, fmt::format("{} answered {}", request.url, response->status)
        );
    return std::move(response->body);
}

}  // namespace

Outcome<std::unique_ptr<RunningModel>> fetch_model(
    doors::Doors& doors,
    const ModelOptions& options,
    const asset::Asset& asset,
    const std::string& name,
    std::uint32_t release_now
) {
    auto envelope =
        get(doors, options, "/manifest/" + http::percent_encode(name), bundle::envelope_bytes_max);
    if (!envelope) return std::unexpected(envelope.error());
    // Whom it is for is looked at first: what is not meant for us is no fault of anybody's.
    const auto opened = bundle::open_envelope(*envelope);
    if (!opened) return fail(base::Fault::bad_input, name + ": the manifest has no signature line");
    const auto meant = bundle::parse(opened->json);
    if (!meant) return fail(base::Fault::bad_input, name + ": the manifest cannot be read");
    if (meant->level != 2 || !(meant->device_class == asset.device_class))
        return fail(base::Fault::not_found, name + " is for another class or level");

    auto file = get(doors, options, "/quantized/" + http::percent_encode(name), model_bytes_max);
    if (!file) return std::unexpected(file.error());
    auto key = doors.disk.read_all(options.signing_public_key_file, 4096);
    if (!key) return std::unexpected(key.error());
    DoorVerifier verifier{doors.tls, *key};
    bundle::Receiver receiver;
    receiver.device_class = asset.device_class;
    receiver.level = 2;
    receiver.release = release_now;
    receiver.feature_set = asset::feature_set_hash(asset);
    receiver.arena_bytes_max = options.arena_bytes_max;
    bundle::Refusal refusal;
    auto made = std::make_unique<RunningModel>();
    made->file = std::move(*file);
    const auto bytes = std::as_bytes(std::span{made->file});
    auto manifest = bundle::check(*envelope, bytes, receiver, verifier, refusal);
    if (!manifest) return fail(base::Fault::bad_input, fmt::format("{}: {}", name, refusal.view()));
    made->manifest = *manifest;
    made->arena.resize(manifest->arena_bytes);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(bytes, made->arena, reason);
    if (!model) return fail(base::Fault::bad_input, fmt::format("{}: {}", name, reason.view()));
    made->model = std::move(*model);
    if (auto golden = bundle::run_golden(made->manifest, *made->model, refusal); !golden)
        return fail(base::Fault::bad_input, fmt::format("{}: {}", name, refusal.view()));
    return made;
}

}  // namespace stator::level2
