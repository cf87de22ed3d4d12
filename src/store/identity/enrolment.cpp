#include "store/identity/enrolment.h"

#include "store/identity/access.h"
#include "world/json/json.h"

#include <algorithm>
#include <utility>

namespace stator::identity {
namespace {

constexpr std::size_t codes_file_bytes_max = 4U << 20U;
constexpr std::size_t codes_max = 10'000;
constexpr int code_letters = 20;  // 5 bits each
constexpr int certificate_days = 365;
constexpr std::string_view letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford's base 32

// What a person may have made of a code: small letters, other groups, O for 0, I and L for 1.
std::string normal(std::string_view code) {
    std::string text;
    for (char c : code) {
        if (c == '-' || c == ' ') continue;
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (c == 'O') c = '0';
        if (c == 'I' || c == 'L') c = '1';
        text += c;
    }
    return text;
}

bool is_role_of_devices(Role role) {
    return role == Role::sensor || role == Role::actor || role == Role::level2;
}

}  // namespace

bool is_id(std::string_view id) {
    const auto allowed = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    };
    return !id.empty() && id.size() <= 64 && id[0] != '.' && std::ranges::all_of(id, allowed);
}

Enrolment::Enrolment(doors::Doors& doors, Site site) : doors_{doors}, site_{std::move(site)} {}

Outcome<std::vector<Enrolment::Code>> Enrolment::load() {
    const std::string path = site_.pki("enrolment.json");
    std::vector<Code> codes;
    if (!doors_.disk.exists(path)) return codes;
    const auto text = doors_.disk.read_all(path, codes_file_bytes_max);
    if (!text) return std::unexpected(text.error());
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    const auto broken = [&] {
        return fail(base::Fault::corrupt, path + " is no list of codes: move it away");
    };
    if (!json.is_array()) return broken();
    for (const auto& entry : json) {
        if (!entry.is_object()) return broken();
        for (const char* name : {"sha256", "device_id", "role"}) {
            if (!entry.contains(name) || !entry[name].is_string()) return broken();
        }
        const auto role = role_named(entry["role"].get<std::string>());
        const auto expires = entry.find("expires_unix_ms");
        if (!role || expires == entry.end() || !expires->is_number_integer()) return broken();
        codes.push_back(
            {.sha256_hex = entry["sha256"].get<std::string>(),
             .device_id = entry["device_id"].get<std::string>(),
             .role = *role,
             .expires_unix_ms = expires->get<std::int64_t>()}
        );
    }
    return codes;
}

Outcome<void> Enrolment::save(const std::vector<Code>& codes) {
    auto json = nlohmann::json::array();
    for (const Code& code : codes) {
        json.push_back(
            {{"sha256", code.sha256_hex},
             {"device_id", code.device_id},
             {"role", name_of(code.role)},
             {"expires_unix_ms", code.expires_unix_ms}}
        );
    }
    return doors_.disk.replace(site_.pki("enrolment.json"), json.dump(1) + "\n", 0600);
}

Outcome<std::string> Enrolment::make_code(
    const std::string& device_id, Role role, std::int64_t valid_for_s
) {
    if (!is_id(device_id)) {
        return fail(
            base::Fault::bad_input,
            "'" + device_id + "' is no device id: use 1 to 64 of A-Z a-z 0-9 . _ -"
        );
    }
    if (!is_role_of_devices(role)) {
        return fail(base::Fault::bad_input, "a device's role is sensor, actor or level2");
    }
    const auto lock = doors_.disk.lock(site_.pki("enrolment.lock"));
    if (!lock) return std::unexpected(lock.error());
    auto codes = load();
    if (!codes) return std::unexpected(codes.error());
    const std::int64_t now_ms = doors_.clock.unix_ms();
    std::erase_if(*codes, [&](const Code& code) {
        return code.device_id == device_id || code.expires_unix_ms <= now_ms;
    });
    if (codes->size() >= codes_max) {
        return fail(base::Fault::full, "10000 codes are open: wait until some are used");
    }
    std::string code;
    for (int i = 0; i < code_letters; ++i) {
        if (i > 0 && i % 5 == 0) code += '-';
        code += letters[doors_.chance.below(letters.size())];
    }
    codes->push_back(
        {.sha256_hex = tls::sha256_hex(normal(code)),
         .device_id = device_id,
         .role = role,
         .expires_unix_ms = now_ms + valid_for_s * 1000}
    );
    if (auto saved = save(*codes); !saved) return std::unexpected(saved.error());
    return code;
}

Outcome<Enrolled> Enrolment::issue(std::string_view request_pem, const std::string& id, Role role) {
    if (!is_id(id) || !is_role_of_devices(role)) {
        return fail(
            base::Fault::bad_input, "'" + id + "' cannot have a certificate: its id or role is bad"
        );
    }
    const auto ca_key = doors_.disk.read_all(site_.pki("ca.key"), codes_file_bytes_max);
    if (!ca_key) return std::unexpected(ca_key.error());
    auto ca = doors_.disk.read_all(site_.ca_file(), codes_file_bytes_max);
    if (!ca) return std::unexpected(ca.error());
    const tls::Subject subject{.common_name = id, .uri = make_uri(role, id), .client = true};
    auto certificate = doors_.tls.issue(*ca_key, *ca, request_pem, subject, certificate_days);
    if (!certificate) return std::unexpected(certificate.error());
    auto facts = doors_.tls.inspect(*certificate);
    if (!facts) return std::unexpected(facts.error());
    return Enrolled{
        .certificate = std::move(*certificate),
        .ca = std::move(*ca),
        .role = role,
        .serial = std::move(facts->serial)
    };
}

Outcome<Enrolled> Enrolment::enrol(
    std::string_view code, std::string_view request_pem, const std::string& device_id
) {
    const auto lock = doors_.disk.lock(site_.pki("enrolment.lock"));
    if (!lock) return std::unexpected(lock.error());
    auto codes = load();
    if (!codes) return std::unexpected(codes.error());
    const std::string hash = tls::sha256_hex(normal(code));
    const std::int64_t now_ms = doors_.clock.unix_ms();
    const auto it = std::ranges::find_if(*codes, [&](const Code& known) {
        return tls::equal_in_constant_time(known.sha256_hex, hash) &&
               known.device_id == device_id && known.expires_unix_ms > now_ms;
    });
    if (it == codes->end()) {
        return fail(
            base::Fault::denied,
            "the code is not valid for this device: it is wrong, used or expired"
        );
    }
    // A bad request does not use the code up; a good one does before its certificate goes out.
    auto enrolled = issue(request_pem, device_id, it->role);
    if (!enrolled) return enrolled;
    codes->erase(it);
    if (auto saved = save(*codes); !saved) return std::unexpected(saved.error());
    return enrolled;
}

}  // namespace stator::identity
