// The Console is what people see and do: the page, its live feed, and the verbs behind its buttons.
//
// It reads the log as an optional reader (it may miss what was deleted, and says so), keeps nothing
// on disk, and does nothing itself: verdicts, commands and the test bench's motor are handed in as
// Links. Who asks is a browser with a session, or a script with an operator's token; what changes
// something needs the operator role and a JSON body.
//
//   GET /            the page          GET /enter?code=   a one-time link
//   GET /api/v1/overview               GET /api/v1/live   (server-sent events)
//   POST /api/v1/episodes/ID/verdict   POST /api/v1/commands   POST /api/v1/plant   POST
//   /api/v1/link
#pragma once

#include "act/console/feed.h"
#include "act/console/fixed_limit.h"
#include "act/console/page.h"
#include "act/console/sessions.h"
#include "act/console/steps.h"
#include "shared/asset/asset.h"
#include "shared/signal/zone.h"
#include "shared/wire/topics.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace stator::console {

struct Links {
    // JSON array of Episode (web/src/overview.ts), newest first.
    std::function<std::string()> episodes;
    std::function<Outcome<void>(
        std::int64_t episode,
        const std::string& verdict,
        const std::string& note,
        const std::string& who
    )>
        verdict;
    // JSON text of a request to a device -> the command's id.
    std::function<Outcome<std::string>(const std::string& body, const std::string& who)> command;
    // The test bench's motor; empty where there is none.
    std::function<Outcome<std::string>(const std::string& body)> plant;
    // What the last judging of a model said; text.
    std::function<std::string()> judgement;
    // The role behind a request's credentials: "viewer" ... "admin", or "" for nobody.
    std::function<std::string(const http::Request&)> role;
};

struct Options {
    asset::Asset asset;
    std::string level2 = "level2-1";  // the level-2 service's client id
    wire::Topics topics;
    std::string badge;    // "SIMULATED, 40 x time"
    std::string web_dir;  // empty: no page, as in the simulation
    std::int64_t site_unix_ms = 0;
    std::string site_measured;
    std::size_t baseline_readings = 240;
};

class Console {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Console>> make(
        doors::Doors& doors, stream::Stream& stream, Options options, Links links
    );

    [[nodiscard]] http::Response handle(const http::Request& request);
    // `server`: where handle() serves; its event streams are fed here. True when it did something.
    [[nodiscard]] Outcome<bool> step(http::Server& server);

    void attach(http::Server& server) { server_ = &server; }

    [[nodiscard]] std::string new_code() { return sessions_.new_code(); }

    [[nodiscard]] std::string overview();

  private:
    Console(doors::Doors& doors, Options options, Links links);

    [[nodiscard]] http::Response verdict(
        const http::Request& request, const std::string& id, const std::string& who
    );
    [[nodiscard]] http::Response change(const http::Request& request, const std::string& role);
    [[nodiscard]] std::string sentence(std::string& condition) const;
    // Of the last reading, as the device itself judges it.
    [[nodiscard]] signal::Vibration vibration() const;
    [[nodiscard]] Outcome<bool> drain(stream::Source& source);

    doors::Doors& doors_;
    Options options_;
    Links links_;
    Sessions sessions_;
    Steps steps_;
    Feed feed_;
    FixedLimit fixed_limit_;
    Page page_;
    http::Server* server_ = nullptr;
    std::unique_ptr<stream::Source> telemetry_;
    std::unique_ptr<stream::Source> alarms_;
    std::unique_ptr<stream::Source> control_;
    std::uint64_t missed_bytes_ = 0;
    std::int64_t next_overview_us_ = 0;
    std::string overview_;
};

}  // namespace stator::console
