// OpenSSL's objects with their destructors; only for the .cpp files of world/.
#pragma once

#include "world/outcome/outcome.h"
#include "world/tls/tls.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace stator::tls {

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using CertificateRequest = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

inline constexpr std::size_t pem_bytes_max = 256U << 10U;

// "<what>: <OpenSSL's first reason>"; empties OpenSSL's error queue.
[[nodiscard]] std::unexpected<Error> openssl_fail(base::Fault fault, std::string what);
[[nodiscard]] Bio memory_bio(std::string_view text);
[[nodiscard]] std::string text_of(BIO* bio);
// Fault::bad_input unless it is a P-256 key.
[[nodiscard]] Outcome<Key> read_private_key(std::string_view pem);
[[nodiscard]] Outcome<Key> read_public_key(std::string_view pem);
[[nodiscard]] Outcome<Certificate> read_certificate(std::string_view pem);  // the first of a chain
[[nodiscard]] CertificateFacts facts_of(X509* certificate);
[[nodiscard]] bool is_p256(const EVP_PKEY* key);
[[nodiscard]] std::string public_pem(EVP_PKEY* key);  // "" when it cannot be written

}  // namespace stator::tls
