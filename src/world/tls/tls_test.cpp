// What every Tls promises, run over OpenSSL and the simulated door.
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/tls/openssl.h"
#include "world/tls/simulated.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace stator::tls {
namespace {

constexpr std::int64_t now_ms = 1'763'000'000'000;
constexpr std::int64_t day_ms = 24L * 3600 * 1000;

template <typename T>
class EveryTls : public testing::Test {
  public:
    EveryTls() {
        if constexpr (std::is_same_v<T, OpenSslTls>) {
            tls = std::make_unique<OpenSslTls>(clock);
        } else {
            tls = std::make_unique<SimulatedTls>(chance, clock);
        }
        ca_key = tls->make_key().value();
        ca = tls->make_ca(ca_key, "Site CA", 30).value();
        key = tls->make_key().value();
    }

    Outcome<std::string> issue(const Subject& subject, int days = 10) {
        return tls->issue(ca_key, ca, tls->make_request(key, "me").value(), subject, days);
    }

    clock::VirtualClock clock{now_ms};
    chance::SeededChance chance{7};
    std::unique_ptr<Tls> tls;
    std::string ca_key;
    std::string ca;
    std::string key;
};

using Kinds = testing::Types<OpenSslTls, SimulatedTls>;
TYPED_TEST_SUITE(EveryTls, Kinds);

TYPED_TEST(EveryTls, VerifiesWhatItSignedAndNothingElse) {
    const std::string open = this->tls->public_key(this->key).value();
    Signature signature = this->tls->sign(this->key, "release 7").value();
    EXPECT_TRUE(this->tls->verify(open, "release 7", signature));
    EXPECT_FALSE(this->tls->verify(open, "release 8", signature));
    EXPECT_FALSE(
        this->tls->verify(this->tls->public_key(this->ca_key).value(), "release 7", signature)
    );
    EXPECT_FALSE(this->tls->verify("no key", "release 7", signature));
    for (std::size_t i = 0; i < signature.size(); ++i) {
        signature[i] ^= 1U;
        EXPECT_FALSE(this->tls->verify(open, "release 7", signature)) << i;
        signature[i] ^= 1U;
    }
    EXPECT_FALSE(this->tls->verify(open, "release 7", Signature{}));
}

TYPED_TEST(EveryTls, MakesAnotherKeyEachTime) {
    EXPECT_NE(this->ca_key, this->key);
}

TYPED_TEST(EveryTls, SignsTheEmptyTextToo) {
    const std::string open = this->tls->public_key(this->key).value();
    EXPECT_TRUE(this->tls->verify(open, "", this->tls->sign(this->key, "").value()));
}

TYPED_TEST(EveryTls, StatesTheFactsOfACertificate) {
    const auto pem = this->issue(
        {.common_name = "14333616",
         .uri = "urn:stator:actor:14333616",
         .dns_names = {},
         .ip_addresses = {},
         .client = true}
    );
    ASSERT_TRUE(pem) << pem.error().what;
    const CertificateFacts facts = this->tls->inspect(*pem + this->ca).value();
    EXPECT_EQ(facts.uri, "urn:stator:actor:14333616");
    EXPECT_EQ(facts.common_name, "14333616");
    EXPECT_EQ(facts.public_key, this->tls->public_key(this->key).value());
    EXPECT_EQ(facts.serial.size(), 32U);  // 128 bits
    EXPECT_EQ(facts.serial.find_first_not_of("0123456789ABCDEF"), std::string::npos);
    EXPECT_EQ(facts.not_before_unix_ms, now_ms - 300'000);
    EXPECT_EQ(facts.not_after_unix_ms, now_ms + 10 * day_ms);
    EXPECT_EQ(facts.sha256_hex.size(), 64U);
    EXPECT_NE(facts.serial, this->tls->inspect(this->ca).value().serial);
}

TYPED_TEST(EveryTls, IgnoresTheNameInsideTheRequest) {
    const std::string pem = this->issue({.common_name = "7"}).value();
    EXPECT_EQ(this->tls->inspect(pem).value().common_name, "7");  // and not "me"
    EXPECT_EQ(this->tls->inspect(pem).value().uri, "");
}

TYPED_TEST(EveryTls, ChecksWhoIssuedACertificate) {
    const std::string pem = this->issue({.common_name = "7"}).value();
    EXPECT_TRUE(this->tls->check(pem, this->ca));
    EXPECT_TRUE(this->tls->check(pem + this->ca, this->ca));
    const std::string other_key = this->tls->make_key().value();
    const std::string other = this->tls->make_ca(other_key, "Site CA", 30).value();
    const auto refused = this->tls->check(pem, other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, base::Fault::denied);
    EXPECT_FALSE(this->tls->check(this->ca, pem)) << "a leaf is no CA";
}

TYPED_TEST(EveryTls, RefusesACertificateOutsideItsTime) {
    const std::string pem = this->issue({.common_name = "7"}, 10).value();
    this->clock.set_unix_ms(now_ms + 10 * day_ms - 1000);
    EXPECT_TRUE(this->tls->check(pem, this->ca));
    this->clock.set_unix_ms(now_ms + 10 * day_ms + 1000);
    const auto late = this->tls->check(pem, this->ca);
    ASSERT_FALSE(late);
    EXPECT_NE(late.error().what.find("expired"), std::string::npos) << late.error().what;
    this->clock.set_unix_ms(now_ms - 301'000);
    EXPECT_FALSE(this->tls->check(pem, this->ca));
}

TYPED_TEST(EveryTls, ALeafDoesNotOutliveItsCa) {
    const std::string pem = this->issue({.common_name = "7"}, 900).value();
    EXPECT_EQ(
        this->tls->inspect(pem).value().not_after_unix_ms,
        this->tls->inspect(this->ca).value().not_after_unix_ms
    );
    this->clock.set_unix_ms(now_ms + 31 * day_ms);
    EXPECT_FALSE(this->issue({.common_name = "7"}));
}

TYPED_TEST(EveryTls, RefusesARequestThatDoesNotProveItsKey) {
    std::string request = this->tls->make_request(this->key, "me").value();
    // One character in the middle of the signed part, another valid one instead.
    const std::size_t at = request.size() / 3;
    request[at] = request[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(this->tls->issue(this->ca_key, this->ca, request, {.common_name = "7"}, 1));
    EXPECT_FALSE(this->tls->issue(this->ca_key, this->ca, "", {.common_name = "7"}, 1));
    EXPECT_FALSE(this->tls->issue(this->ca_key, this->ca, this->ca, {.common_name = "7"}, 1));
}

TYPED_TEST(EveryTls, RefusesAKeyThatIsNotTheCas) {
    const std::string request = this->tls->make_request(this->key, "me").value();
    const auto refused = this->tls->issue(this->key, this->ca, request, {.common_name = "7"}, 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, base::Fault::denied);
}

TYPED_TEST(EveryTls, RefusesBytesThatAreNoCertificate) {
    EXPECT_FALSE(this->tls->inspect(""));
    EXPECT_FALSE(this->tls->inspect("-----BEGIN CERTIFICATE-----\nAAAA\n-----END"));
    EXPECT_FALSE(this->tls->public_key(this->ca));
    EXPECT_FALSE(this->tls->sign("", "x"));
    EXPECT_FALSE(this->tls->make_ca("", "x", 1));
    EXPECT_FALSE(this->tls->make_request("", "x"));
}

TYPED_TEST(EveryTls, AChangedCertificateIsNotValid) {
    std::string pem = this->issue({.common_name = "7", .uri = "urn:stator:sensor:7"}).value();
    const std::size_t at = pem.size() / 2;
    pem[at] = pem[at] == '1' ? '2' : '1';
    EXPECT_FALSE(this->tls->check(pem, this->ca));
}

TEST(SimulatedTlsTest, TheSameSeedMakesTheSameKeysAndCertificates) {
    const auto run = [](std::uint64_t seed) {
        clock::VirtualClock clock{now_ms};
        chance::SeededChance chance{seed};
        SimulatedTls tls{chance, clock};
        const std::string key = tls.make_key().value();
        return tls.make_ca(key, "CA", 1).value();
    };
    EXPECT_EQ(run(7), run(7));
    EXPECT_NE(run(7), run(8));
}

TEST(HashTest, GivesTheVectorsOfTheStandards) {
    EXPECT_EQ(  // FIPS 180-4, "abc"
        sha256_hex("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    const Sha256 mac = hmac_sha256("Jefe", "what do ya want for nothing?");  // RFC 4231, case 2
    EXPECT_EQ(
        hex(mac.data(), mac.size()),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

TEST(HashTest, ComparesWholeTexts) {
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
    EXPECT_TRUE(equal_in_constant_time("", ""));
}

}  // namespace
}  // namespace stator::tls
