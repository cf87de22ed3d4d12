#include "integers.h"

#include "shared/base/crc32c.h"
#include "shared/firmware/image.h"
#include "shared/interlock/interlock.h"
#include "shared/signal/decimator.h"
#include "shared/signal/q15.h"
#include "shared/signal/sensor_fault.h"
#include "shared/tinyml/dense.h"

#include <array>
#include <cstring>

namespace stator::portable {
namespace {

class Chance {
  public:
    std::uint32_t next() { return state_ = state_ * 1'664'525U + 1'013'904'223U; }

    std::int32_t within(std::int32_t bound) {  // -bound .. bound
        return static_cast<std::int32_t>(
                   (next() >> 16U) % (2U * static_cast<std::uint32_t>(bound) + 1U)
               ) -
               bound;
    }

  private:
    std::uint32_t state_ = 1;
};

class Hash {
  public:
    void add(std::uint32_t value) {
        for (unsigned shift = 0; shift < 32; shift += 8)
            hash_ = (hash_ ^ (value >> shift & 0xFFU)) * 16'777'619U;
    }

    void add_signed(std::int32_t value) { add(static_cast<std::uint32_t>(value)); }

    void say_as(const char* name) const {
        std::array<char, 64> line{};
        std::size_t at = 0;
        for (; name[at] != '\0'; ++at)
            line[at] = name[at];
        std::memcpy(&line[at], " = ", 3);
        at += 3;
        for (int shift = 28; shift >= 0; shift -= 4)
            line[at++] = "0123456789abcdef"[hash_ >> static_cast<unsigned>(shift) & 15U];
        line[at] = '\n';
        say(line.data());
    }

