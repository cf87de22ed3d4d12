#include "transport/adopt/adoption.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stator::adopt {

namespace {

constexpr std::string_view tag = "adopt";
constexpr std::int64_t say_every_us = 10'000'000;
constexpr std::size_t said_max = 4096;
constexpr std::int64_t brief_us = 200;  // while acknowledgements are on their way
constexpr std::size_t password_bytes_max = 4096;
// Of what waits for our own gate: a broker of MQTT 3.1.1 knows no receive maximum.
constexpr std::size_t waiting_max = 20'000;

}  // namespace

Adoption::Adoption(doors::Doors& doors, Options options)
    : doors_{doors}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Adoption>> Adoption::make(
    doors::Doors& doors, const Ways& ways, Options options
) {
    std::unique_ptr<Adoption> made{new Adoption{doors, std::move(options)}};
    auto text = doors.disk.read_all(made->options_.map_file, map_bytes_max);
    if (!text) return std::unexpected(text.error());
    auto map = read_map(*text, made->options_.map_file, made->options_.assets);
    if (!map) return std::unexpected(map.error());
    made->map_ = std::move(*map);
    if (auto done = made->connect(ways); !done) return std::unexpected(done.error());
    return made;
}

Outcome<void> Adoption::connect(const Ways& ways) {
    auto client = doors_.mqtt.connect(options_.mqtt);
    if (!client) return std::unexpected(client.error());
    client_ = std::move(*client);
    for (std::size_t i = 0; i < map_.brokers.size(); ++i) {
        const Broker& broker = map_.brokers[i];
        Site site{.name = broker.name, .sources = {}, .intake = {}, .trouble = {}};
        for (const Source& source : map_.sources)
            if (source.broker == i) site.sources.push_back(&source);
        if (site.sources.empty()) {
            doors_.journal.warn(tag, "broker " + broker.name + " has no [[source]]: not read");
            continue;
        }
        std::string password;
        if (!broker.password_file.empty()) {
            auto secret = doors_.disk.read_all(broker.password_file, password_bytes_max);
            if (!secret) return std::unexpected(secret.error());
            password = std::move(*secret);
            while (password.ends_with('\n') || password.ends_with('\r'))
                password.pop_back();
        }
        auto intake = open_intake(ways, broker, site.sources, password);
        if (!intake) return std::unexpected(intake.error());
        site.intake = std::move(*intake);
        sites_.push_back(std::move(site));
    }
    return {};
}

// The log says all that an earlier life had published only once our gate has let this one in: it
// ended the earlier one's connection by that.
Outcome<void> Adoption::remember() {
    auto memory = Memory::open(doors_.disk, options_.log_directory, options_.mqtt.client_id);
    if (!memory) return std::unexpected(memory.error());
    memory_ = std::move(*memory);
    // Above all that were given, also when the clock was set back.
    boot_ = std::max(
        static_cast<std::uint32_t>(doors_.clock.unix_ms() / 1000), memory_->boot_max() + 1
    );
    return {};
}

Outcome<bool> Adoption::step() {
    const bool heard = hear();
    if (!memory_) {
        if (!client_->connected()) return heard;
        if (auto done = remember(); !done) return std::unexpected(done.error());
    }
    auto taken = take();
    if (!taken) return taken;
    auto passed = pass();
    if (!passed) return passed;
    const std::uint64_t oldest = passing_.empty() ? arrivals_ + 1 : passing_.begin()->first;
    if (waiting_.empty())
        if (auto done = memory_->checkpoint(doors_.clock.monotonic_us(), arrivals_ + 1, oldest);
            !done)
            return std::unexpected(done.error());
    metrics_.set("stator_adopt_in_flight", static_cast<double>(passing_.size() + waiting_.size()));
    return heard || *taken || *passed;
}

void Adoption::wait(std::int64_t timeout_us) {
    const bool expects = !passing_.empty() && client_->connected();
    if (expects || sites_.size() != 1 || !memory_) {
        doors_.clock.wait_us(expects ? std::min(timeout_us, brief_us) : timeout_us);
        return;
    }
    sites_.front().intake->wait(timeout_us);
}

bool Adoption::hear() {
    const std::vector<mqtt::Event> events = client_->poll();
    for (const mqtt::Event& event : events) {
        if (event.kind == mqtt::Event::Kind::acknowledged) settle(event.id, {});
        if (event.kind == mqtt::Event::Kind::refused) settle(event.id, event.reason);
        if (event.kind == mqtt::Event::Kind::disconnected)
            say_seldom("gate", "our own gate: " + event.reason);
    }
    return !events.empty();
}

void Adoption::settle(std::uint64_t publish_id, const std::string& refusal) {
    const auto published = publications_.find(publish_id);
    if (published == publications_.end()) return;
    const auto passing = passing_.find(published->second);
    publications_.erase(published);
    if (passing == passing_.end()) return;
    Site& site = sites_[passing->second.site];
    const std::string label = metrics::label("broker", site.name);
    if (refusal.empty()) {
        metrics_.add("stator_adopt_readings_total", 1, label);
    } else {
        metrics_.add("stator_adopt_refused_total", 1, label);
        say_seldom(
            "refused/" + site.name,
            fmt::format(
                "the gate refuses a reading of {}: {}; is its device enrolled here?",
                site.name,
                refusal
            )
        );
    }
    if (--passing->second.readings > 0) return;
    site.intake->done(passing->second.id);
    passing_.erase(passing);
}

