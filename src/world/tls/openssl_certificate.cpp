// Certificates and requests: X.509 v3 after RFC 5280.
#include "world/tls/openssl.h"
#include "world/tls/openssl_types.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

namespace stator::tls {
namespace {

constexpr std::int64_t day_s = 24L * 3600;
constexpr std::int64_t skew_s = 300;

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value)};
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int type, std::string_view text) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    if (name == nullptr) return false;
    if (type == GEN_IPADD) {
        GENERAL_NAME_set0_value(name, type, a2i_IPADDRESS(std::string{text}.c_str()));
    } else {
        ASN1_IA5STRING* string = ASN1_IA5STRING_new();
        if (string != nullptr) {
            ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
        }
        GENERAL_NAME_set0_value(name, type, string);
    }
    if (name->d.ptr == nullptr || sk_GENERAL_NAME_push(names, name) == 0) {
        name->type = GEN_DNS;  // so that freeing it copes with the missing value
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

bool add_names(X509* certificate, const Subject& subject) {
    const Names names{sk_GENERAL_NAME_new_null()};
    bool good = names != nullptr;
    if (!subject.uri.empty()) good = good && add_name(names.get(), GEN_URI, subject.uri);
    for (const std::string& name : subject.dns_names) {
        good = good && add_name(names.get(), GEN_DNS, name);
    }
    for (const std::string& address : subject.ip_addresses) {
        good = good && add_name(names.get(), GEN_IPADD, address);
    }
    if (!good || sk_GENERAL_NAME_num(names.get()) == 0) return good;
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool set_common_name(X509_NAME* name, std::string_view text) {
    return X509_NAME_add_entry_by_NID(
               name,
               NID_commonName,
               MBSTRING_UTF8,
               reinterpret_cast<const unsigned char*>(text.data()),
               static_cast<int>(text.size()),
               -1,
               0
           ) == 1;
}

bool set_random_serial(X509* certificate) {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7fU) | 0x40U);  // positive, full length
    const BigNumber number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
    return number &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, std::int64_t from_s, std::int64_t to_s) {
    return ASN1_TIME_set(X509_getm_notBefore(certificate), from_s) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), to_s) != nullptr;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
    tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? std::int64_t{timegm(&parts)} : 0;
}

std::string pem_of(X509* certificate) {
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return {};
    return text_of(bio.get());
}

std::string serial_of(X509* certificate) {
    const BigNumber number{ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr)};
    if (!number) return {};
    char* hexadecimal = BN_bn2hex(number.get());
    std::string text = hexadecimal != nullptr ? hexadecimal : "";
    OPENSSL_free(hexadecimal);
    return text;
}

std::string uri_of(const X509* certificate) {
    const Names names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)
    )};
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
        return {
            reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
            static_cast<std::size_t>(ASN1_STRING_length(uri))
        };
    }
    return {};
}

std::string common_name_of(const X509* certificate) {
    const X509_NAME* name = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) return {};
    const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return {
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text))
    };
}

Outcome<CertificateRequest> read_request(std::string_view pem) {
    if (pem.size() > pem_bytes_max) {
        return fail(base::Fault::bad_input, "the certificate request is too large");
    }
    const Bio bio = memory_bio(pem);
    CertificateRequest request{PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr)};
    if (!request) {
        return openssl_fail(base::Fault::bad_input, "the certificate request is no PEM PKCS #10");
    }
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || !is_p256(key)) {
        return fail(base::Fault::bad_input, "the certificate request's key is not on P-256");
    }
    if (X509_REQ_verify(request.get(), key) != 1) {
        return openssl_fail(
            base::Fault::bad_input, "the certificate request is not signed by its own key"
        );
    }
    return request;
}

std::string usage_of(const Subject& subject) {
    std::string usage;
    if (subject.server) usage += "serverAuth";
    if (subject.client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
    return usage;
}

}  // namespace

Outcome<Certificate> read_certificate(std::string_view pem) {
    if (pem.size() > pem_bytes_max) {
        return fail(base::Fault::bad_input, "the certificate is too large");
    }
    const Bio bio = memory_bio(pem);
    Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (!certificate) {
        return openssl_fail(base::Fault::bad_input, "the certificate is no PEM X.509");
    }
    return certificate;
}

Outcome<std::string> OpenSslTls::make_ca(
    std::string_view ca_key_pem, std::string_view common_name, int days
) {
    const auto key = read_private_key(ca_key_pem);
    if (!key) return std::unexpected(key.error());
    const Certificate ca{X509_new()};
    const std::int64_t now_s = clock_.unix_ms() / 1000;
    const bool good = ca && X509_set_version(ca.get(), X509_VERSION_3) == 1 &&
                      set_random_serial(ca.get()) &&
                      set_validity(ca.get(), now_s - skew_s, now_s + days * day_s) &&
                      set_common_name(X509_get_subject_name(ca.get()), common_name) &&
                      X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1 &&
                      X509_set_pubkey(ca.get(), key->get()) == 1;
    if (!good ||
        !add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash") ||
        !add_extension(ca.get(), ca.get(), NID_authority_key_identifier, "keyid:always") ||
        X509_sign(ca.get(), key->get(), EVP_sha256()) == 0) {
        return openssl_fail(base::Fault::io, "cannot make a CA certificate");
    }
    return pem_of(ca.get());
}

