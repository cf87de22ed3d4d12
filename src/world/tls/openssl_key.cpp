// Keys and signatures.
#include "world/tls/openssl.h"
#include "world/tls/openssl_types.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

namespace stator::tls {
namespace {

// An encrypted PEM must not make a service ask for a passphrase on its terminal.
int no_passphrase(char* /*into*/, int /*size*/, int /*writing*/, void* /*unused*/) {
    return -1;
}

template <typename Read>
Outcome<Key> read_key(std::string_view pem, Read read, std::string_view what) {
    if (pem.size() > pem_bytes_max) {
        return fail(base::Fault::bad_input, std::string{what} + " is too large");
    }
    const Bio bio = memory_bio(pem);
    Key key{bio ? read(bio.get(), nullptr, no_passphrase, nullptr) : nullptr};
    if (!key) {
        return openssl_fail(base::Fault::bad_input, std::string{what} + " is no PEM key");
    }
    if (!is_p256(key.get())) {
        return fail(base::Fault::bad_input, std::string{what} + " is not on the curve P-256");
    }
    return key;
}

}  // namespace

std::unexpected<Error> openssl_fail(base::Fault fault, std::string what) {
    const unsigned long code = ERR_get_error();
    if (code != 0) {
        std::array<char, 256> reason{};
        ERR_error_string_n(code, reason.data(), reason.size());
        what += ": ";
        what += reason.data();
    }
    ERR_clear_error();
    return fail(fault, std::move(what));
}

Bio memory_bio(std::string_view text) {
    return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string{data, static_cast<std::size_t>(size)} : std::string{};
}

bool is_p256(const EVP_PKEY* key) {
    std::array<char, 80> group{};
    std::size_t size = 0;
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
           std::string_view{group.data(), size} == "prime256v1";
}

Outcome<Key> read_private_key(std::string_view pem) {
    return read_key(pem, PEM_read_bio_PrivateKey, "the private key");
}

Outcome<Key> read_public_key(std::string_view pem) {
    return read_key(pem, PEM_read_bio_PUBKEY, "the public key");
}

std::string public_pem(EVP_PKEY* key) {
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), key) != 1) return {};
    return text_of(bio.get());
}

Outcome<std::string> OpenSslTls::make_key() {
    const Key key{EVP_EC_gen("P-256")};
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!key || !bio ||
        PEM_write_bio_PKCS8PrivateKey(
            bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr
        ) != 1) {
        return openssl_fail(base::Fault::io, "cannot make a key");
    }
    return text_of(bio.get());
}

Outcome<std::string> OpenSslTls::public_key(std::string_view private_pem) {
    const auto key = read_private_key(private_pem);
    if (!key) return std::unexpected(key.error());
    std::string pem = public_pem(key->get());
    if (pem.empty()) return openssl_fail(base::Fault::io, "cannot write a public key");
    return pem;
}

Outcome<Signature> OpenSslTls::sign(std::string_view private_pem, std::string_view bytes) {
    const auto key = read_private_key(private_pem);
    if (!key) return std::unexpected(key.error());
    const DigestContext context{EVP_MD_CTX_new()};
    std::array<unsigned char, 128> der{};  // a P-256 signature has at most 72 bytes
    std::size_t size = der.size();
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key->get()) != 1 ||
        EVP_DigestSign(context.get(), der.data(), &size, data, bytes.size()) != 1) {
        return openssl_fail(base::Fault::io, "cannot sign");
    }
    const unsigned char* at = der.data();
    const EcdsaSignature pair{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size))};
    Signature raw{};
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), raw.data(), 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), raw.data() + 32, 32) != 32) {
        return openssl_fail(base::Fault::io, "cannot sign");
    }
    return raw;
}

bool OpenSslTls::verify(
    std::string_view public_pem_text, std::string_view bytes, const Signature& signature
) {
    const auto key = read_public_key(public_pem_text);
    if (!key) return false;
    const EcdsaSignature pair{ECDSA_SIG_new()};
    BigNumber r{BN_bin2bn(signature.data(), 32, nullptr)};
    BigNumber s{BN_bin2bn(signature.data() + 32, 32, nullptr)};
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return false;
    static_cast<void>(r.release());  // now the pair's
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &der);
    const std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })> owned{
        der
    };
    const DigestContext context{EVP_MD_CTX_new()};
    if (size <= 0 || !context) return false;
    const bool good =
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key->get()) == 1 &&
        EVP_DigestVerify(
            context.get(),
            der,
            static_cast<std::size_t>(size),
            reinterpret_cast<const unsigned char*>(bytes.data()),
            bytes.size()
        ) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace stator::tls
