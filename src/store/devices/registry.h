// Registry keeps who may take part: devices, their roles and states, and what is revoked.
//
// Facts in SQLite; each change also writes the rights snapshot that the gate decides by. `stator
// device` may call the verbs in its own process while the registry serves: the generation lives in
// the database, and the snapshot is written under a lock.
//
//   POST /provisionDevice (operators), /confirmActivation (anybody), /enrol (a one-time code)
//   GET /api/v1/devices   POST /api/v1/devices/ID/activate | revoke
#pragma once

#include "store/devices/rights.h"
#include "store/identity/access.h"
#include "store/identity/enrolment.h"
#include "store/identity/site.h"
#include "world/doors/doors.h"
#include "world/http/http.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stator::devices {

struct Options {
    std::string state_directory;
};

struct Device {
    std::string id;
    identity::Role role = identity::Role::sensor;
    State state = State::provisioned;
    std::string title;
    bool legacy = false;  // let in without certificate, by exception
};

// What a device without mutual TLS shows instead, on the loopback listener only.
enum class Legacy : std::uint8_t { password, bare };

struct Added {  // by add_with_certificate(): paths
    std::string directory;
    std::string certificate_file;
    std::string key_file;
};

class Registry {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Registry>> make(
        doors::Doors& doors, Options options
    );

    [[nodiscard]] http::Response handle(const http::Request& request);

    // What is there stays as it is, but for the title.
    [[nodiscard]] Outcome<void> provision(
        const std::string& id, identity::Role role, const std::string& title
    );
    // Fault::not_found for an unknown id; denied for one that was revoked.
    [[nodiscard]] Outcome<void> activate(const std::string& id);
    // For good: the id's live connections end within seconds.
    [[nodiscard]] Outcome<void> revoke(const std::string& id);
    // The devices that a level-2 service may raise alerts about.
    [[nodiscard]] Outcome<void> assign(
        const std::string& level2_id, const std::vector<std::string>& devices
    );
    // A sensor of one's own, active at once: key and certificate in nodes/<id>/.
    [[nodiscard]] Outcome<Added> add_with_certificate(const std::string& id);
    // A one-time code for a device that makes its own key.
    [[nodiscard]] Outcome<std::string> make_code(const std::string& id);

    // Lets an id in without certificate, active at once, from the loopback only. The new password,
    // which is kept nowhere; empty for Legacy::bare. Fault::denied for one that was revoked.
    [[nodiscard]] Outcome<std::string> admit_legacy(
        const std::string& id, identity::Role role, Legacy how
    );
    // Ends the exception: from then on the device needs a certificate. Fault::not_found without
    // one.
    [[nodiscard]] Outcome<void> end_legacy(const std::string& id);

    [[nodiscard]] Outcome<std::vector<Device>> list();

    [[nodiscard]] identity::Access& access() { return access_; }

  private:
    Registry(doors::Doors& doors, Options options, identity::Site site);

    [[nodiscard]] Outcome<void> change(
        const std::string& sql, const std::vector<database::Value>& parameters
    );
    [[nodiscard]] Outcome<void> write_snapshot();
    [[nodiscard]] Outcome<void> add_legacy_to(Rights& rights);
    [[nodiscard]] Outcome<Device> find(const std::string& id);
    [[nodiscard]] bool is_revoked(std::string_view serial);
    [[nodiscard]] Outcome<void> note_serial(const std::string& id, const std::string& serial);

    [[nodiscard]] http::Response provision_device(const http::Request& request);
    [[nodiscard]] http::Response confirm_activation(const http::Request& request);
    [[nodiscard]] http::Response enrol(const http::Request& request);
    [[nodiscard]] http::Response list_devices(const http::Request& request);
    [[nodiscard]] http::Response change_device(const http::Request& request);

    doors::Doors& doors_;
    Options options_;
    identity::Site site_;
    identity::Tokens tokens_;
    identity::Enrolment enrolment_;
    identity::Access access_;
    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::devices