Outcome<std::string> OpenSslTls::make_request(
    std::string_view key_pem, std::string_view common_name
) {
    const auto key = read_private_key(key_pem);
    if (!key) return std::unexpected(key.error());
    const CertificateRequest request{X509_REQ_new()};
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!request || !bio || X509_REQ_set_version(request.get(), 0) != 1 ||
        !set_common_name(X509_REQ_get_subject_name(request.get()), common_name) ||
        X509_REQ_set_pubkey(request.get(), key->get()) != 1 ||
        X509_REQ_sign(request.get(), key->get(), EVP_sha256()) == 0 ||
        PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
        return openssl_fail(base::Fault::io, "cannot make a certificate request");
    }
    return text_of(bio.get());
}

Outcome<std::string> OpenSslTls::issue(
    std::string_view ca_key_pem,
    std::string_view ca_certificate_pem,
    std::string_view request_pem,
    const Subject& subject,
    int days
) {
    const auto key = read_private_key(ca_key_pem);
    if (!key) return std::unexpected(key.error());
    const auto ca = read_certificate(ca_certificate_pem);
    if (!ca) return std::unexpected(ca.error());
    if (X509_check_private_key(ca->get(), key->get()) != 1) {
        return openssl_fail(base::Fault::denied, "the CA's key is not the CA certificate's");
    }
    const auto request = read_request(request_pem);
    if (!request) return std::unexpected(request.error());

    const std::int64_t now_s = clock_.unix_ms() / 1000;
    const std::int64_t ca_end_s = seconds_of(X509_get0_notAfter(ca->get()));
    if (ca_end_s <= now_s) return fail(base::Fault::denied, "the CA certificate has expired");
    const Certificate leaf{X509_new()};
    const bool good =
        leaf && X509_set_version(leaf.get(), X509_VERSION_3) == 1 &&
        set_random_serial(leaf.get()) &&
        set_validity(leaf.get(), now_s - skew_s, std::min(now_s + days * day_s, ca_end_s)) &&
        set_common_name(X509_get_subject_name(leaf.get()), subject.common_name) &&
        X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca->get())) == 1 &&
        X509_set_pubkey(leaf.get(), X509_REQ_get0_pubkey(request->get())) == 1;
    const std::string usage = usage_of(subject);
    if (!good ||
        !add_extension(leaf.get(), ca->get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(leaf.get(), ca->get(), NID_key_usage, "critical,digitalSignature") ||
        (!usage.empty() && !add_extension(leaf.get(), ca->get(), NID_ext_key_usage, usage.c_str())
        ) ||
        !add_extension(leaf.get(), ca->get(), NID_subject_key_identifier, "hash") ||
        !add_extension(leaf.get(), ca->get(), NID_authority_key_identifier, "keyid:always") ||
        !add_names(leaf.get(), subject) || X509_sign(leaf.get(), key->get(), EVP_sha256()) == 0) {
        return openssl_fail(
            base::Fault::bad_input, "cannot issue a certificate for '" + subject.common_name + "'"
        );
    }
    return pem_of(leaf.get());
}

CertificateFacts facts_of(X509* certificate) {
    CertificateFacts facts;
    facts.uri = uri_of(certificate);
    facts.serial = serial_of(certificate);
    facts.not_before_unix_ms = seconds_of(X509_get0_notBefore(certificate)) * 1000;
    facts.not_after_unix_ms = seconds_of(X509_get0_notAfter(certificate)) * 1000;
    facts.common_name = common_name_of(certificate);
    EVP_PKEY* key = X509_get0_pubkey(certificate);
    if (key != nullptr) facts.public_key = public_pem(key);
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    X509_digest(certificate, EVP_sha256(), digest.data(), &size);
    facts.sha256_hex = hex(digest.data(), size);
    ERR_clear_error();
    return facts;
}

Outcome<CertificateFacts> OpenSslTls::inspect(std::string_view certificate_pem) {
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return std::unexpected(certificate.error());
    return facts_of(certificate->get());
}

Outcome<void> OpenSslTls::check(
    std::string_view certificate_pem, std::string_view ca_certificate_pem
) {
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return std::unexpected(certificate.error());
    const auto ca = read_certificate(ca_certificate_pem);
    if (!ca) return std::unexpected(ca.error());
    const std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>> store{X509_STORE_new()};
    const std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>> context{X509_STORE_CTX_new()
    };
    if (!store || !context || X509_STORE_add_cert(store.get(), ca->get()) != 1 ||
        X509_STORE_CTX_init(context.get(), store.get(), certificate->get(), nullptr) != 1) {
        return openssl_fail(base::Fault::io, "cannot check a certificate");
    }
    X509_STORE_CTX_set_time(context.get(), 0, clock_.unix_ms() / 1000);
    const int good = X509_verify_cert(context.get());
    ERR_clear_error();
    if (good == 1) return {};
    return fail(
        base::Fault::denied,
        "the certificate of '" + common_name_of(certificate->get()) + "' is not valid: " +
            X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))
    );
}

}  // namespace stator::tls
