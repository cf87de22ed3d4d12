#include "world/tls/simulated.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace stator::tls {
namespace {

constexpr std::int64_t day_ms = 24L * 3600 * 1000;
constexpr std::int64_t skew_ms = 300'000;

using Facts = std::multimap<std::string, std::string, std::less<>>;

std::string armour(std::string_view what, std::string_view content) {
    std::string text = "-----BEGIN SIMULATED " + std::string{what} + "-----\n";
    text += content;
    text += "-----END SIMULATED " + std::string{what} + "-----\n";
    return text;
}

std::optional<std::string> unarmour(std::string_view what, std::string_view pem) {
    const std::string begin = "-----BEGIN SIMULATED " + std::string{what} + "-----\n";
    const std::string end = "-----END SIMULATED " + std::string{what} + "-----\n";
    const std::size_t from = pem.find(begin);
    const std::size_t to = pem.find(end);
    if (from == std::string_view::npos || to == std::string_view::npos || to < from) return {};
    return std::string{pem.substr(from + begin.size(), to - from - begin.size())};
}

std::string fact(std::string_view name, std::string_view value) {
    std::string line{name};
    line += ": ";
    for (const char c : value) {
        if (c != '\n') line += c;
    }
    return line + "\n";
}

Facts read_facts(std::string_view text) {
    Facts facts;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t colon = line.find(": ");
        if (colon != std::string_view::npos) {
            facts.emplace(line.substr(0, colon), line.substr(colon + 2));
        }
    }
    return facts;
}

std::string get(const Facts& facts, std::string_view name) {
    const auto it = facts.find(name);
    return it == facts.end() ? std::string{} : it->second;
}

