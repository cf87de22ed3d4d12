// The Proof runs the portable core over a machine of memory and says what came out, so that two
// processors can be held to the same bits, and what it costs can be counted.
//
// the parts' conformance -> signal -> model -> fold -> a whole node: activation, readings, a model
// update that is fetched, checked, tried and confirmed, then a fault, the alarm, the valve, and the
// repair. One minute of virtual time. The caller owns the Proof (about 90 KB) and the flash;
// nothing is allocated.
#pragma once

#include "sense/node/node.h"
#include "sense/proof/machine.h"
#include "shared/asset/asset.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::proof {

class Report {
  public:
    virtual void value(std::string_view name, std::uint64_t value) = 0;
    // Around what is to be counted; the same name may come again, and the largest counts.
    virtual void begin() = 0;
    virtual void end(std::string_view what) = 0;

  protected:
    ~Report() = default;
};

class Proof {
  public:
    // `tflite`: a level-1 model of 13 inputs. `flash`: blank.
    Proof(hal::Flash& flash, std::span<const std::byte> tflite, Report& report);

    // False when a step of the story was not reached: `missing` of the report says which.
    [[nodiscard]] bool run();

  private:
    static constexpr std::size_t readings_max = 96;
    static constexpr std::size_t events_max = 16;
    static constexpr std::size_t arena_bytes = 4096;

    [[nodiscard]] bool conforms();
    void signal();
    [[nodiscard]] bool model();
    [[nodiscard]] bool make_manifest();
    [[nodiscard]] bool node();
    [[nodiscard]] bool reached(bool it, std::string_view what);

    hal::Flash& flash_;
    std::span<const std::byte> tflite_;
    Report& report_;
    asset::Asset asset_;
    std::array<float, asset::features_max> baseline_{};
    signal::Workspace workspace_;

    std::array<node::WaitingReading, readings_max> readings_{};
    std::array<node::WaitingDeviceEvent, events_max> events_{};
    std::array<std::array<std::byte, arena_bytes>, 2> arenas_{};
    std::array<char, bundle::envelope_bytes_max> envelope_{};
    std::array<std::uint16_t, signal::waveform_samples> counts_{};
    std::array<char, 8192> served_{};

    Trace trace_;
    Time time_;
    Entropy entropy_;
    hal::CountingWatchdog watchdog_;
    Log log_{trace_};
    Motor motor_{trace_};
    Link link_{trace_};
    Fetch fetch_;
    Verifier verifier_;
    std::optional<node::Node> node_;
};

}  // namespace stator::proof
