#include "sense/node/updater.h"

#include <algorithm>

namespace stator::node {

using wire::ModelState;

Updater::Updater(
    hal::Hal& hal,
    const asset::Asset& asset,
    const Config& config,
    Slots& slots,
    Engine& engine,
    Outbox& outbox,
    std::span<char> envelope
)
    : hal_{hal},
      asset_{asset},
      config_{config},
      slots_{slots},
      engine_{engine},
      outbox_{outbox},
      envelope_{envelope},
      download_{hal, config} {}

void Updater::load() {
    bundle::Refusal refusal{"none is committed"};
    if (load_committed(refusal)) return;
    bundle::Refusal of_factory;
    const auto& [envelope, tflite] = hal_.factory_model;
    if (envelope.empty()) return;
    if (!engine_.consider("", envelope, tflite, 0, of_factory)) {
        hal_.log.warn("the factory's model does not pass its check: none runs");
        hal_.log.warn(of_factory.view());
        return;
    }
    engine_.confirm();
    model_ = engine_.model();
    release_ = engine_.release();
    say(ModelState::factory, refusal.view());
}

bool Updater::load_committed(bundle::Refusal& refusal) {
    const auto commit = slots_.committed();
    if (!commit) return false;
    const auto loaded = engine_.consider(
        "",
        slots_.envelope(commit->slot, commit->envelope_bytes),
        slots_.tflite(commit->slot, commit->tflite_bytes),
        commit->release == 0 ? 0 : commit->release - 1,
        refusal
    );
    if (loaded) {
        engine_.confirm();
        return true;
    }
    hal_.log.warn("the model in flash does not pass its check any more");
    hal_.log.warn(refusal.view());
    return false;
}

// What a new model must exceed: all that ran here. Where the highest is lost it may come again.
std::uint32_t Updater::release_to_exceed() const {
    const std::uint32_t release = slots_.release();
    return engine_.release() < release ? release - 1 : engine_.release();
}

void Updater::request(std::string_view model) {
    if (state_ != UpdateState::idle && model == model_.view()) return;
    if (!wish_.assign(model)) wish_.clear();
}

void Updater::say(ModelState state, std::string_view reason) {
    wire::ModelEvent event;
    event.state = state;
    event.model = model_;
    event.release = release_;
    event.reason = reason;
    outbox_.push(event, hal_.time.unix_ms());
}

void Updater::refuse(std::string_view reason) {
    say(ModelState::refused, reason);
    state_ = UpdateState::idle;
}

void Updater::step(std::int64_t now_us, bool fetch_free) {
    switch (state_) {
        case UpdateState::idle:
            if (!wish_.empty()) begin();
            break;
        case UpdateState::manifest:
        case UpdateState::loading:
            if (fetch_free) fetch(now_us);
            if (state_ == UpdateState::loading && download_.offset() == tflite_bytes_)
                consider(now_us);
            break;
        case UpdateState::erasing:
            erase();
            break;
        case UpdateState::trial:
            judge_trial(now_us);
            break;
    }
}

void Updater::begin() {
    model_ = wish_;
    wish_.clear();
    release_ = 0;
    if (!valid_file_name(model_.view(), ".tflite")) {
        refuse("not the name of a model");
        return;
    }
    if (model_.view() == engine_.model()) {  // told again: the answer is the same
        release_ = engine_.release();
        say(ModelState::confirmed, "");
        return;
    }
    envelope_bytes_ = tflite_bytes_ = 0;
    download_.begin("/manifest/", model_.view());
    state_ = UpdateState::manifest;
}

void Updater::fetch(std::int64_t now_us) {
    switch (download_.step(now_us)) {
        case Download::News::none:
            break;
        case Download::News::bytes:
            if (state_ == UpdateState::manifest)
                take_manifest(download_.reply());
            else
                take_tflite(download_.reply());
            break;
        case Download::News::refused:
            refuse(download_.reason());
            break;
    }
}

void Updater::take_manifest(const hal::FetchReply& reply) {
    if (reply.file_bytes > std::min(envelope_.size(), bundle::envelope_bytes_max) ||
        reply.bytes.size() > envelope_.size() - envelope_bytes_) {
        refuse("the manifest is larger than this device can hold");
        return;
    }
    std::ranges::transform(
        reply.bytes,
        envelope_.begin() + static_cast<std::ptrdiff_t>(envelope_bytes_),
        [](std::byte b) { return static_cast<char>(b); }
    );
    envelope_bytes_ += reply.bytes.size();
    download_.took(reply.bytes.size());
    if (envelope_bytes_ >= reply.file_bytes) manifest_complete();
}

void Updater::manifest_complete() {
    const auto envelope = bundle::open_envelope({envelope_.data(), envelope_bytes_});
    if (!envelope) {
        refuse("the manifest's envelope cannot be read");
        return;
    }
    const auto manifest = bundle::parse(envelope->json);
    if (!manifest) {
        refuse("the manifest cannot be read");
        return;
    }
    if (manifest->level != config_.level ||
        manifest->device_class.view() != asset_.device_class.view()) {
        state_ = UpdateState::idle;  // for somebody else
        return;
    }
    release_ = manifest->release;
    tflite_bytes_ = manifest->tflite_bytes;
    if (tflite_bytes_ == 0 || tflite_bytes_ > slots_.tflite_bytes_max()) {
        refuse("the model does not fit the slot");
        return;
    }
    say(ModelState::downloading, "");
    slots_.begin();
    state_ = UpdateState::erasing;
}

void Updater::erase() {
    const auto done = slots_.erase_next(tflite_bytes_);
    if (!done) {
        refuse("flash: a sector could not be erased");
        return;
    }
    if (!*done) return;
    if (!slots_.write_envelope({envelope_.data(), envelope_bytes_})) {
        refuse("flash: the manifest could not be written");
        return;
    }
    download_.begin("/quantized/", model_.view());
    state_ = UpdateState::loading;
}

void Updater::take_tflite(const hal::FetchReply& reply) {
    if (reply.file_bytes != tflite_bytes_) {
        refuse("its size is not what the manifest says");
        return;
    }
    std::size_t size = std::min(reply.bytes.size(), tflite_bytes_ - download_.offset());
    if (download_.offset() + size < tflite_bytes_) size -= size % hal::flash_program_bytes;
    if (!slots_.write_tflite(download_.offset(), reply.bytes.first(size))) {
        refuse("flash: the model could not be written");
        return;
    }
    download_.took(size);
}

void Updater::consider(std::int64_t now_us) {
    say(ModelState::downloaded, "");
    bundle::Refusal refusal;
    const auto accepted = engine_.consider(
        model_.view(),
        slots_.envelope(slots_.idle(), envelope_bytes_),
        slots_.tflite(slots_.idle(), tflite_bytes_),
        release_to_exceed(),
        refusal
    );
    if (!accepted) {
        refuse(refusal.view());
        return;
    }
    judged_ = 0;
    bad_value_ = acknowledged_ = false;
    trial_end_us_ = now_us + std::int64_t{config_.trial_ms_max} * 1000;
    state_ = UpdateState::trial;
    say(ModelState::trial, "");
}

void Updater::count_verdict(bool good) {
    ++judged_;
    bad_value_ = bad_value_ || !good;
}

void Updater::count_acknowledgement() {
    acknowledged_ = true;
}

void Updater::judge_trial(std::int64_t now_us) {
    if (bad_value_ || now_us >= trial_end_us_) {
        engine_.go_back();
        refuse(bad_value_ ? "on trial its value was no number" : "its trial ran out of time");
        return;
    }
    if (judged_ >= config_.trial_readings && acknowledged_) commit();
}

void Updater::commit() {
    const auto written = slots_.commit({
        .slot = slots_.idle(),
        .release = release_,
        .envelope_bytes = static_cast<std::uint32_t>(envelope_bytes_),
        .tflite_bytes = static_cast<std::uint32_t>(tflite_bytes_),
    });
    if (!written) {
        engine_.go_back();
        refuse("flash: the commit record could not be written");
        return;
    }
    engine_.confirm();
    say(ModelState::confirmed, "");
    state_ = UpdateState::idle;
}

}  // namespace stator::node
