// Whatever a server answers, in whatever pieces: the question ends, and a reply is bytes of what
// came, no more than were asked for.
#include "sense/session/fake_socket_test.h"
#include "sense/session/http_session.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace stator;
using namespace stator::session;

// True when there was a reply.
bool ask(HttpSession& session, FakeClock& clock, FakeSocket& socket, hal::FetchRequest request) {
    const std::string came = socket.coming;
    if (!session.start(request)) std::abort();
    for (int polls = 0; polls < 10'000; ++polls) {
        const auto reply = session.poll();
        if (!reply && reply.error() == base::Fault::again) {
            clock.now_us += 10'000;
            continue;
        }
        if (!reply && session.reason().empty()) std::abort();
        if (!reply) return false;
        const std::string_view bytes{
            reinterpret_cast<const char*>(reply->bytes.data()), reply->bytes.size()
        };
        if (bytes.size() > request.bytes_max || !came.contains(bytes)) std::abort();
        return true;
    }
    std::abort();  // it ends, at the latest when the time is over
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    FakeSocket socket;
    FakeClock clock;
    const Server server{{10, 0, 2, 2}, 30007, "site"};
    HttpSession session{socket, clock, server, server};
    socket.gives_at_once = 1 + std::size_t{data[0]} * 4;
    socket.takes_at_once = 1 + std::size_t{data[1]};
    socket.ended = data[3] % 2 != 0;
    socket.coming.assign(reinterpret_cast<const char*>(data) + 4, size - 4);
    hal::FetchRequest request{.path = "/quantized/m.tflite"};
    request.offset = data[2];
    request.bytes_max = 1 + std::size_t{data[3]} * 8;
    if (data[3] % 4 > 1) request.form = "device_id=7";
    // An answer may bring the next one's bytes along; a connection that is kept is used again.
    for (int questions = 0; questions < 3; ++questions) {
        if (!ask(session, clock, socket, request)) break;
        session.tend();
    }
    clock.now_us += 60'000'000;
    session.tend();
    return 0;
}
