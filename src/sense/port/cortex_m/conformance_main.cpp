// What every port must do, done by the board's own parts against a real site (sense/hal).
//
// It lies in the node's place, has its factory page, and one thing more in the sectors of the
// backlog: three texts, each as 4 bytes of length and the bytes: a path of the model registry whose
// content is byte i = 31 i + i / 256, one with the same content that breaks off once, and bytes
// that the models' key has signed, behind their 64 bytes of signature. The site's other side reads
// what is printed: "deliver TEXT" and "break off" are for it.
#include "sense/factory/page.h"
#include "sense/hal/conformance.h"
#include "sense/hal/fetch_conformance.h"
#include "sense/hal/link_conformance.h"
#include "sense/hal/trust_conformance.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/connections.h"
#include "sense/port/cortex_m/display.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/cortex_m/program.h"
#include "sense/port/cortex_m/watchdog.h"

#include <array>
#include <cstring>

namespace {

using namespace stator;
using cortex_m::print;

constexpr std::uintptr_t page_at = cortex_m::psram_begin + cortex_m::factory_page_at;
constexpr std::uintptr_t texts_at = cortex_m::psram_begin + cortex_m::backlog_at;
constexpr std::int64_t wait_us_max = 120'000'000;
constexpr std::size_t content_bytes = 4'321;

struct Board {
    Board() = default;
    factory::Page page;
    cortex_m::Program program;
    cortex_m::Connections site;
    cortex_m::Watchdog watchdog;
    std::array<std::uint8_t, 2048> packet{};
    std::array<std::byte, content_bytes> content{};
    std::array<char, 8192> room{};
};

Board board;

// Time passes by turning the network; the watchdog is not what is asked here.
class Side final : public hal::LinkSide, public hal::FetchSide {
  public:
    void begin() override { end_us_ = cortex_m::monotonic_us() + wait_us_max; }

    bool turn() override {
        board.site.network->step();
        board.watchdog.feed();
        return cortex_m::monotonic_us() < end_us_;
    }

    void deliver(std::string_view payload) override {
        print("deliver ");
        cortex_m::say(payload);
    }

    void break_off() override { cortex_m::say("break off"); }

  private:
    std::int64_t end_us_ = 0;
};

// One check of a signature may take the emulator a second.
class FedVerifier final : public bundle::Verifier {
  public:
    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override {
        board.watchdog.feed();
        return board.site.signature.verify(bytes, signature);
    }

    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override {
        board.site.signature.sha256(bytes, digest);
    }
};

std::string_view text_after(std::uintptr_t& place) {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, reinterpret_cast<const void*>(place), sizeof bytes);
    const std::string_view text{reinterpret_cast<const char*>(place + sizeof bytes), bytes};
    place += sizeof bytes + bytes;
    return text;
}

// What is broken; empty when nothing is.
std::string_view run() {
    const auto page =
        factory::read_page({reinterpret_cast<const std::byte*>(page_at), factory::page_bytes_max});
    if (!page) return "no factory page";
    board.page = *page;
    std::uintptr_t place = texts_at;
    const std::string_view path = text_after(place);
    const std::string_view breaks = text_after(place);
    const std::string_view signed_text = text_after(place);
    if (const auto why = board.site.start(board.page, board.packet); !why.empty()) return why;
    Side side;
    side.begin();
    while (!board.site.clock->synced())
        if (!side.turn()) return "no time";
    if (const auto broken = hal::check_time(*board.site.clock); !broken.empty()) return broken;
    if (const auto broken = hal::check_entropy(board.site.entropy); !broken.empty()) return broken;

    std::array<std::uint8_t, 64> signature{};
    std::memcpy(signature.data(), signed_text.data(), signature.size());
    const std::string_view bytes = signed_text.substr(signature.size());
    if (bytes.size() > board.room.size()) return "the signed text is too long";
    FedVerifier verifier;
    if (const auto broken = hal::check_verifier(verifier, bytes, signature, board.room);
        !broken.empty())
        return broken;
    cortex_m::say("the verifier conforms");

    for (std::size_t i = 0; i < content_bytes; ++i)
        board.content[i] = static_cast<std::byte>(i * 31 + i / 256);
    hal::FetchWords files;
    files.path = path;
    files.breaks = breaks;
    files.content = board.content;
    files.missing = "/quantized/not-there.tflite";
    files.form_path = "/confirmActivation";
    base::FixedString<64> form{"device_id="};
    static_cast<void>(form.append(board.page.facts.asset.device.view()));
    files.form = form.view();
    files.form_answer = "TRUE";
    if (const auto broken = hal::check_fetch(*board.site.fetch, side, files); !broken.empty())
        return broken;
    cortex_m::say("the fetch conforms");

    const wire::Topics topics;
    const std::string_view device = board.page.facts.asset.device.view();
    const wire::Topic up = topics.event_of(device);
    const wire::Topic down = topics.command_of(device);
    base::FixedString<128> payload{R"({"deviceID":")"};
    static_cast<void>(payload.append(device) && payload.append(R"(","event":"conformance"})"));
    const hal::LinkWords words{
        up.view(), down.view(), payload.view(), R"({"command":"one"})", R"({"command":"two"})"
    };
    if (const auto broken = hal::check_link(*board.site.link, side, words); !broken.empty())
        return broken;
    cortex_m::say("the link conforms");

    if (const auto broken = hal::check_watchdog(
            board.watchdog,
            std::int64_t{cortex_m::watchdog_s} * 1'000'000,
            [](std::int64_t us) {
                const std::int64_t end = cortex_m::monotonic_us() + us;
                while (cortex_m::monotonic_us() < end)
                    board.site.network->step();
            }
        );
        !broken.empty())
        return broken;
    cortex_m::say("the watchdog conforms");
    if (const auto broken = hal::check_firmware(board.program); !broken.empty()) return broken;
    cortex_m::say("the firmware conforms");
    return {};
}

}  // namespace

extern "C" void stator_dead() {
    cortex_m::restart();
}

int main() {
    cortex_m::board_start();
    const std::string_view cause = cortex_m::take_note();
    print("started by ");
    cortex_m::say(cause);
    const std::string_view broken = run();
    if (!broken.empty()) {
        print("broken: ");
        cortex_m::say(broken);
        return 1;
    }
    board.program.restart();  // the suite has erased what it would start: the boot stage says so
    return 0;
}
