// Whatever CSV lies in the datastore: a table has whole rows, the rows that may train are finite
// and in the order of time, and a normalised CSV made of them reads back.
#include "learn/extract/extract.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace stator;

asset::Asset pump() {
    asset::Asset asset = asset::shaded_pole_motor();
    asset.device = "7";
    if (!asset.features.resize(2)) std::abort();  // current, temperature
    return asset;
}

void normalise(const asset::Asset& asset, const std::vector<runs::Row>& rows) {
    // Beyond what any channel can say, a difference of two readings is no float.
    constexpr float most = 1e30F;
    for (const runs::Row& row : rows)
        for (const float value : row.features)
            if (std::abs(value) > most) return;
    const extract::Constants constants = extract::constants_of(rows, asset.features.size());
    runs::DataSet data_set;
    data_set.name = "n.csv";
    data_set.mean = constants.mean;
    data_set.sd = constants.sd;
    const std::string csv = extract::normalised_csv(asset, constants, rows, rows);
    const auto again = extract::read_normalised(csv, asset, data_set);
    if (!again || again->healthy.size() != rows.size() || again->fault.size() != rows.size())
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const asset::Asset asset = pump();
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto table = extract::read_csv(text);
    const auto rows = extract::rows_of(text, asset);
    if (!table) {
        if (table.error().what.empty() || rows) std::abort();
        return 0;
    }
    for (const auto& cells : table->rows)
        if (cells.size() != table->header.size()) std::abort();
    runs::DataSet data_set;
    data_set.name = "n.csv";
    data_set.mean = {1.0F, 40.0F};
    data_set.sd = {0.5F, 2.0F};
    static_cast<void>(extract::read_normalised(text, asset, data_set).has_value());
    if (!rows) return 0;
    if (!std::ranges::is_sorted(*rows, {}, &runs::Row::time_unix_ms)) std::abort();
    for (const runs::Row& row : *rows)
        if (row.features.size() != asset.features.size() ||
            !std::ranges::all_of(row.features, [](float v) { return std::isfinite(v); }))
            std::abort();
    normalise(asset, *rows);
    return 0;
}
