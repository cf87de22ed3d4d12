// What the backlog's tests stand on: a device with its flash and its outbox, and the site that it
// tells everything.
#pragma once

#include "sense/node/backlog.h"
#include "sense/node/fake_hal_test.h"
#include "sense/node/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stator::node {

struct Sent {
    Key key;
    std::string topic;
    std::optional<wire::GapEvent> gap;
    std::int64_t time_unix_ms = 0;
    float first_feature = 0.0F;
    std::string model;
};

// The site, as far as a device knows it: what it got, what was declared, and the gate's mark.
class Site {
  public:
    void receive(const Sent& sent) {
        const bool fresh = received[sent.key.boot].insert(sent.key.seq).second;
        if (fresh) {
            messages.push_back(sent);
            // Who reads a topic takes what does not rise for something it had.
            Key& last = last_[sent.topic];
            if (sent.key < last) ++passed_over;
            last = std::max(last, sent.key);
        }
        if (sent.gap) {
            gaps.push_back({sent.key.boot, *sent.gap});
            note(sent.key.boot, sent.gap->from, sent.gap->to);
        }
        note(sent.key.boot, sent.key.seq, sent.key.seq);
    }

    [[nodiscard]] Key mark() const { return {.boot = boot_, .seq = appended_}; }

    [[nodiscard]] bool declared(const Key& key) const {
        return std::ranges::any_of(gaps, [&](const auto& gap) {
            return gap.first == key.boot && gap.second.from <= key.seq && key.seq <= gap.second.to;
        });
    }

    std::map<std::uint32_t, std::set<std::uint64_t>> received;
    std::vector<std::pair<std::uint32_t, wire::GapEvent>> gaps;
    std::vector<Sent> messages;
    int passed_over = 0;

  private:
    void note(std::uint32_t boot, std::uint64_t from, std::uint64_t to) {
        if (boot < boot_) return;
        if (boot > boot_) {
            boot_ = boot;
            appended_ = to;
            early_.clear();
            return;
        }
        for (std::uint64_t seq = from; seq <= to; ++seq)
            early_.insert(seq);
        if (from <= appended_ + 1) appended_ = std::max(appended_, to);
        while (early_.contains(appended_ + 1))
            ++appended_;
    }

    std::map<std::string, Key> last_;
    std::uint32_t boot_ = 0;
    std::uint64_t appended_ = 0;
    std::set<std::uint64_t> early_;
};

struct Device {
    Device(std::size_t sectors, std::size_t sector_bytes, std::size_t ram = 8)
        : flash{sectors, sector_bytes}, readings(ram), events(4) {
        models[1] = "first-model";
        models[2] = "second-model";
    }

    void restart() {
        if (outbox) shed_before += outbox->shed_count();
        if (backlog) ends_lost += backlog->ends_lost();
        flash.restart();
        backlog.reset();
        ++boot;
        outbox.emplace(readings, events);
        outbox->start(boot);
        backlog.emplace(flash, boot, facts, outbox->shed());
        outbox->use(*backlog);
        outbox->push(wire::StartedEvent{}, 7);
    }

    void measure(ReadingKind kind, std::uint8_t model = 0) {
        Reading reading;
        reading.kind = kind;
        reading.model = model;
        const std::uint64_t seq = outbox->seq_last() + 1;
        reading.time_unix_ms = static_cast<std::int64_t>(boot * 1'000'000 + seq);
        reading.features[0] = static_cast<float>(seq);
        reading.features[1] = std::nanf("");
        measured[{boot, seq}] = reading;
        outbox->push(reading);
    }

    // What was sent of a reading is the reading, wherever it waited.
    void expect_as_measured(const Site& site) const {
        for (const Sent& sent : site.messages) {
            if (sent.topic == "event") continue;
            const auto found = measured.find(sent.key);
            ASSERT_NE(found, measured.end()) << sent.key.boot << ' ' << sent.key.seq;
            const Reading& reading = found->second;
            ASSERT_EQ(sent.topic, topic_of(reading));
            ASSERT_EQ(sent.time_unix_ms, reading.time_unix_ms);
            ASSERT_EQ(sent.first_feature, reading.features[0]);
            ASSERT_EQ(sent.model, models[reading.model].view());
        }
    }

    static const char* topic_of(const Reading& reading) {
        return reading.kind == ReadingKind::telemetry ? "data" : "inference";
    }

    std::optional<Sent> send() {
        const auto item = outbox->next(99);
        if (!item) return std::nullopt;
        Sent sent{.key = item->key, .topic = "event", .gap = {}, .model = {}};
        if (item->reading != nullptr) {
            const Reading& reading = *item->reading;
            sent.topic = topic_of(reading);
            sent.time_unix_ms = reading.time_unix_ms;
            sent.first_feature = reading.features[0];
            const auto& name =
                item->origin != nullptr ? item->origin->model : models[reading.model];
            sent.model = std::string{name.view()};
        } else if (!item->json.empty()) {
            const auto event = wire::decode_event(item->json);
            EXPECT_TRUE(event);
            EXPECT_EQ((Key{event->boot, event->seq}), item->key);
            if (const auto* gap = std::get_if<wire::GapEvent>(&event->what)) sent.gap = *gap;
        } else if (const auto* gap = std::get_if<wire::GapEvent>(&item->event->body)) {
            sent.gap = *gap;
        }
        outbox->mark_sent(item->key);
        return sent;
    }

    void talk(Site& site) {  // on a new connection, until nothing is left to say
        outbox->connection_lost();
        for (int round = 0; round < 400; ++round) {
            outbox->mark_stored(site.mark(), false);
            for (int i = 0; i < 200; ++i) {
                const auto sent = send();
                if (!sent) break;
                site.receive(*sent);
            }
            outbox->mark_stored(site.mark(), false);
            static_cast<void>(outbox->declare_gap(0, now_ms += 5'000, 1'000));
            outbox->tend(false, now_ms);
            if (outbox->waiting() == 0) break;
        }
    }

    fake::Flash flash;
    std::vector<WaitingReading> readings;
    std::vector<WaitingDeviceEvent> events;
    std::array<wire::FileName, 8> models;
    std::map<Key, Reading> measured;
    BacklogFacts facts{
        .device = "7", .firmware = "0.1", .feature_set = 5, .feature_count = 2, .models = models
    };
    std::uint32_t boot = 0;
    std::optional<Outbox> outbox;
    std::optional<Backlog> backlog;
    std::uint64_t shed_before = 0;
    std::uint32_t ends_lost = 0;
    std::int64_t now_ms = 0;
};

}  // namespace stator::node
