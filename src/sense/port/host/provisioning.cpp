#include "sense/port/host/provisioning.h"

#include "shared/wire/json.h"
#include "shared/wire/topics.h"

#include <array>
#include <vector>

namespace stator::host {
namespace {

constexpr std::size_t text_bytes_max = 16U << 10U;

Outcome<std::string> text_of(wire::Value root, std::string_view name, const std::string& where) {
    std::vector<char> buffer(text_bytes_max);
    const auto value = root.member(name);
    const auto text = value ? value->text(buffer) : std::unexpected{value.error()};
    if (!text)
        return fail(
            base::Fault::bad_input, where + ": member \"" + std::string{name} + "\" is missing"
        );
    return std::string{*text};
}

Outcome<std::string> key_of(doors::Doors& doors, const std::string& file) {
    if (doors.disk.exists(file)) return doors.disk.read_all(file, text_bytes_max);
    auto key = doors.tls.make_key();
    if (!key) return key;
    auto kept = doors.disk.replace(file, *key, 0600);
    if (!kept) return std::unexpected{kept.error()};
    return key;
}

std::string request_body(const Provisioning& provisioning, const std::string& certificate_request) {
    std::vector<char> buffer(text_bytes_max);
    wire::Writer writer{buffer};
    writer.begin_object()
        .member("code", std::string_view{provisioning.code})
        .member("request", std::string_view{certificate_request})
        .member("deviceID", std::string_view{provisioning.device})
        .end_object();
    const auto json = writer.finish();
    return json ? std::string{*json} : std::string{};
}

}  // namespace

std::string to_json(const Provisioning& provisioning) {
    std::vector<char> buffer(text_bytes_max);
    wire::Writer writer{buffer};
    writer.begin_object()
        .member("deviceID", std::string_view{provisioning.device})
        .member("mqttHost", std::string_view{provisioning.mqtt_host})
        .member("mqttPort", provisioning.mqtt_port)
        .member("devicesURL", std::string_view{provisioning.devices_url})
        .member("modelsURL", std::string_view{provisioning.models_url})
        .member("code", std::string_view{provisioning.code})
        .member("caSHA256", std::string_view{provisioning.ca_sha256})
        .member("modelKey", std::string_view{provisioning.model_public_pem})
        .end_object();
    const auto json = writer.finish();
    return json ? std::string{*json} + '\n' : std::string{};
}

Outcome<Provisioning> parse_provisioning(std::string_view json, const std::string& file) {
    const auto root = wire::Value::parse(json);
    if (!root || root->kind() != wire::Kind::object)
        return fail(base::Fault::bad_input, file + " is not a JSON object: provision it again");
    Provisioning provisioning;
    const std::array<std::pair<std::string_view, std::string*>, 7> members = {{
        {"deviceID", &provisioning.device},
        {"mqttHost", &provisioning.mqtt_host},
        {"devicesURL", &provisioning.devices_url},
        {"modelsURL", &provisioning.models_url},
        {"code", &provisioning.code},
        {"caSHA256", &provisioning.ca_sha256},
        {"modelKey", &provisioning.model_public_pem},
    }};
    for (const auto& [name, into] : members) {
        auto text = text_of(*root, name, file);
        if (!text) return std::unexpected{text.error()};
        *into = *std::move(text);
    }
    const auto port = root->integer("mqttPort");
    if (!port || *port < 1 || *port > 65535)
        return fail(base::Fault::bad_input, file + ": \"mqttPort\" must be 1 to 65535");
    provisioning.mqtt_port = static_cast<std::uint16_t>(*port);
    if (!wire::valid_id(provisioning.device))
        return fail(
            base::Fault::bad_input,
            file + ": \"deviceID\" must be 1 to 64 of A-Z a-z 0-9 . _ -, not \"" +
                provisioning.device + '"'
        );
    return provisioning;
}

Outcome<Provisioning> read_provisioning(doors::Doors& doors, const std::string& directory) {
    constexpr std::size_t bytes_max = 16U << 10U;
    const std::string file = directory + "/provisioning.json";
    const auto text = doors.disk.read_all(file, bytes_max);
    if (!text) return std::unexpected{text.error()};
    return parse_provisioning(*text, file);
}

Credential credential_in(const std::string& directory) {
    return {
        .ca_file = directory + "/ca.pem",
        .certificate_file = directory + "/certificate.pem",
        .key_file = directory + "/key.pem",
    };
}

bool is_enrolled(doors::Doors& doors, const std::string& directory) {
    const Credential credential = credential_in(directory);
    return doors.disk.exists(credential.certificate_file) && doors.disk.exists(credential.ca_file);
}

Outcome<Credential> enrol(
    doors::Doors& doors, const Provisioning& provisioning, const std::string& directory
) {
    const Credential credential = credential_in(directory);
    if (is_enrolled(doors, directory)) return credential;
    if (auto made = doors.disk.make_directories(directory); !made)
        return std::unexpected{made.error()};
    const auto key = key_of(doors, credential.key_file);
    if (!key) return std::unexpected{key.error()};
    const auto request = doors.tls.make_request(*key, provisioning.device);
    if (!request) return std::unexpected{request.error()};

    http::ClientRequest post;
    post.method = "POST";
    post.url = provisioning.devices_url + "/enrol";
    post.headers["content-type"] = "application/json";
    post.body = request_body(provisioning, *request);
    post.pinned_ca_sha256 = provisioning.ca_sha256;
    post.body_bytes_max = 64U << 10U;
    const auto reply = doors.http.request(post);
    if (!reply) return std::unexpected{reply.error()};
    if (reply->status != 200 && reply->status != 201)
        return fail(
            base::Fault::denied,
            "device " + provisioning.device + ": " + post.url + " refused the enrolment (" +
                std::to_string(reply->status) + "): " + reply->body
        );
    const auto root = wire::Value::parse(reply->body);
    if (!root) return fail(base::Fault::bad_input, post.url + " did not answer with JSON");
    const auto certificate = text_of(*root, "certificate", post.url);
    if (!certificate) return std::unexpected{certificate.error()};
    const auto ca = text_of(*root, "ca", post.url);
    if (!ca) return std::unexpected{ca.error()};
    // The certificate last: its presence says that the rest is there.
    if (auto kept = doors.disk.replace(credential.ca_file, *ca); !kept)
        return std::unexpected{kept.error()};
    if (auto kept = doors.disk.replace(credential.certificate_file, *certificate); !kept)
        return std::unexpected{kept.error()};
    return credential;
}

}  // namespace stator::host
