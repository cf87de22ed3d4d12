#include "store/identity/site.h"

#include "store/identity/access.h"

#include <algorithm>
#include <array>
#include <utility>

namespace stator::identity {
namespace {

constexpr std::size_t pki_file_bytes_max = 256U << 10U;

struct Service {
    std::string_view name;
    Role role;
};

constexpr std::array<Service, 7> services{{
    {"ingest", Role::service},
    {"learn", Role::service},
    {"rollout", Role::service},
    {"console", Role::service},
    {"bridge", Role::service},
    {"adopt", Role::adopter},
    {"level2-1", Role::level2},
}};

bool is_address(std::string_view name) {
    return name.find(':') != std::string_view::npos ||
           name.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Makes what is missing, in an order in which each file is useless without those before it.
class Maker {
  public:
    Maker(doors::Doors& doors, Site& site, const InitOptions& options)
        : doors_{doors}, site_{site}, options_{options} {}

    Outcome<void> make_all() {
        auto done = make_ca();
        if (done) done = make_leaf("server", server_subject());
        for (const Service& service : services) {
            if (done) done = make_leaf(service.name, subject_of(service));
        }
        if (done) done = make_signing_key();
        if (done) done = make_admin();
        return done;
    }

    Outcome<void> make_service(std::string_view name) {
        auto done = make_ca();
        if (done) done = make_leaf(name, subject_of({.name = name, .role = Role::service}));
        return done;
    }

  private:
    Outcome<std::string> read(const std::string& path) {
        return doors_.disk.read_all(path, pki_file_bytes_max);
    }

    Outcome<void> write(const std::string& path, std::string_view content, unsigned mode) {
        auto written = doors_.disk.replace(path, content, mode);
        if (written) site_.made.push_back(path);
        return written;
    }

    // The key in `path`; a new one where there is none.
    Outcome<std::string> key_at(const std::string& path) {
        if (doors_.disk.exists(path)) return read(path);
        auto key = doors_.tls.make_key();
        if (!key) return key;
        if (auto written = write(path, *key, 0600); !written) {
            return std::unexpected(written.error());
        }
        return key;
    }

    Outcome<void> belongs(const std::string& certificate_path, const std::string& key_path) {
        const auto certificate = read(certificate_path);
        if (!certificate) return std::unexpected(certificate.error());
        const auto facts = doors_.tls.inspect(*certificate);
        if (!facts) {
            return fail(
                base::Fault::corrupt, certificate_path + " is no certificate: move it away"
            );
        }
        const auto key = read(key_path);
        if (!key) return std::unexpected(key.error());
        const auto open = doors_.tls.public_key(*key);
        if (!open || *open != facts->public_key) {
            return fail(
                base::Fault::corrupt,
                key_path + " is not the key of " + certificate_path +
                    ": restore the pair from a backup, or move both away and run init again"
            );
        }
        return {};
    }

    Outcome<void> make_ca() {
        const std::string path = site_.ca_file();
        const std::string key_path = site_.pki("ca.key");
        if (doors_.disk.exists(path) && !doors_.disk.exists(key_path)) {
            return fail(
                base::Fault::not_found,
                key_path + " is missing, but " + path +
                    " is there: restore the key; a new CA would shut out every device"
            );
        }
        auto key = key_at(key_path);
        if (!key) return std::unexpected(key.error());
        ca_key_ = std::move(*key);
        if (doors_.disk.exists(path)) {
            if (auto good = belongs(path, key_path); !good) return good;
            auto ca = read(path);
            if (!ca) return std::unexpected(ca.error());
            ca_ = std::move(*ca);
            return {};
        }
        auto ca = doors_.tls.make_ca(ca_key_, options_.site_name + " CA", options_.ca_days);
        if (!ca) return std::unexpected(ca.error());
        ca_ = std::move(*ca);
        return write(path, ca_, 0644);
    }

    Outcome<void> make_leaf(std::string_view name, const tls::Subject& subject) {
        const std::string path = site_.certificate_file(name);
        const std::string key_path = site_.key_file(name);
        if (doors_.disk.exists(path) && !doors_.disk.exists(key_path)) {
            return fail(
                base::Fault::not_found,
                key_path + " is missing, but " + path +
                    " is there: restore the key, or move the certificate away and run init again"
            );
        }
        const auto key = key_at(key_path);
        if (!key) return std::unexpected(key.error());
        if (doors_.disk.exists(path)) {
            if (auto good = belongs(path, key_path); !good) return good;
            const auto chain = read(path);
            if (!chain) return std::unexpected(chain.error());
            if (auto good = doors_.tls.check(*chain, ca_); !good) {
                return fail(good.error().fault, path + ": " + good.error().what);
            }
            return {};
        }
        const auto request = doors_.tls.make_request(*key, subject.common_name);
        if (!request) return std::unexpected(request.error());
        const auto leaf =
            doors_.tls.issue(ca_key_, ca_, *request, subject, options_.certificate_days);
        if (!leaf) return std::unexpected(leaf.error());
        return write(path, *leaf + ca_, 0644);
    }

    tls::Subject server_subject() {
        tls::Subject subject{
            .common_name = "server",
            .uri = make_uri(Role::service, "server"),
            .dns_names = {"localhost"},
            .ip_addresses = {"127.0.0.1", "::1"},
            .server = true
        };
        for (const std::string& name : options_.host_names) {
            auto& names = is_address(name) ? subject.ip_addresses : subject.dns_names;
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
        }
        return subject;
    }

    static tls::Subject subject_of(const Service& service) {
        return {
            .common_name = std::string{service.name},
            .uri = make_uri(service.role, service.name),
            .client = true
        };
    }

    Outcome<void> make_signing_key() {
        const std::string path = site_.pki("model-signing.pub");
        const std::string key_path = site_.pki("model-signing.key");
        const bool had_key = doors_.disk.exists(key_path);
        const bool had_public = doors_.disk.exists(path);
        if (had_public && !had_key) {
            return fail(
                base::Fault::not_found,
                key_path + " is missing, but " + path + " is there: restore the key"
            );
        }
        const auto key = key_at(key_path);
        if (!key) return std::unexpected(key.error());
        const auto open = doors_.tls.public_key(*key);
        if (!open) return fail(open.error().fault, key_path + ": " + open.error().what);
        if (!had_public) return write(path, *open, 0644);
        const auto stored = read(path);
        if (!stored) return std::unexpected(stored.error());
        if (*stored == *open) return {};
        return fail(base::Fault::corrupt, path + " is not the public form of " + key_path);
    }

    // A token that was stored but not shown (killed in between) is lost: `stator token` makes more.
    Outcome<void> make_admin() {
        const std::string path = site_.pki("tokens.json");
        if (doors_.disk.exists(path)) return {};
        Tokens tokens{doors_, path};
        auto token = tokens.add("admin", Role::admin);
        if (!token) return std::unexpected(token.error());
        site_.made.push_back(path);
        site_.admin_token = std::move(*token);
        return {};
    }

    doors::Doors& doors_;
    Site& site_;
    const InitOptions& options_;
    std::string ca_key_;
    std::string ca_;
};

Outcome<std::string> ca_sha256(doors::Doors& doors, const Site& site) {
    const auto ca = doors.disk.read_all(site.ca_file(), pki_file_bytes_max);
    if (!ca) return std::unexpected(ca.error());
    const auto facts = doors.tls.inspect(*ca);
    if (!facts) return fail(facts.error().fault, site.ca_file() + ": " + facts.error().what);
    return facts->sha256_hex;
}

}  // namespace

std::string Site::pki(std::string_view file) const {
    return state_directory + "/pki/" + std::string{file};
}

std::string Site::certificate_file(std::string_view name) const {
    return pki(std::string{name} + ".pem");
}

std::string Site::key_file(std::string_view name) const {
    return pki(std::string{name} + ".key");
}

Outcome<Site> init(
    doors::Doors& doors, const std::string& state_directory, const InitOptions& options
) {
    Site site;
    site.state_directory = state_directory;
    const std::string directory = state_directory + "/pki";
    if (auto made = doors.disk.make_directories(directory); !made) {
        return std::unexpected(made.error());
    }
    const auto lock = doors.disk.lock(directory + "/init.lock");
    if (!lock) return fail(lock.error().fault, "another init is at work: " + lock.error().what);
    if (auto done = Maker{doors, site, options}.make_all(); !done) {
        return std::unexpected(done.error());
    }
    auto hash = ca_sha256(doors, site);
    if (!hash) return std::unexpected(hash.error());
    site.ca_sha256 = std::move(*hash);
    return site;
}

Outcome<void> add_service(doors::Doors& doors, const Site& site, std::string_view name) {
    if (name == "server" || name == "ca" || name == "model-signing" ||
        std::ranges::find(services, name, &Service::name) != services.end())
        return fail(
            base::Fault::exists, std::string{name} + " is another service's name at this site"
        );
    const auto lock = doors.disk.lock(site.pki("init.lock"));
    if (!lock) return fail(lock.error().fault, "an init is at work: " + lock.error().what);
    Site its = site;
    return Maker{doors, its, {}}.make_service(name);
}

Outcome<Site> open(doors::Doors& doors, const std::string& state_directory) {
    Site site;
    site.state_directory = state_directory;
    if (!doors.disk.exists(site.ca_file()) || !doors.disk.exists(site.pki("tokens.json"))) {
        return fail(
            base::Fault::not_found,
            state_directory + " has no complete identity: run `stator init` first"
        );
    }
    auto hash = ca_sha256(doors, site);
    if (!hash) return std::unexpected(hash.error());
    site.ca_sha256 = std::move(*hash);
    return site;
}

}  // namespace stator::identity
