#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "sense/port/cortex_m/memory.h"
#include "store/models/firmware.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace stator::commands {
namespace {

constexpr std::size_t image_bytes_max = 64U << 20U;
constexpr std::size_t pem_bytes_max = 8U << 10U;

struct Packing {
    models::FirmwareFacts facts{
        .board = std::string{cortex_m::board_name}, .version = STATOR_VERSION, .release = 0
    };
    std::string image;
    std::string file;
    std::string key;  // empty: the site's
};

int pack(const std::string& state_dir, const Packing& order) {
    real::Real real;
    const std::string key_file =
        order.key.empty() ? state_dir + "/pki/model-signing.key" : order.key;
    const auto key = real.doors.disk.read_all(key_file, pem_bytes_max);
    if (!key) return tell(key.error());
    const auto image = real.doors.disk.read_all(order.image, image_bytes_max);
    if (!image) return tell(image.error());
    const auto file = models::pack_firmware(real.doors, order.facts, *image, *key);
    if (!file) return tell(file.error());
    if (auto kept = real.doors.disk.replace(order.file, *file); !kept) return tell(kept.error());
    fmt::print(
        "{}: version {}, release {}, for {}, {} bytes\n",
        order.file,
        order.facts.version,
        order.facts.release,
        order.facts.board,
        file->size()
    );
    return 0;
}

}  // namespace

void add_firmware(CLI::App& program, Chosen& chosen) {
    auto* firmware = program.add_subcommand("firmware", "Firmware images for devices");
    firmware->require_subcommand(1);
    auto* command = firmware->add_subcommand("pack", "Signs an image, so that devices take it");
    auto order = std::make_shared<Packing>();
    add_state(*command, chosen);
    command->add_option("IMAGE", order->image, "The bytes as they run")->required();
    command->add_option("FILE", order->file, "The file to be made")->required();
    command->add_option("--release", order->facts.release, "Must rise from one to the next")
        ->required();
    command->add_option("--version", order->facts.version, "For people")->capture_default_str();
    command->add_option("--board", order->facts.board, "What it was linked for")
        ->capture_default_str();
    command->add_option("--key", order->key, "PEM; the site's model-signing key if left out");
    command->callback([order, &chosen] {
        chosen.run = [order, &chosen] { return pack(chosen.state_dir, *order); };
    });
}

}  // namespace stator::commands
