// A Recording is a machine that was recorded: a CSV file, as one more port of the HAL.
//
// The file has a header line and one row a reading, separated by ';' or ','. The map says which
// column is what: "time=datetime,current=Current,flow=Volume Flow RateRMS,label=anomaly"; `time`
// and `label` (0 or 1) are special and need not be there, every other name becomes a slow channel
// with one feature, its mean. Counts have 16 bits and span what was recorded plus a fifth on either
// side. A row stays until next_row(); a frame of it is the same count all over. Nothing can be
// actuated. Everything wrong with the file is an Error that names file, line and column.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "world/disk/disk.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stator::recording {

inline constexpr std::size_t file_bytes_max = 64U << 20U;
inline constexpr std::size_t rows_max = 1'000'000;
inline constexpr std::uint16_t counts_max = 65'535;

class Recording final : public hal::Adc, public hal::Actuators {
  public:
    [[nodiscard]] static Outcome<Recording> open(
        disk::Disk& disk, const std::string& csv_file, std::string_view map
    );

    // Channels in the map's order; id, title, device and class are the caller's to set.
    [[nodiscard]] const asset::Asset& asset() const { return asset_; }

    [[nodiscard]] asset::Asset& asset() { return asset_; }

    [[nodiscard]] std::size_t row() const { return row_; }

    [[nodiscard]] std::size_t rows() const { return rows_; }

    // False, and unchanged, at the last row.
    bool next_row();

    [[nodiscard]] double value(std::size_t row, std::size_t channel) const {
        return values_[row * asset_.channels.size() + channel];
    }

    [[nodiscard]] const std::vector<bool>& labels() const { return labels_; }  // empty: none

    [[nodiscard]] const std::vector<std::string>& times() const { return times_; }  // as written

    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override;

    void set_valve_degrees(std::uint8_t /*degrees*/) override {}

    void set_backup_pump(bool /*on*/) override {}

    base::Result<float> backup_flow_l_per_min() override;

  private:
    Recording() = default;
    [[nodiscard]] Outcome<void> read_rows(
        std::string_view text, std::string_view map, const std::string& file
    );
    void calibrate();

    asset::Asset asset_;
    std::size_t rows_ = 0;
    std::size_t row_ = 0;
    std::vector<double> values_;  // row by row
    std::vector<bool> labels_;
    std::vector<std::string> times_;
};

}  // namespace stator::recording
