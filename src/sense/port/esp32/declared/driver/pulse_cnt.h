// Of esp_driver_pcnt: counting edges.
#pragma once

#include <esp_err.h>

using pcnt_unit_handle_t = struct pcnt_unit_t*;
using pcnt_channel_handle_t = struct pcnt_chan_t*;

enum pcnt_channel_edge_action_t {
    PCNT_CHANNEL_EDGE_ACTION_HOLD,
    PCNT_CHANNEL_EDGE_ACTION_INCREASE,
    PCNT_CHANNEL_EDGE_ACTION_DECREASE
};

struct pcnt_unit_config_t {
    int low_limit;
    int high_limit;
    int intr_priority;

    struct {
        uint32_t accum_count : 1;
    } flags;
};

struct pcnt_chan_config_t {
    int edge_gpio_num;
    int level_gpio_num;

    struct {
        uint32_t invert_edge_input : 1;
        uint32_t invert_level_input : 1;
        uint32_t virt_edge_io_level : 1;
        uint32_t virt_level_io_level : 1;
        uint32_t io_loop_back : 1;
    } flags;
};

struct pcnt_glitch_filter_config_t {
    uint32_t max_glitch_ns;
};

extern "C" {
esp_err_t pcnt_new_unit(const pcnt_unit_config_t* config, pcnt_unit_handle_t* unit);
esp_err_t pcnt_unit_set_glitch_filter(
    pcnt_unit_handle_t unit, const pcnt_glitch_filter_config_t* config
);
esp_err_t pcnt_unit_enable(pcnt_unit_handle_t unit);
esp_err_t pcnt_unit_start(pcnt_unit_handle_t unit);
esp_err_t pcnt_unit_clear_count(pcnt_unit_handle_t unit);
esp_err_t pcnt_unit_get_count(pcnt_unit_handle_t unit, int* value);
esp_err_t pcnt_new_channel(
    pcnt_unit_handle_t unit, const pcnt_chan_config_t* config, pcnt_channel_handle_t* channel
);
esp_err_t pcnt_channel_set_edge_action(
    pcnt_channel_handle_t channel,
    pcnt_channel_edge_action_t on_rising,
    pcnt_channel_edge_action_t on_falling
);
}