Outcome<bool> Adoption::take() {
    bool any = false;
    for (std::size_t i = 0; i < sites_.size() && waiting_.size() < waiting_max; ++i) {
        Site& site = sites_[i];
        auto incoming = site.intake->poll();
        if (!incoming && incoming.error().fault == base::Fault::closed)
            return std::unexpected(incoming.error());
        tell_trouble(site);
        if (!incoming) {
            say_seldom("poll/" + site.name, site.name + ": " + incoming.error().what);
            continue;
        }
        for (Incoming& it : *incoming)
            waiting_.push_back({.site = i, .incoming = std::move(it)});
        any = any || !incoming->empty();
    }
    return any;
}

void Adoption::tell_trouble(Site& site) {
    const std::string label = metrics::label("broker", site.name);
    metrics_.set("stator_adopt_connected", site.intake->connected() ? 1 : 0, label);
    metrics_.set(
        "stator_adopt_sessions_lost", static_cast<double>(site.intake->sessions_lost()), label
    );
    std::string trouble = site.intake->trouble();
    if (trouble == site.trouble) return;
    if (trouble.empty())
        doors_.journal.info(tag, site.name + ": read again");
    else
        doors_.journal.warn(tag, site.name + ": " + trouble);
    site.trouble = std::move(trouble);
}

Number Adoption::number(
    const Reading& reading, const std::string& place, std::uint64_t digest, bool repeated
) {
    if (reading.seq) return {.boot = reading.boot.value_or(0), .seq = *reading.seq};
    if (repeated)
        if (const auto given = memory_->find(place, digest)) return *given;
    const Number made{.boot = boot_, .seq = ++seq_[reading.device]};
    memory_->keep(place, digest, made);
    return made;
}

std::vector<Adoption::Outgoing> Adoption::translate(const Site& site, const Incoming& incoming) {
    std::vector<Outgoing> made;
    const std::uint64_t digest = digest_of(incoming.topic, incoming.payload);
    const Arrived arrived{
        .topic = incoming.topic,
        .key = incoming.key,
        .payload = incoming.payload,
        .receive_unix_ms = incoming.unix_ms > 0 ? incoming.unix_ms : doors_.clock.unix_ms()
    };
    for (std::size_t i = 0; i < site.sources.size(); ++i) {
        const Source& source = *site.sources[i];
        Captures captures;
        if (!source.topic.match(incoming.topic, captures)) continue;
        const auto reading = apply(source, arrived);
        if (!reading) {
            metrics_.add("stator_adopt_unmapped_total", 1, metrics::label("broker", site.name));
            say_seldom(
                source.where,
                fmt::format(
                    "a message on {} of {} is let go of: {} ({})",
                    incoming.topic,
                    site.name,
                    reading.error().what,
                    source.where
                )
            );
            continue;
        }
        const std::string place = fmt::format("{}/{}/{}", site.name, i, incoming.place);
        const Number its = number(*reading, place, digest, incoming.repeated);
        made.push_back(
            {.topic = reading->inference ? options_.level1_topic : options_.data_topic,
             .payload = render(*reading, its, fmt::format("{}/{:016x}", place, digest))}
        );
    }
    return made;
}

Outcome<bool> Adoption::pass() {
    bool any = false;
    // Room for every source of the map, so that a message goes whole or waits.
    const std::size_t room =
        options_.mqtt.queue_max - std::min(options_.mqtt.queue_max, sources_max);
    while (!waiting_.empty() && publications_.size() < room) {
        const Waiting it = std::move(waiting_.front());
        waiting_.pop_front();
        any = true;
        Site& site = sites_[it.site];
        metrics_.add("stator_adopt_received_total", 1, metrics::label("broker", site.name));
        if (it.incoming.retained) {
            site.intake->done(it.incoming.id);
            continue;
        }
        const std::vector<Outgoing> outgoing = translate(site, it.incoming);
        if (outgoing.empty()) {
            site.intake->done(it.incoming.id);
            continue;
        }
        const std::uint64_t arrival = ++arrivals_;
        passing_[arrival] = {.site = it.site, .id = it.incoming.id, .readings = outgoing.size()};
        for (const Outgoing& out : outgoing) {
            auto id = client_->publish({.topic = out.topic, .payload = out.payload, .qos = 1});
            // Never acknowledged from here on, so it comes again to a process that is started anew.
            if (!id) return fail(base::Fault::closed, id.error().what);
            publications_[*id] = arrival;
        }
    }
    return any;
}

void Adoption::say_seldom(const std::string& about, const std::string& text) {
    const std::int64_t now_us = doors_.clock.monotonic_us();
    if (said_us_.size() >= said_max) said_us_.clear();
    const auto [at, first] = said_us_.try_emplace(about, now_us);
    if (!first && now_us - at->second < say_every_us) return;
    at->second = now_us;
    doors_.journal.warn(tag, text);
}

}  // namespace stator::adopt
