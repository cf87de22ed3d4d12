#include "sense/node/activation.h"

#include <algorithm>

namespace stator::node {

Activation::Activation(
    hal::Hal& hal, const Config& config, std::string_view device, bool known_active
)
    : hal_{hal}, config_{config}, active_{known_active}, pause_ms_{config.activation_retry_ms_min} {
    // Device ids need no escapes: wire::valid_id() allows only unreserved characters.
    static_cast<void>(form_.append("device_id=") && form_.append(device));
}

bool Activation::step(std::int64_t now_us) {
    if (confirmed_) return false;
    if (!asking_) {
        if (now_us < next_us_) return false;
        ++asked_count_;
        const auto started = hal_.fetch.start(
            {.service = hal::Service::devices, .path = "/confirmActivation", .form = form_.view()}
        );
        asking_ = started.has_value();
        if (!asking_) wait_longer(now_us);
        return false;
    }
    const auto reply = hal_.fetch.poll();
    if (!reply && reply.error() == base::Fault::again) return false;
    asking_ = false;
    if (!reply || reply->status != 200) {
        wait_longer(now_us);  // no answer is not an answer: what is known stays
        return false;
    }
    const std::string_view text{
        reinterpret_cast<const char*>(reply->bytes.data()), reply->bytes.size()
    };
    confirmed_ = text == "TRUE" || text == "TRUE\n";
    const bool news = confirmed_ != active_;
    active_ = confirmed_;
    if (!confirmed_) wait_longer(now_us);
    return news;
}

void Activation::wait_longer(std::int64_t now_us) {
    const std::uint32_t half = std::max(pause_ms_ / 2, std::uint32_t{1});
    const std::uint32_t pause = half + hal_.entropy.next() % (half + 1);
    next_us_ = now_us + std::int64_t{pause} * 1000;
    pause_ms_ = std::min(pause_ms_ * 2, config_.activation_retry_ms_max);
}

}  // namespace stator::node
