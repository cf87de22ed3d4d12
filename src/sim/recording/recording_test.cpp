#include "sim/recording/recording.h"

#include "sense/hal/conformance.h"
#include "shared/signal/extract.h"
#include "shared/signal/sensor_fault.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>

namespace stator::recording {
namespace {

using testing::HasSubstr;

constexpr std::string_view pump =
    "datetime;Accelerometer1RMS;Current;Pressure;anomaly;changepoint\r\n"
    "2020-03-09 10:14:33;0.0265;0.77;0.05;0.0;0.0\r\n"
    "2020-03-09 10:14:34;0.0305;1.10;0.05;0.0;0.0\r\n"
    "2020-03-09 10:14:35;0.0281;-0.25;0.05;1.0;1.0\r\n";
constexpr std::string_view map =
    "time=datetime,vibration=Accelerometer1RMS,current=Current,pressure=Pressure,label=anomaly";

struct Bench {
    disk::SimulatedDisk disk;

    Outcome<Recording> open(std::string_view csv, std::string_view with = map) {
        EXPECT_TRUE(disk.make_directories("/data"));
        EXPECT_TRUE(disk.replace("/data/pump.csv", csv));
        return Recording::open(disk, "/data/pump.csv", with);
    }

    std::string error(std::string_view csv, std::string_view with = map) {
        const auto opened = open(csv, with);
        EXPECT_FALSE(opened) << "was accepted";
        return opened ? std::string{} : opened.error().what;
    }
};

TEST(Recording, HasTheMappedChannelsEachWithItsMean) {
    Bench bench;
    const auto machine = bench.open(pump);
    ASSERT_TRUE(machine) << machine.error().what;
    const asset::Asset& asset = machine->asset();
    ASSERT_EQ(asset.channels.size(), 3U);
    EXPECT_EQ(asset.channels[0].name.view(), "vibration");
    EXPECT_EQ(asset.channels[1].sampling, asset::Sampling::slow);
    EXPECT_EQ(asset.channels[2].counts_max, 65'535);
    ASSERT_EQ(asset.features.size(), 3U);
    EXPECT_EQ(asset::feature_name(asset, 1).view(), "current");
    EXPECT_EQ(machine->rows(), 3U);
    EXPECT_EQ(machine->labels(), (std::vector{false, false, true}));
    EXPECT_EQ(machine->times().at(1), "2020-03-09 10:14:34");
}

TEST(Recording, ConformsAsAPortsConvertersMust) {
    Bench bench;
    auto machine = bench.open(pump);
    ASSERT_TRUE(machine) << machine.error().what;
    std::vector<std::uint16_t> frame(signal::waveform_samples);
    EXPECT_EQ(hal::check_adc(*machine, machine->asset().channels.size(), counts_max, frame), "");
    // A value that was recorded again and again is no stuck sensor.
    for (const asset::Channel& channel : machine->asset().channels)
        EXPECT_EQ(channel.stuck_after_s, 0U);
}

TEST(Recording, GivesEachRowBackThroughTheDevicesOwnFeaturesWithinOneCount) {
    Bench bench;
    auto machine = bench.open(pump);
    ASSERT_TRUE(machine) << machine.error().what;
    const asset::Asset& asset = machine->asset();
    signal::Workspace workspace;
    std::array<std::uint16_t, signal::slow_samples> counts{};
    std::array<float, asset::features_max> features{};
    for (std::size_t row = 0; row < machine->rows(); ++row) {
        EXPECT_EQ(machine->row(), row);
        for (std::size_t i = 0; i < asset.channels.size(); ++i) {
            ASSERT_TRUE(machine->read(i, counts));
            EXPECT_EQ(
                signal::sensor_fault(asset::Sampling::slow, counts, asset.channels[i].counts_max),
                signal::SensorFault::none
            );
            signal::extract(asset, i, counts, workspace, features);
            const auto step = static_cast<double>(asset.channels[i].calibration.unit_per_count);
            EXPECT_NEAR(static_cast<double>(features.at(i)), machine->value(row, i), step);
        }
        EXPECT_EQ(machine->next_row(), row + 1 < machine->rows());
    }
    EXPECT_EQ(machine->row(), 2U) << "the last row stays";
}

TEST(Recording, LeavesAFifthOfTheRangeFreeOnEitherSide) {
    Bench bench;
    auto machine = bench.open(pump);
    ASSERT_TRUE(machine) << machine.error().what;
    std::array<std::uint16_t, 1> count{};
    ASSERT_TRUE(machine->next_row());
    ASSERT_TRUE(machine->read(1, count));  // the highest current
    EXPECT_NEAR(count[0], 65'535.0 * 1.2 / 1.4, 1.0);
    ASSERT_TRUE(machine->next_row());
    ASSERT_TRUE(machine->read(1, count));  // the lowest
    EXPECT_NEAR(count[0], 65'535.0 * 0.2 / 1.4, 1.0);
    ASSERT_TRUE(machine->read(2, count));  // the column that never moves: in the middle
    EXPECT_NEAR(count[0], 65'535.0 / 2.0, 1.0);
}

TEST(Recording, ReadsCommasAndDoesWithoutTimeAndLabel) {
    Bench bench;
    const auto machine = bench.open("a,b\n1,2\n3,4", "x=b");
    ASSERT_TRUE(machine) << machine.error().what;
    EXPECT_TRUE(machine->labels().empty());
    EXPECT_EQ(machine->rows(), 2U);
    EXPECT_EQ(machine->value(1, 0), 4.0);
}

TEST(Recording, CannotBeActuated) {
    Bench bench;
    auto machine = bench.open(pump);
    ASSERT_TRUE(machine) << machine.error().what;
    machine->set_backup_pump(true);
    machine->set_valve_degrees(180);
    const auto flow = machine->backup_flow_l_per_min();
    ASSERT_FALSE(flow);
    EXPECT_EQ(flow.error(), base::Fault::not_found);
    std::array<std::uint16_t, 4> counts{};
    EXPECT_FALSE(machine->read(3, counts)) << "there are three channels";
}

TEST(Recording, NamesTheColumnThatIsNotThereAndThoseThatAre) {
    Bench bench;
    const std::string what = bench.error(pump, "current=Curent");
    EXPECT_THAT(what, HasSubstr("/data/pump.csv, line 1"));
    EXPECT_THAT(what, HasSubstr("\"Curent\""));
    EXPECT_THAT(what, HasSubstr("Accelerometer1RMS, Current, Pressure"));
}

TEST(Recording, NamesFileLineAndColumnOfABadCell) {
    Bench bench;
    for (const std::string_view cell : {"", "12x", "nan", "inf", "0x10", "1,5", "1e39"}) {
        const std::string what =
            bench.error(fmt::format("a;b\n1;2\n\n3;{}\n", cell), "x=a,current=b");
        EXPECT_THAT(what, HasSubstr("/data/pump.csv, line 4: column b")) << cell;
    }
    EXPECT_THAT(bench.error("a;l\n1;0\n1;2\n", "x=a,label=l"), HasSubstr("line 3: column l"));
    EXPECT_THAT(bench.error("a;b\n1;2;3\n", "x=a"), HasSubstr("line 2: 3 cells"));
    EXPECT_THAT(bench.error("a;b\n", "x=a"), HasSubstr("no rows"));
    EXPECT_THAT(bench.error("", "x=a"), HasSubstr("no column"));
}

TEST(Recording, RefusesAMapThatSaysNothingOrTooMuch) {
    Bench bench;
    EXPECT_THAT(bench.error(pump, ""), HasSubstr("write channel=column"));
    EXPECT_THAT(bench.error(pump, "Current"), HasSubstr("\"Current\""));
    EXPECT_THAT(bench.error(pump, "a=Current,a=Pressure"), HasSubstr("a twice"));
    EXPECT_THAT(bench.error(pump, "time=datetime"), HasSubstr("no channel"));
    std::string many;
    for (int i = 0; i < 9; ++i)
        many += fmt::format("{}c{}=Current", i == 0 ? "" : ",", i);
    EXPECT_THAT(bench.error(pump, many), HasSubstr("9 channels, there may be 8"));
}

}  // namespace
}  // namespace stator::recording
