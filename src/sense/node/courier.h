// The Courier takes what waits in the Outbox to the site, and hears what became of it.
//
// In order, as far as the link's window allows; after a connection it waits a moment for the
// `stored` mark, so that what the site has is not sent again. Refused is refused for ever: it is
// given up, and must not keep the rest from going. Where no marks come, though they should, what
// was acknowledged must do.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "sense/node/outbox.h"
#include "shared/wire/messages.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::node {

// Makes an item the message that it is on the wire.
class Encoder {
  public:
    [[nodiscard]] virtual wire::Json encode(const Outbox::Item& item, std::string_view& topic) = 0;

  protected:
    ~Encoder() = default;
};

class Courier {
  public:
    Courier(hal::Hal& hal, const Config& config, Outbox& outbox)
        : hal_{hal}, config_{config}, outbox_{outbox} {}

    // Of any event but a message, which is the caller's. True: the site acknowledged something.
    bool hear(const hal::LinkEvent& event, std::int64_t now_us);
    void hear_mark(std::string_view payload);
    // True when something went.
    bool publish(std::int64_t now_us, Encoder& encoder);

    [[nodiscard]] bool connected() const { return connected_; }

  private:
    struct Flying {
        std::uint32_t id = 0;
        Key key;
    };

    [[nodiscard]] bool land(std::uint32_t id, bool acknowledged, std::int64_t now_us);

    hal::Hal& hal_;
    const Config& config_;
    Outbox& outbox_;
    Key last_sent_;
    bool connected_ = false;
    bool mark_seen_ = false;  // on this connection
    std::int64_t connected_us_ = 0;
    base::FixedVector<Flying, 64> flying_;
};

}  // namespace stator::node
