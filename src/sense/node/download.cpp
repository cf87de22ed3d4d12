#include "sense/node/download.h"

#include <algorithm>

namespace stator::node {

using base::Fault;

bool valid_file_name(std::string_view name, std::string_view ending) {
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == ':' || c == '.' || c == '_';
    };
    return name.size() <= 64 && name.ends_with(ending) && !name.starts_with('.') &&
           std::ranges::all_of(name, allowed);
}

void Download::begin(std::string_view folder, std::string_view name) {
    path_.clear();
    static_cast<void>(path_.append(folder) && path_.append(name));
    offset_ = 0;
    fetching_ = false;
    tries_ = 0;
    next_us_ = 0;
}

Download::News Download::step(std::int64_t now_us) {
    if (!fetching_) {
        if (now_us < next_us_) return News::none;
        const hal::FetchRequest request{
            .service = hal::Service::models,
            .path = path_.view(),
            .form = {},
            .offset = offset_,
            .bytes_max = config_.chunk_bytes,
        };
        fetching_ = hal_.fetch.start(request).has_value();
        return fetching_ ? News::none : try_later(now_us);
    }
    const auto reply = hal_.fetch.poll();
    if (!reply && reply.error() == Fault::again) return News::none;
    fetching_ = false;
    if (reply && reply->status == 200 && !reply->bytes.empty()) {
        tries_ = 0;
        reply_ = *reply;
        return News::bytes;
    }
    if (reply && reply->status >= 400 && reply->status < 500 && reply->status != 429) {
        reason_ = reply->status == 404 ? "the registry does not have it"
                                       : "the registry refuses to give it";
        return News::refused;
    }
    return try_later(now_us);
}

Download::News Download::try_later(std::int64_t now_us) {
    next_us_ = now_us + std::int64_t{config_.fetch_retry_ms} * 1000;
    if (++tries_ < config_.fetch_tries) return News::none;
    reason_ = "the download broke off too often";
    return News::refused;
}

}  // namespace stator::node