std::int64_t get_number(const Facts& facts, std::string_view name) {
    const std::string text = get(facts, name);
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::optional<std::string> public_of_private(std::string_view private_pem) {
    const auto secret = unarmour("PRIVATE KEY", private_pem);
    if (!secret) return {};
    return armour("PUBLIC KEY", sha256_hex("public" + *secret) + "\n");
}

Signature signature_under(std::string_view public_pem, std::string_view bytes) {
    Signature signature{};
    const Sha256 first = hmac_sha256(public_pem, std::string{"r"} + std::string{bytes});
    const Sha256 second = hmac_sha256(public_pem, std::string{"s"} + std::string{bytes});
    std::ranges::copy(first, signature.begin());
    std::ranges::copy(second, signature.begin() + 32);
    return signature;
}

std::string signature_hex(std::string_view public_pem, std::string_view bytes) {
    const Signature signature = signature_under(public_pem, bytes);
    return hex(signature.data(), signature.size());
}

std::string key_line(std::string_view public_pem) {
    return unarmour("PUBLIC KEY", public_pem).value_or("\n").substr(0, 64);
}

std::string public_of_line(std::string_view line) {
    return armour("PUBLIC KEY", std::string{line} + "\n");
}

// The armoured facts and, after them, the signature over them.
struct Signed {
    std::string content;
    Facts facts;
    std::string signature;
};

std::optional<Signed> read_signed(std::string_view what, std::string_view pem) {
    const auto text = unarmour(what, pem);
    if (!text) return {};
    const std::size_t at = text->rfind("signature: ");
    if (at == std::string::npos) return {};
    Signed result;
    result.content = text->substr(0, at);
    result.facts = read_facts(*text);
    result.signature = get(result.facts, "signature");
    return result;
}

Outcome<Signed> read_certificate(std::string_view pem) {
    auto certificate = read_signed("CERTIFICATE", pem);
    if (!certificate) {
        return fail(base::Fault::bad_input, "the certificate is no simulated certificate");
    }
    return std::move(*certificate);
}

std::string random_serial(chance::Chance& chance) {
    std::array<std::byte, 16> bytes{};
    chance.fill(bytes);
    bytes[0] = (bytes[0] & std::byte{0x7f}) | std::byte{0x40};
    std::string text = hex(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

}  // namespace

Outcome<std::string> SimulatedTls::make_key() {
    std::array<std::byte, 32> secret{};
    chance_.fill(secret);
    return armour(
        "PRIVATE KEY",
        hex(reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()) + "\n"
    );
}

Outcome<std::string> SimulatedTls::public_key(std::string_view private_pem) {
    auto key = public_of_private(private_pem);
    if (!key) return fail(base::Fault::bad_input, "the private key is no simulated key");
    return std::move(*key);
}

Outcome<std::string> SimulatedTls::make_ca(
    std::string_view ca_key_pem, std::string_view common_name, int days
) {
    const auto key = public_key(ca_key_pem);
    if (!key) return std::unexpected(key.error());
    const std::int64_t now_ms = clock_.unix_ms();
    const std::string content = fact("name", common_name) + fact("serial", random_serial(chance_)) +
                                fact("key", key_line(*key)) + fact("issuer-key", key_line(*key)) +
                                fact("use", "ca") +
                                fact("not-before", std::to_string(now_ms - skew_ms)) +
                                fact("not-after", std::to_string(now_ms + days * day_ms));
    return armour("CERTIFICATE", content + fact("signature", signature_hex(*key, content)));
}

Outcome<std::string> SimulatedTls::make_request(
    std::string_view key_pem, std::string_view common_name
) {
    const auto key = public_key(key_pem);
    if (!key) return std::unexpected(key.error());
    const std::string content = fact("name", common_name) + fact("key", key_line(*key));
    return armour("CERTIFICATE REQUEST", content + fact("signature", signature_hex(*key, content)));
}

Outcome<std::string> SimulatedTls::issue(
    std::string_view ca_key_pem,
    std::string_view ca_certificate_pem,
    std::string_view request_pem,
    const Subject& subject,
    int days
) {
    const auto ca_key = public_key(ca_key_pem);
    if (!ca_key) return std::unexpected(ca_key.error());
    const auto ca = read_certificate(ca_certificate_pem);
    if (!ca) return std::unexpected(ca.error());
    if (get(ca->facts, "key") != key_line(*ca_key)) {
        return fail(base::Fault::denied, "the CA's key is not the CA certificate's");
    }
    const auto request = read_signed("CERTIFICATE REQUEST", request_pem);
    if (!request) {
        return fail(base::Fault::bad_input, "the certificate request is no simulated request");
    }
    const std::string key = get(request->facts, "key");
    if (request->signature != signature_hex(public_of_line(key), request->content)) {
        return fail(base::Fault::bad_input, "the certificate request is not signed by its own key");
    }
    const std::int64_t now_ms = clock_.unix_ms();
    const std::int64_t ca_end_ms = get_number(ca->facts, "not-after");
    if (ca_end_ms <= now_ms) return fail(base::Fault::denied, "the CA certificate has expired");
    std::string content =
        fact("name", subject.common_name) + fact("serial", random_serial(chance_)) +
        fact("key", key) + fact("issuer-key", key_line(*ca_key)) +
        fact("not-before", std::to_string(now_ms - skew_ms)) +
        fact("not-after", std::to_string(std::min(now_ms + days * day_ms, ca_end_ms)));
    if (!subject.uri.empty()) content += fact("uri", subject.uri);
    for (const std::string& name : subject.dns_names)
        content += fact("host", name);
    for (const std::string& address : subject.ip_addresses)
        content += fact("host", address);
    if (subject.server) content += fact("use", "server");
    if (subject.client) content += fact("use", "client");
    return armour("CERTIFICATE", content + fact("signature", signature_hex(*ca_key, content)));
}

Outcome<CertificateFacts> SimulatedTls::inspect(std::string_view certificate_pem) {
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return std::unexpected(certificate.error());
    CertificateFacts facts;
    facts.uri = get(certificate->facts, "uri");
    facts.serial = get(certificate->facts, "serial");
    facts.not_before_unix_ms = get_number(certificate->facts, "not-before");
    facts.not_after_unix_ms = get_number(certificate->facts, "not-after");
    facts.common_name = get(certificate->facts, "name");
    facts.public_key = public_of_line(get(certificate->facts, "key"));
    facts.sha256_hex = sha256_hex(certificate->content + certificate->signature);
    return facts;
}

Outcome<void> SimulatedTls::check(
    std::string_view certificate_pem, std::string_view ca_certificate_pem
) {
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return std::unexpected(certificate.error());
    const auto ca = read_certificate(ca_certificate_pem);
    if (!ca) return std::unexpected(ca.error());
    const std::string ca_key = get(ca->facts, "key");
    const std::int64_t now_ms = clock_.unix_ms();
    const auto denied = [&](std::string_view why) {
        return fail(
            base::Fault::denied,
            "the certificate of '" + get(certificate->facts, "name") +
                "' is not valid: " + std::string{why}
        );
    };
    if (get(ca->facts, "use") != "ca" || get(certificate->facts, "issuer-key") != ca_key ||
        certificate->signature != signature_hex(public_of_line(ca_key), certificate->content)) {
        return denied("it is not issued by this CA");
    }
    for (const Facts* facts : {&certificate->facts, &ca->facts}) {
        if (get_number(*facts, "not-after") <= now_ms) return denied("certificate has expired");
        if (get_number(*facts, "not-before") > now_ms) return denied("it is not yet valid");
    }
    return {};
}

Outcome<Signature> SimulatedTls::sign(std::string_view private_pem, std::string_view bytes) {
    const auto key = public_key(private_pem);
    if (!key) return std::unexpected(key.error());
    return signature_under(*key, bytes);
}

bool SimulatedTls::verify(
    std::string_view public_pem, std::string_view bytes, const Signature& signature
) {
    return unarmour("PUBLIC KEY", public_pem).has_value() &&
           signature_under(public_pem, bytes) == signature;
}

Outcome<SimulatedUse> simulated_use(std::string_view certificate_pem) {
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return std::unexpected(certificate.error());
    SimulatedUse use;
    const auto [use_begin, use_end] = certificate->facts.equal_range("use");
    for (auto it = use_begin; it != use_end; ++it) {
        use.server = use.server || it->second == "server";
        use.client = use.client || it->second == "client";
    }
    const auto [host_begin, host_end] = certificate->facts.equal_range("host");
    for (auto it = host_begin; it != host_end; ++it)
        use.hosts.push_back(it->second);
    return use;
}

std::vector<std::string> split_chain(std::string_view pem) {
    constexpr std::string_view end_mark = "CERTIFICATE-----\n";
    std::vector<std::string> chain;
    while (true) {
        const std::size_t end = pem.find("-----END ");
        if (end == std::string_view::npos) return chain;
        const std::size_t line = pem.find(end_mark, end);
        if (line == std::string_view::npos) return chain;
        chain.emplace_back(pem.substr(0, line + end_mark.size()));
        pem.remove_prefix(line + end_mark.size());
    }
}

}  // namespace stator::tls
