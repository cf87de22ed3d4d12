#include "sense/node/firmware_updater.h"

#include <algorithm>

namespace stator::node {

using wire::ModelState;

FirmwareUpdater::FirmwareUpdater(hal::Hal& hal, const Config& config, Outbox& outbox)
    : hal_{hal}, config_{config}, outbox_{outbox}, download_{hal, config} {
    if (hal_.firmware != nullptr)
        bank_.emplace(hal_.firmware->flash(), hal_.firmware->image_offset());
}

void FirmwareUpdater::start(std::int64_t now_us) {
    if (!bank_) return;
    const FirmwareState now = bank_->state();
    if (now.trial == FirmwareTrial::none) return;
    if (const auto candidate = bank_->header(1 - now.slot)) header_ = *candidate;
    header_.release = now.candidate;
    if (now.trial == FirmwareTrial::running) {
        end_us_ = now_us + std::int64_t{config_.trial_ms_max} * 1000;
        state_ = FirmwareUpdate::trial;
        say(ModelState::trial, "");
        return;
    }
    failure_told_ = true;
    say(ModelState::refused,
        now.trial == FirmwareTrial::damaged ? "the boot stage found it damaged"
                                            : "its trial ended without a confirmation");
}

void FirmwareUpdater::request(std::string_view file) {
    if (busy() && file == file_.view()) return;
    if (!wish_.assign(file)) wish_.clear();
}

void FirmwareUpdater::say(ModelState state, std::string_view reason) {
    wire::FirmwareEvent event;
    event.state = state;
    event.file = file_;
    event.version = header_.version.view();
    event.release = header_.release;
    event.reason = reason;
    outbox_.push(event, hal_.time.unix_ms());
}

void FirmwareUpdater::refuse(std::string_view reason) {
    say(ModelState::refused, reason);
    state_ = FirmwareUpdate::idle;
}

void FirmwareUpdater::step(std::int64_t now_us, bool fetch_free, bool at_rest) {
    if (failure_told_ && acknowledged_) {  // and it need not be told after the next start
        failure_told_ = false;
        const FirmwareState now = bank_->state();
        static_cast<void>(bank_->append({.slot = now.slot, .release = now.release}));
    }
    switch (state_) {
        case FirmwareUpdate::idle:
            if (!wish_.empty() && fetch_free) begin();
            break;
        case FirmwareUpdate::header:
        case FirmwareUpdate::loading:
            if (fetch_free) fetch();
            if (state_ == FirmwareUpdate::loading &&
                download_.offset() == firmware::header_bytes + header_.image_bytes)
                propose(now_us);
            break;
        case FirmwareUpdate::erasing:
            erase();
            break;
        case FirmwareUpdate::leaving:
            if (!at_rest)
                end_us_ = now_us + std::int64_t{config_.restart_wait_ms} * 1000;
            else if (outbox_.in_ram() == 0 || now_us >= end_us_)
                hal_.firmware->restart();
            break;
        case FirmwareUpdate::trial:
            judge_trial(now_us);
            break;
    }
}

void FirmwareUpdater::begin() {
    file_ = wish_;
    wish_.clear();
    header_ = {};
    if (!bank_) {
        refuse("this device's firmware does not come over the air");
        return;
    }
    if (!valid_file_name(file_.view(), ".bin")) {
        refuse("not the name of a firmware image");
        return;
    }
    download_.begin("/OTA_bin/", file_.view());
    state_ = FirmwareUpdate::header;
}

void FirmwareUpdater::fetch() {
    switch (download_.step(hal_.time.monotonic_us())) {
        case Download::News::none:
            break;
        case Download::News::bytes:
            if (state_ == FirmwareUpdate::header)
                take_header(download_.reply());
            else
                take_image(download_.reply());
            break;
        case Download::News::refused:
            refuse(download_.reason());
            break;
    }
}

void FirmwareUpdater::take_header(const hal::FetchReply& reply) {
    const std::size_t at = download_.offset();
    const std::size_t size = std::min(reply.bytes.size(), head_.size() - at);
    std::ranges::copy(reply.bytes.first(size), head_.begin() + static_cast<std::ptrdiff_t>(at));
    download_.took(size);
    if (reply.file_bytes < head_.size())
        refuse("it is no firmware image");
    else if (download_.offset() == head_.size())
        header_complete(reply.file_bytes);
}

void FirmwareUpdater::header_complete(std::size_t file_bytes) {
    bundle::Refusal refusal;
    const FirmwareState now = bank_->state();
    const auto running = bank_->header(now.slot);
    const auto header = firmware::parse(head_);
    const bool runs = header && running && header->release == running->release &&
                      header->sha256 == running->sha256;
    if (header) header_ = *header;
    if (runs) {  // told again: the answer is the same
        say(ModelState::confirmed, "");
        state_ = FirmwareUpdate::idle;
        return;
    }
    const auto checked = firmware::check(
        head_,
        {
            .board = hal_.firmware->board(),
            .release = now.release,
            .image_bytes_max = bank_->image_bytes_max(),
            .file_bytes = file_bytes,
        },
        hal_.verifier,
        refusal
    );
    if (!checked) {
        refuse(refusal.view());
        return;
    }
    say(ModelState::downloading, "");
    bank_->begin();
    state_ = FirmwareUpdate::erasing;
}

void FirmwareUpdater::erase() {
    const auto done = bank_->erase_next(firmware::header_bytes + header_.image_bytes);
    if (!done) {
        refuse("flash: a sector could not be erased");
        return;
    }
    if (!*done) return;
    if (!bank_->write(0, head_)) {
        refuse("flash: the image could not be written");
        return;
    }
    state_ = FirmwareUpdate::loading;
}

void FirmwareUpdater::take_image(const hal::FetchReply& reply) {
    const std::size_t all = firmware::header_bytes + header_.image_bytes;
    if (reply.file_bytes != all) {
        refuse("its size is not what its header says");
        return;
    }
    std::size_t size = std::min(reply.bytes.size(), all - download_.offset());
    if (download_.offset() + size < all) size -= size % hal::flash_program_bytes;
    if (!bank_->write(download_.offset(), reply.bytes.first(size))) {
        refuse("flash: the image could not be written");
        return;
    }
    download_.took(size);
}

void FirmwareUpdater::propose(std::int64_t now_us) {
    say(ModelState::downloaded, "");
    FirmwareState now = bank_->state();
    const auto image = bank_->image(1 - now.slot, header_.image_bytes);
    firmware::Digest digest{};
    hal_.verifier.sha256(image, digest);
    if (digest != header_.sha256) {
        refuse("the file's hash is not its header's");
        return;
    }
    now.trial = FirmwareTrial::pending;
    now.candidate = header_.release;
    if (!bank_->append(now)) {
        refuse("flash: the record for the boot stage could not be written");
        return;
    }
    end_us_ = now_us + std::int64_t{config_.restart_wait_ms} * 1000;
    state_ = FirmwareUpdate::leaving;
    say(ModelState::updating, "");
}

void FirmwareUpdater::judge_trial(std::int64_t now_us) {
    if (now_us >= end_us_) {
        hal_.log.warn("this firmware could not confirm itself: back to the one before");
        hal_.firmware->restart();
        return;
    }
    if (readings_ < config_.trial_readings || !acknowledged_) return;
    if (!bank_->confirm()) return;  // the deadline will take it back
    say(ModelState::confirmed, "");
    state_ = FirmwareUpdate::idle;
}

}  // namespace stator::node
