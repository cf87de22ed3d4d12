// link_conformance.h is what every port's Link must do, beside a broker that answers.
//
// As conformance.h: each check says what is broken, nothing when all is well; no heap, no test
// library. Unit tests run it on the host's link, over the simulated and the real broker, and on a
// microcontroller's; the emulated board runs it against a site.
#pragma once

#include "sense/hal/link.h"
#include "shared/base/fixed.h"

#include <cstdint>
#include <string_view>

namespace stator::hal {

struct LinkWords {
    std::string_view up;       // a topic that it may publish to
    std::string_view down;     // one that it may subscribe to
    std::string_view payload;  // that the broker takes
    std::string_view first;    // what the other side delivers, each once
    std::string_view second;
};

// The broker, and whoever lets time pass.
class LinkSide {
  public:
    virtual void begin() = 0;               // another wait
    [[nodiscard]] virtual bool turn() = 0;  // some time passes; false: that was enough for anybody
    virtual void deliver(std::string_view payload) = 0;  // to `down`
    virtual void break_off() = 0;  // the connection ends, and there may be another

  protected:
    ~LinkSide() = default;
};

class LinkConformance {
  public:
    LinkConformance(Link& link, LinkSide& side, const LinkWords& words)
        : link_{link}, side_{side}, words_{words} {}

    [[nodiscard]] std::string_view run() {
        if (!says(base::Fault::again)) return "link: it takes what it cannot send";
        if (!link_.subscribe(words_.down)) return "link: a topic is not taken";
        if (!wait([&] { return connected_; })) return "link: it does not connect";
        if (const auto broken = talks(words_.first); !broken.empty()) return broken;
        while (pending_.size() < pending_.capacity()) {
            const auto id = link_.publish(words_.up, words_.payload);
            if (!id && id.error() == base::Fault::full) break;
            if (!id) return "link: full, it says something else";
            if (!add(*id)) return "link: two that are under way have one id";
        }
        if (!wait([&] { return pending_.empty(); })) return "link: not all is acknowledged";

        if (const auto id = link_.publish(words_.up, words_.payload); !id || !add(*id))
            return "link: after many it takes nothing";
        side_.break_off();
        if (!wait([&] { return !connected_; })) return "link: an end is not told";
        if (!says(base::Fault::again)) return "link: disconnected, it takes what it cannot send";
        if (!wait([&] { return connected_; })) return "link: it does not come back";
        if (const auto broken = talks(words_.second); !broken.empty()) return broken;
        return wrong_;
    }

  private:
    // Two are acknowledged, and so the subscription before them is: what comes is handed over.
    std::string_view talks(std::string_view coming) {
        for (int i = 0; i < 2; ++i) {
            const auto id = link_.publish(words_.up, words_.payload);
            if (!id) return "link: connected, it takes nothing";
            if (!add(*id)) return "link: two that are under way have one id";
        }
        if (!wait([&] { return pending_.empty(); })) return "link: nothing is acknowledged";
        expected_ = coming;
        heard_ = false;
        side_.deliver(coming);
        if (!wait([&] { return heard_; })) return "link: what comes is not handed over";
        return wrong_;
    }

    bool says(base::Fault fault) {
        const auto id = link_.publish(words_.up, words_.payload);
        return !id && id.error() == fault;
    }

    bool add(std::uint32_t id) {
        for (const std::uint32_t other : pending_)
            if (other == id) return false;
        return pending_.push_back(id);
    }

    template <typename Done>
    bool wait(Done&& done) {
        side_.begin();
        for (;;) {
            LinkEvent event;
            while (!done() && link_.poll(event))
                hear(event);
            if (done()) return true;
            if (!side_.turn()) return false;
        }
    }

    void hear(const LinkEvent& event) {
        switch (event.kind) {
            case LinkEvent::Kind::connected:
                connected_ = true;
                break;
            case LinkEvent::Kind::disconnected:
                connected_ = false;
                pending_.clear();
                break;
            case LinkEvent::Kind::acknowledged:
                if (!take(event.id)) wrong_ = "link: something else is acknowledged";
                break;
            case LinkEvent::Kind::refused:
                wrong_ = "link: what the broker takes is refused";
                break;
            case LinkEvent::Kind::message:
                if (event.topic != words_.down) break;  // a site has more to say
                heard_ = heard_ || event.payload == expected_;
                break;
        }
    }

    bool take(std::uint32_t id) {
        for (std::size_t i = 0; i < pending_.size(); ++i) {
            if (pending_[i] != id) continue;
            pending_[i] = pending_[pending_.size() - 1];
            return pending_.resize(pending_.size() - 1);
        }
        return false;
    }

    Link& link_;
    LinkSide& side_;
    LinkWords words_;
    base::FixedVector<std::uint32_t, 64> pending_;
    std::string_view expected_;
    std::string_view wrong_;
    bool connected_ = false;
    bool heard_ = false;
};

[[nodiscard]] inline std::string_view check_link(
    Link& link, LinkSide& side, const LinkWords& words
) {
    return LinkConformance{link, side, words}.run();
}

}  // namespace stator::hal
