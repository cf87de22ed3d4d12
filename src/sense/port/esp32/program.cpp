#include "sense/port/esp32/program.h"

#include "sense/node/firmware_bank.h"

#include <esp_ota_ops.h>
#include <esp_system.h>

namespace stator::esp32 {
namespace {

const esp_partition_t* slot_partition(std::uint32_t slot) {
    return esp_partition_find_first(
        ESP_PARTITION_TYPE_APP,
        slot == 0 ? ESP_PARTITION_SUBTYPE_APP_OTA_0 : ESP_PARTITION_SUBTYPE_APP_OTA_1,
        nullptr
    );
}

}  // namespace

std::string_view Program::start() {
    if (!small_.open_data("firmware") || !slot_0_.open(slot_partition(0)) ||
        !slot_1_.open(slot_partition(1)))
        return "the partition table is not partitions.csv";
    flash_.emplace(small_, slot_0_, slot_1_);
    node::FirmwareBank bank{*flash_, image_offset()};
    if (settle(bank, *this) == Settled::restart) esp_restart();
    return {};
}

firmware::Version Program::version() {
    const node::FirmwareBank bank{*flash_, image_offset()};
    const auto header = bank.header(bank.state().running_slot());
    return header ? header->version : firmware::Version{};
}

bool Program::on_trial() {
    return node::FirmwareBank{*flash_, image_offset()}.state().trial ==
           node::FirmwareTrial::running;
}

// Asking the loader here wipes its word on what was in that slot before. Whatever comes of it, the
// next start's settle() sees.
void Program::restart() {
    const node::FirmwareState state = node::FirmwareBank{*flash_, image_offset()}.state();
    if (state.trial == node::FirmwareTrial::pending) static_cast<void>(choose(1 - state.slot));
    if (state.trial == node::FirmwareTrial::running) static_cast<void>(choose(state.slot));
    esp_restart();
}

std::uint32_t Program::running_slot() {
    const esp_partition_t* const running = esp_ota_get_running_partition();
    return running != nullptr && running->subtype == ESP_PARTITION_SUBTYPE_APP_OTA_1 ? 1 : 0;
}

bool Program::gave_up(std::uint32_t slot) {
    esp_ota_img_states_t state = ESP_OTA_IMG_UNDEFINED;
    if (esp_ota_get_state_partition(slot_partition(slot), &state) != ESP_OK) return false;
    return state == ESP_OTA_IMG_ABORTED || state == ESP_OTA_IMG_INVALID;
}

bool Program::choose(std::uint32_t slot) {
    return esp_ota_set_boot_partition(slot_partition(slot)) == ESP_OK;
}

void Program::keep() {
    static_cast<void>(esp_ota_mark_app_valid_cancel_rollback());
}

}  // namespace stator::esp32
