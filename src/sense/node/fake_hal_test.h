// FakeHal is a machine made of memory, for tests: every part can be told to fail or be cut.
#pragma once

#include "sense/hal/hal.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace stator::fake {

// NOR flash whose power can be cut before, or inside, the n-th operation.
class Flash final : public hal::Flash {
  public:
    explicit Flash(std::size_t sectors, std::size_t sector = 4096)
        : sector_{sector}, bytes(sectors * sector, std::byte{0xFF}) {}

    [[nodiscard]] std::size_t size_bytes() const override { return bytes.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return sector_; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override {
        return std::span<const std::byte>{bytes}.subspan(offset, size);
    }

    base::Result<void> erase(std::size_t offset) override {
        if (offset % sector_ != 0 || offset >= bytes.size())
            return std::unexpected{base::Fault::bad_input};
        return change(offset, sector_, [](std::size_t) { return std::byte{0xFF}; });
    }

    base::Result<void> program(std::size_t offset, std::span<const std::byte> data) override {
        if (offset % hal::flash_program_bytes != 0 || data.size() % hal::flash_program_bytes != 0 ||
            offset > bytes.size() || data.size() > bytes.size() - offset)
            return std::unexpected{base::Fault::bad_input};
        for (std::size_t i = 0; i < data.size(); ++i)
            if ((bytes[offset + i] & data[i]) != data[i])
                return std::unexpected{base::Fault::bad_input};
        return change(offset, data.size(), [&](std::size_t i) { return data[i]; });
    }

    // The operation with this number (the first is 0) stores only `torn_bytes` bytes, and nothing
    // works after it.
    void cut_power_at(std::uint64_t operation, std::size_t torn_bytes) {
        cut_at_ = operation;
        torn_bytes_ = torn_bytes;
    }

    void restart() {
        cut_at_ = std::numeric_limits<std::uint64_t>::max();
        off = false;
    }

    std::uint64_t operations = 0;
    bool off = false;

  private:
    template <typename What>
    base::Result<void> change(std::size_t offset, std::size_t size, What&& what) {
        if (off) return std::unexpected{base::Fault::io};
        if (operations++ == cut_at_) {
            off = true;
            size = std::min(size, torn_bytes_);
        }
        for (std::size_t i = 0; i < size; ++i)
            bytes[offset + i] = what(i);
        if (off) return std::unexpected{base::Fault::io};
        return {};
    }

    std::size_t sector_;
    std::uint64_t cut_at_ = std::numeric_limits<std::uint64_t>::max();
    std::size_t torn_bytes_ = 0;

  public:
    std::vector<std::byte> bytes;
};

class Time final : public hal::Time {
  public:
    std::int64_t monotonic_us() override { return now_us; }

    std::int64_t unix_ms() override { return 1'669'170'000'000 + now_us / 1000; }

    bool synced() override { return true; }

    std::int64_t now_us = 0;
};

class Entropy final : public hal::Entropy {
  public:
    std::uint32_t next() override { return static_cast<std::uint32_t>(random_()); }

  private:
    std::mt19937 random_{7};
};

class Watchdog final : public hal::Watchdog {
  public:
    void feed() override { ++fed; }

    int fed = 0;
};

class Log final : public hal::Log {
  public:
    void info(std::string_view text) override { lines.emplace_back(text); }

    void warn(std::string_view text) override { lines.emplace_back(text); }

    std::vector<std::string> lines;
};

struct Sent {
    std::uint32_t id = 0;
    std::string topic;
    std::string payload;
};

// A broker that is told what to do: it acknowledges at once, or when asked to.
class Link final : public hal::Link {
  public:
    base::Result<void> subscribe(std::string_view topic) override {
        topics.emplace_back(topic);
        return {};
    }

    base::Result<std::uint32_t> publish(std::string_view topic, std::string_view payload) override {
        if (!connected) return std::unexpected{base::Fault::again};
        if (in_flight_.size() >= window) return std::unexpected{base::Fault::full};
        sent.push_back({++last_id_, std::string{topic}, std::string{payload}});
        if (acknowledges)
            push({.kind = hal::LinkEvent::Kind::acknowledged, .id = last_id_});
        else
            in_flight_.push_back(last_id_);
        return last_id_;
    }

    bool poll(hal::LinkEvent& event) override {
        if (events_.empty()) return false;
        now_ = std::move(events_.front());
        events_.pop_front();
        event = now_.event;
        event.topic = now_.topic;
        event.payload = now_.payload;
        return true;
    }

    void connect() {
        connected = true;
        push({.kind = hal::LinkEvent::Kind::connected});
    }

    void lose() {
        connected = false;
        in_flight_.clear();
        push({.kind = hal::LinkEvent::Kind::disconnected});
    }

    void deliver(std::string topic, std::string payload) {
        events_.push_back(
            {{.kind = hal::LinkEvent::Kind::message}, std::move(topic), std::move(payload)}
        );
    }

    bool connected = false;
    bool acknowledges = true;
    std::size_t window = 20;
    std::vector<Sent> sent;
    std::vector<std::string> topics;

