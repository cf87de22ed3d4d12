// An HttpSession is a microcontroller's Fetch: HTTP/1.1 over one Socket, kept open for a while.
//
// A handshake costs far more than what is asked, so the connection stays for the next question to
// the same service; tend() closes it when none comes, for it holds a third of the TLS pool. Only
// answers that say their length are understood. A range the server does not know is cut out of the
// whole as that comes by.
#pragma once

#include "sense/hal/board.h"
#include "sense/hal/fetch.h"
#include "sense/session/socket.h"
#include "shared/base/fixed.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace stator::session {

class HttpSession final : public hal::Fetch {
  public:
    static constexpr std::size_t chunk_bytes_max = 2048;

    HttpSession(Socket& socket, hal::Time& time, const Server& devices, const Server& models)
        : socket_{socket}, time_{time}, devices_{devices}, models_{models} {}

    [[nodiscard]] base::Result<void> start(const hal::FetchRequest& request) override;
    [[nodiscard]] base::Result<hal::FetchReply> poll() override;

    void tend();  // from the super-loop, whether or not something is asked

    [[nodiscard]] std::string_view reason() const { return reason_; }  // of the last failure

  private:
    enum class Phase : std::uint8_t { idle, reaching, asking, head, body };

    static constexpr std::size_t head_bytes_max = 1024;

    [[nodiscard]] bool compose(const hal::FetchRequest& request);
    [[nodiscard]] base::Result<void> reach();
    [[nodiscard]] base::Fault failed(std::string_view why);
    // False when the connection broke.
    [[nodiscard]] bool read_more();
    [[nodiscard]] bool take_head(std::size_t bytes);
    [[nodiscard]] bool body_whole();

    Socket& socket_;
    hal::Time& time_;
    Server devices_;
    Server models_;
    hal::Service service_ = hal::Service::devices;  // that the socket is open to
    Phase phase_ = Phase::idle;
    bool again_ = false;  // an old connection is used: it may be gone, which is no failure
    bool keep_ = false;   // the server keeps the connection
    std::string_view reason_;
    std::int64_t end_us_ = 0;  // of this question; when idle, of the connection
    base::FixedString<640> question_;
    std::size_t asked_bytes_ = 0;
    std::size_t offset_ = 0;
    std::size_t bytes_max_ = 0;
    int status_ = 0;
    std::size_t length_ = 0;  // of the body
    std::size_t file_bytes_ = 0;
    std::size_t skip_ = 0;    // bytes of the body still to be passed over
    std::size_t passed_ = 0;  // bytes of the body that were
    std::size_t wanted_ = 0;  // bytes of the body to be handed over
    std::size_t size_ = 0;    // of what lies in the buffer
    std::array<std::uint8_t, chunk_bytes_max + head_bytes_max> buffer_{};
};

}  // namespace stator::session
