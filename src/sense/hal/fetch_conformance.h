// fetch_conformance.h is what every port's Fetch must do, beside a server that has the files.
//
// As conformance.h: each check says what is broken, nothing when all is well; no heap, no test
// library.
#pragma once

#include "sense/hal/fetch.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace stator::hal {

// What the server has, all of it in the service `models` but the form.
struct FetchWords {
    std::string_view path;
    std::span<const std::byte> content;  // of it; more than two pieces
    std::size_t piece_bytes = 1'000;
    std::string_view breaks;   // the same content; the connection ends once, in the second piece
    std::string_view missing;  // a path that it does not have
    std::string_view form_path;
    std::string_view form;
    std::string_view form_answer;
};

// Whoever lets time pass.
class FetchSide {
  public:
    virtual void begin() = 0;               // another wait
    [[nodiscard]] virtual bool turn() = 0;  // some time passes; false: that was enough for anybody

  protected:
    ~FetchSide() = default;
};

class FetchConformance {
  public:
    FetchConformance(Fetch& fetch, FetchSide& side, const FetchWords& words)
        : fetch_{fetch}, side_{side}, words_{words} {}

    [[nodiscard]] std::string_view run() {
        if (const auto broken = whole(words_.path, 0); !broken.empty()) return broken;
        const auto inside = ask(words_.path, words_.content.size() - 3, words_.piece_bytes);
        if (!inside || inside->status != 200 || inside->bytes.size() != 3)
            return "fetch: a range that goes beyond the end is not cut there";
        const auto one = ask(words_.path, 7, 1);
        if (!one || one->bytes.size() != 1 || one->bytes[0] != words_.content[7])
            return "fetch: one byte is not that byte";
        const auto missing = ask(words_.missing, 0, words_.piece_bytes);
        if (!missing || missing->status != 404) return "fetch: what is not there is not 404";
        const auto answer = post();
        if (!answer || answer->status != 200 ||
            !std::ranges::equal(answer->bytes, std::as_bytes(std::span{words_.form_answer})))
            return "fetch: a form has another answer";
        std::array<char, 3'000> path{};
        path.fill('x');
        path[0] = '/';
        const auto long_one = ask({path.data(), path.size()}, 0, words_.piece_bytes);
        if (long_one && long_one->status == 200) return "fetch: a path is cut";
        constexpr int breaks_max = 3;
        return whole(words_.breaks, breaks_max);
    }

  private:
    // All of a file, piece by piece; `faults_max`: how often an answer may fail to come.
    std::string_view whole(std::string_view path, int faults_max) {
        const auto content = words_.content;
        int faults = 0;
        for (std::size_t at = 0; at < content.size();) {
            const auto reply = ask(path, at, words_.piece_bytes);
            if (!reply) {
                if (reply.error() != base::Fault::io) return "fetch: an end is another fault";
                if (++faults > faults_max) return "fetch: an answer does not come";
                continue;
            }
            if (reply->status != 200) return "fetch: a range that was served is not 200";
            if (reply->file_bytes != content.size()) return "fetch: the file has another size";
            if (reply->bytes.empty() || reply->bytes.size() > words_.piece_bytes)
                return "fetch: a piece is none, or more than was asked for";
            const auto piece =
                content.subspan(at).first(std::min(reply->bytes.size(), content.size() - at));
            if (!std::ranges::equal(reply->bytes, piece)) return "fetch: a piece is another one";
            at += reply->bytes.size();
        }
        return {};
    }

    base::Result<FetchReply> ask(std::string_view path, std::size_t offset, std::size_t bytes_max) {
        FetchRequest request;
        request.path = path;
        request.offset = offset;
        request.bytes_max = bytes_max;
        return answer_to(request);
    }

    base::Result<FetchReply> post() {
        FetchRequest request;
        request.service = Service::devices;
        request.path = words_.form_path;
        request.form = words_.form;
        return answer_to(request);
    }

    base::Result<FetchReply> answer_to(const FetchRequest& request) {
        if (const auto begun = fetch_.start(request); !begun) return std::unexpected{begun.error()};
        side_.begin();
        for (;;) {
            const auto reply = fetch_.poll();
            if (reply || reply.error() != base::Fault::again) return reply;
            if (!side_.turn()) return std::unexpected{base::Fault::again};
        }
    }

    Fetch& fetch_;
    FetchSide& side_;
    FetchWords words_;
};

[[nodiscard]] inline std::string_view check_fetch(
    Fetch& fetch, FetchSide& side, const FetchWords& words
) {
    return FetchConformance{fetch, side, words}.run();
}

}  // namespace stator::hal