  private:
    std::uint32_t hash_ = 2'166'136'261U;
};

std::array<std::uint16_t, 1310> counts;
std::array<std::int16_t, 1310> block;

// Frames of tones, steps and noise of all loudnesses, through all of signal/q15.h.
void q15() {
    Chance chance;
    Hash spectrum_hash;
    Hash feature_hash;
    const auto add = [&](const signal::q15::Scaled& it) {
        feature_hash.add(it.value);
        feature_hash.add_signed(it.exponent);
    };
    for (std::uint32_t round = 0; round < 24; ++round) {
        const std::int32_t loud = 1 << (round % 12);
        const std::uint32_t step = chance.next() >> 17U;
        for (std::uint32_t i = 0; i < counts.size(); ++i) {
            const auto place = static_cast<std::int32_t>(i * step & 0xFFFFU);
            const std::int32_t wave = (place < 0x8000 ? place : 0xFFFF - place) - 0x4000;
            counts[i] =
                static_cast<std::uint16_t>(32'768 + wave * loud / 4'096 + chance.within(loud));
        }
        const signal::q15::Block seen = signal::q15::block_of(counts, block);
        add(seen.mean);
        add(seen.rms);
        feature_hash.add(signal::q15::peak_of(block));
        feature_hash.add(signal::q15::kurtosis_4096ths(block));
        const std::size_t size = std::size_t{8} << (round % 8);
        const auto packed = std::span{block}.first(size);
        const signal::q15::Spectrum spectrum = signal::q15::transform(packed, seen.exponent);
        for (const std::int16_t part : packed)
            spectrum_hash.add_signed(part);
        feature_hash.add_signed(spectrum.exponent);
        feature_hash.add(spectrum.rms_error_256ths);
        feature_hash.add(spectrum.worst_error_256ths);
        feature_hash.add(signal::q15::peak_line_4096ths(packed));
        add(signal::q15::amplitude(packed, spectrum, 1, size / 2));
        add(signal::q15::integrated(packed, spectrum, 1, size / 2));
        add(signal::q15::amplitude_error(spectrum, size));
    }
    spectrum_hash.say_as("q15 spectrum");
    feature_hash.say_as("q15 features");
}

void decimator() {
    Chance chance;
    Hash hash;
    signal::Decimator decimator{32'768};
    for (std::uint32_t i = 0; i < 45U * 200U; ++i) {
        const std::uint32_t rail = i / 1'000 % 2 != 0 ? 0xFFFFU : 0U;  // full swings, then noise
        const auto count = static_cast<std::uint16_t>(i < 4'500 ? rail : chance.next() >> 16U);
        if (const auto made = decimator.push(count)) hash.add_signed(*made);
    }
    hash.say_as("decimator");
}

// Frames that stand still, meet a rail, jump: each kind of fault, and none.
void sensors() {
    Chance chance;
    Hash hash;
    signal::Stillness stillness;
    for (std::uint32_t round = 0; round < 48; ++round) {
        const std::int32_t middle = chance.within(2'048) + 2'048;
        const std::int32_t loud = round % 6 == 0 ? 0 : 1 << (round % 13);
        for (std::uint16_t& count : counts) {
            const std::int32_t value = middle + chance.within(loud);
            count = static_cast<std::uint16_t>(value < 0 ? 0 : value > 4'095 ? 4'095 : value);
        }
        using asset::Sampling;
        for (const Sampling it : {Sampling::slow, Sampling::waveform, Sampling::reference})
            hash.add(static_cast<std::uint32_t>(signal::sensor_fault(it, counts)));
        hash.add_signed(
            static_cast<std::int32_t>(stillness.after(counts, std::int64_t{round} * 100'000))
        );
    }
    hash.say_as("sensor faults");
}

// An hour and a half of orders in pseudo-random order.
void interlock_table() {
    Chance chance;
    Hash hash;
    interlock::Interlock table{{}, 0};
    for (std::int64_t now_ms = 0; now_ms < 5'400'000; now_ms += 700) {
        const std::uint32_t order = chance.next() >> 24U;
        const interlock::Conditions conditions{
            .act = order != 7, .locked_out = order == 8, .excluded = order == 9
        };
        interlock::Why why{};
        hash.add(table.step(conditions, now_ms, why) ? 1 : 0);
        hash.add(static_cast<std::uint32_t>(why));
        if (order % 16 < 5)
            hash.add(static_cast<std::uint32_t>(
                table.start(conditions, now_ms - chance.within(12'000), now_ms)
            ));
        if (order % 16 == 6) hash.add(static_cast<std::uint32_t>(table.stop(order > 128, now_ms)));
        hash.add(static_cast<std::uint32_t>(table.starts_in_the_last_hour(now_ms)));
    }
    hash.say_as("interlock");
}

void firmware_header() {
    Chance chance;
    Hash hash;
    static std::array<std::byte, firmware::header_bytes> bytes;
    firmware::Header header;
    header.board = "some-board";
    header.version = "1.2.3";
    for (std::uint32_t round = 0; round < 64; ++round) {
        header.release = chance.next();
        header.image_bytes = chance.next() >> 12U;
        for (std::uint8_t& it : header.sha256)
            it = static_cast<std::uint8_t>(chance.next() >> 24U);
        firmware::compose(header, bytes);
        if (round % 3 == 0) bytes[chance.next() % bytes.size()] ^= std::byte{0x10};
        for (const std::byte it : bytes)
            hash.add(std::to_integer<std::uint32_t>(it));
        const auto read = firmware::parse(bytes);
        hash.add(read ? read->release : static_cast<std::uint32_t>(read.error()) + 1);
        hash.add(read ? static_cast<std::uint32_t>(read->version.size()) : 0);
    }
    hash.say_as("firmware header");
}

// Layers of odd sizes with a multiplier for each unit, in both roundings.
void dense() {
    Chance chance;
    Hash hash;
    constexpr std::uint32_t depth_max = 64;
    constexpr std::uint32_t units_max = 33;
    static std::array<std::int8_t, depth_max> x;
    static std::array<std::int8_t, depth_max * units_max> weights;
    static std::array<std::int32_t, units_max> bias;
    static std::array<std::byte, tinyml::Multipliers::bytes(units_max)> scale;
    static std::array<std::int8_t, units_max> y;
    for (std::uint32_t round = 0; round < 16; ++round) {
        tinyml::Dense layer;
        layer.depth = 1 + 4 * round;
        layer.units = 33 - 2 * round;
        for (std::int8_t& value : x)
            value = static_cast<std::int8_t>(chance.within(127));
        for (std::int8_t& value : weights)
            value = static_cast<std::int8_t>(chance.within(127));
        for (std::int32_t& value : bias)
            value = chance.within(30'000);
        for (std::uint32_t unit = 0; unit < layer.units; ++unit) {
            const auto significand = static_cast<std::int32_t>((1U << 30U) + (chance.next() >> 2U));
            std::memcpy(&scale[std::size_t{4} * unit], &significand, 4);
            scale[std::size_t{4} * layer.units + unit] =
                static_cast<std::byte>(-6 + chance.within(3));
        }
        layer.x = x.data();
        layer.weights = weights.data();
        layer.bias = std::as_bytes(std::span{bias}).data();
        layer.scale = {scale.data(), layer.units};
        layer.y = y.data();
        layer.x_zero = chance.within(100);
        layer.y_zero = chance.within(100);
        for (const bool twice : {true, false}) {
            if (twice)
                tinyml::dense_portable<tinyml::Rounding::double_>(layer);
            else
                tinyml::dense_portable<tinyml::Rounding::single>(layer);
            for (std::uint32_t unit = 0; unit < layer.units; ++unit)
                hash.add_signed(y[unit]);
        }
    }
    hash.say_as("int8 layers");
}

void functions() {
    Chance chance;
    Hash hash;
    for (int round = 0; round < 64; ++round) {
        const auto any = static_cast<std::int32_t>(chance.next());
        for (int bits = 0; bits <= 5; ++bits) {
            hash.add_signed(tinyml::fixed_logistic(any, bits));
            hash.add_signed(tinyml::fixed_tanh(any, bits));
            hash.add_signed(tinyml::fixed_exp_of_negative(any > 0 ? -any : any, bits));
        }
        hash.add_signed(tinyml::fixed_one_over_one_plus(any & 0x7FFF'FFFF));
    }
    hash.say_as("fixed-point functions");
}

void crc() {
    Chance chance;
    Hash hash;
    static std::array<std::byte, 300> bytes;
    for (std::byte& byte : bytes)
        byte = static_cast<std::byte>(chance.next() >> 24U);
    for (std::size_t size = 0; size <= bytes.size(); size += 7)
        hash.add(base::crc32c(std::span{bytes}.first(size)));
    hash.say_as("crc32c");
}

}  // namespace

void integers() {
    q15();
    decimator();
    sensors();
    interlock_table();
    firmware_header();
    dense();
    functions();
    crc();
    say("done\n");
}

}  // namespace stator::portable