  private:
    struct Queued {
        hal::LinkEvent event;
        std::string topic;
        std::string payload;
    };

    void push(hal::LinkEvent event) { events_.push_back({event, {}, {}}); }

    std::uint32_t last_id_ = 0;
    std::vector<std::uint32_t> in_flight_;
    std::deque<Queued> events_;
    Queued now_;
};

// Files by path, with ranges; the registry's answer to confirmActivation.
class Fetch final : public hal::Fetch {
  public:
    base::Result<void> start(const hal::FetchRequest& request) override {
        ++started;
        path_ = request.path;
        form = request.form;
        offset_ = request.offset;
        bytes_max_ = request.bytes_max;
        wait_ = patience;
        return {};
    }

    base::Result<hal::FetchReply> poll() override {
        if (wait_ > 0) {
            --wait_;
            return std::unexpected{base::Fault::again};
        }
        if (fails > 0) {
            --fails;
            return std::unexpected{base::Fault::io};
        }
        if (path_ == "/confirmActivation") {
            body_ = active ? "TRUE" : "FALSE";
            return reply(200, body_, body_.size());
        }
        const auto file = files.find(path_);
        if (file == files.end()) return reply(404, {}, 0);
        const std::string& all = file->second;
        if (served_max != 0) bytes_max_ = std::min(bytes_max_, served_max);
        body_ = all.substr(std::min(offset_, all.size()), bytes_max_);
        bytes_served += body_.size();
        return reply(200, body_, all.size());
    }

    std::map<std::string, std::string> files;
    std::string form;
    bool active = true;
    int patience = 0;  // polls that say again
    int fails = 0;     // answers that do not come
    std::size_t served_max = 0;
    std::size_t bytes_served = 0;
    int started = 0;

  private:
    static hal::FetchReply reply(int status, const std::string& body, std::size_t whole) {
        return {.status = status, .bytes = std::as_bytes(std::span{body}), .file_bytes = whole};
    }

    std::string path_;
    std::string body_;
    std::size_t offset_ = 0;
    std::size_t bytes_max_ = 0;
    int wait_ = 0;
};

class Adc final : public hal::Adc {
  public:
    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override {
        if (!make) return std::unexpected{base::Fault::io};
        make(channel, counts);
        return {};
    }

    std::function<void(std::size_t, std::span<std::uint16_t>)> make;
};

class Actuators final : public hal::Actuators {
  public:
    void set_valve_degrees(std::uint8_t degrees) override { valve.push_back(degrees); }

    void set_backup_pump(bool on) override {
        pump = on;
        ++pump_orders;
    }

    base::Result<float> backup_flow_l_per_min() override {
        if (meter_broken) return std::unexpected{base::Fault::io};
        return pump && !blocked && !valve.empty() && valve.back() >= 90 ? 12.0F : 0.0F;
    }

    bool excluded() override { return contact; }

    std::vector<int> valve;
    bool contact = false;  // of what must not run at the same time
    bool pump = false;
    bool blocked = false;
    bool meter_broken = false;
    int pump_orders = 0;
};

// Signs and checks with a hash that only tests would trust.
class Verifier final : public bundle::Verifier {
  public:
    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override {
        std::array<std::uint8_t, 64> want = sign(bytes);
        return std::equal(want.begin(), want.end(), signature.begin());
    }

    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override {
        std::uint64_t hash = 0xCBF29CE484222325U;
        for (const std::byte byte : bytes)
            hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
        for (std::size_t i = 0; i < digest.size(); ++i)
            digest[i] = static_cast<std::uint8_t>(hash >> (8 * (i % 8)));
    }

    static std::array<std::uint8_t, 64> sign(std::string_view bytes) {
        std::array<std::uint8_t, 64> signature{};
        Verifier verifier;
        const auto all = std::as_bytes(std::span{bytes});
        verifier.sha256(all, std::span<std::uint8_t, 32>{signature.data(), 32});
        signature[40] = 7;
        return signature;
    }
};

// A board whose program lies in two small slots.
class Firmware final : public hal::Firmware {
  public:
    hal::Flash& flash() override { return memory; }

    [[nodiscard]] std::string_view board() const override { return "fake-board"; }

    void restart() override { ++restarts; }

    Flash memory{10};  // log 2, slots of 4 sectors
    int restarts = 0;
};

struct Machine {
    Flash flash{64};
    hal::Flash* own_flash = nullptr;  // in flash's place
    Firmware firmware;
    Link link;
    Fetch fetch;
    Time time;
    Entropy entropy;
    Watchdog watchdog;
    Log log;
    Adc adc;
    Actuators actuators;
    Verifier verifier;
    hal::FactoryModel factory_model;

    [[nodiscard]] hal::Hal hal() {
        return {
            adc,
            actuators,
            own_flash != nullptr ? *own_flash : flash,
            link,
            fetch,
            time,
            entropy,
            watchdog,
            log,
            verifier,
            &firmware,
            nullptr,
            factory_model
        };
    }
};

}  // namespace stator::fake
