// OpenSslTls against another program: the `openssl` command must agree with us.
#include "world/tls/openssl.h"

#include "world/clock/real.h"
#include "world/tls/openssl_types.h"

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>

#include <stdlib.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace stator::tls {
namespace {

class OpensslCommand : public testing::Test {
  protected:
    OpensslCommand() {
        std::string name = (std::filesystem::temp_directory_path() / "stator-tls-XXXXXX").string();
        directory = mkdtemp(name.data());
        ca_key = tls.make_key().value();
        ca = tls.make_ca(ca_key, "Site CA", 30).value();
        key = tls.make_key().value();
        save("ca.pem", ca);
        save("key.pem", key);
    }

    ~OpensslCommand() override { std::filesystem::remove_all(directory); }

    void save(const std::string& name, std::string_view content) const {
        std::ofstream{directory / name, std::ios::binary} << content;
    }

    // Exit status; what it said is in `said`.
    int run(const std::string& arguments) {
        const std::string line =
            "cd '" + directory.string() + "' && openssl " + arguments + " 2>&1";
        FILE* pipe = popen(line.c_str(), "r");
        if (pipe == nullptr) return -1;
        said.clear();
        std::array<char, 512> buffer{};
        while (fgets(buffer.data(), buffer.size(), pipe) != nullptr)
            said += buffer.data();
        return pclose(pipe);
    }

    clock::RealClock clock;
    OpenSslTls tls{clock};
    std::filesystem::path directory;
    std::string ca_key;
    std::string ca;
    std::string key;
    std::string said;
};

TEST_F(OpensslCommand, VerifiesOurChainForItsPurposeHostAndAddress) {
    const std::string leaf = tls.issue(
                                    ca_key,
                                    ca,
                                    tls.make_request(key, "server").value(),
                                    {.common_name = "server",
                                     .uri = "urn:stator:service:server",
                                     .dns_names = {"localhost"},
                                     .ip_addresses = {"127.0.0.1", "::1"},
                                     .server = true},
                                    10
    )
                                 .value();
    save("leaf.pem", leaf);
    const std::string verify = "verify -x509_strict -CAfile ca.pem ";
    EXPECT_EQ(run(verify + "-purpose sslserver leaf.pem"), 0) << said;
    EXPECT_EQ(run(verify + "-verify_hostname localhost leaf.pem"), 0) << said;
    EXPECT_EQ(run(verify + "-verify_ip 127.0.0.1 leaf.pem"), 0) << said;
    EXPECT_EQ(run(verify + "-verify_ip ::1 leaf.pem"), 0) << said;
    EXPECT_NE(run(verify + "-verify_hostname example.org leaf.pem"), 0) << said;
    EXPECT_NE(run(verify + "-purpose sslclient leaf.pem"), 0) << "a server's is no client's";
    EXPECT_EQ(run("x509 -in leaf.pem -noout -text"), 0);
    EXPECT_NE(said.find("URI:urn:stator:service:server"), std::string::npos) << said;
    EXPECT_NE(said.find("ecdsa-with-SHA256"), std::string::npos);
    EXPECT_NE(said.find("NIST CURVE: P-256"), std::string::npos);
    EXPECT_NE(said.find("CA:FALSE"), std::string::npos);
}

TEST_F(OpensslCommand, AgreesOnSerialFingerprintAndTimes) {
    const CertificateFacts facts = tls.inspect(ca).value();
    ASSERT_EQ(run("x509 -in ca.pem -noout -serial"), 0);
    EXPECT_EQ(said, "serial=" + facts.serial + "\n");
    ASSERT_EQ(run("x509 -in ca.pem -outform DER -out ca.der"), 0) << said;
    ASSERT_EQ(run("dgst -sha256 -r ca.der"), 0);
    EXPECT_EQ(said.substr(0, 64), facts.sha256_hex);
    ASSERT_EQ(run("x509 -in ca.pem -noout -checkend 2591000"), 0) << said;  // 30 days less 1000 s
    EXPECT_NE(run("x509 -in ca.pem -noout -checkend 2593000"), 0);
}

TEST_F(OpensslCommand, AcceptsOurRequestAndOurKey) {
    save("request.pem", tls.make_request(key, "7").value());
    EXPECT_EQ(run("req -in request.pem -noout -verify"), 0) << said;
    EXPECT_EQ(run("pkey -in key.pem -check -noout"), 0) << said;
    EXPECT_TRUE(key.starts_with("-----BEGIN PRIVATE KEY-----")) << "PKCS #8";
}

TEST_F(OpensslCommand, VerifiesOurSignatureAndWeVerifyItsOwn) {
    save("public.pem", tls.public_key(key).value());
    save("text", "release 7");
    const Signature ours = tls.sign(key, "release 7").value();
    const EcdsaSignature pair{ECDSA_SIG_new()};
    ASSERT_EQ(
        ECDSA_SIG_set0(
            pair.get(),
            BN_bin2bn(ours.data(), 32, nullptr),
            BN_bin2bn(ours.data() + 32, 32, nullptr)
        ),
        1
    );
    std::array<unsigned char, 128> der{};
    unsigned char* at = der.data();
    const int size = i2d_ECDSA_SIG(pair.get(), &at);
    save("signature", {reinterpret_cast<const char*>(der.data()), static_cast<std::size_t>(size)});
    EXPECT_EQ(run("dgst -sha256 -verify public.pem -signature signature text"), 0) << said;

    ASSERT_EQ(run("dgst -sha256 -sign key.pem -out theirs text"), 0) << said;
    std::ifstream in{directory / "theirs", std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
    const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
    const EcdsaSignature theirs{d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(bytes.size()))};
    ASSERT_TRUE(theirs);
    Signature raw{};
    BN_bn2binpad(ECDSA_SIG_get0_r(theirs.get()), raw.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(theirs.get()), raw.data() + 32, 32);
    EXPECT_TRUE(tls.verify(tls.public_key(key).value(), "release 7", raw));
}

TEST_F(OpensslCommand, ARequestForAnotherCurveIsRefused) {
    ASSERT_EQ(
        run("req -new -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 -nodes -keyout p384.key "
            "-subj /CN=7 -out p384.pem"),
        0
    ) << said;
    std::ifstream in{directory / "p384.pem"};
    const std::string request{std::istreambuf_iterator<char>{in}, {}};
    const auto refused = tls.issue(ca_key, ca, request, {.common_name = "7"}, 1);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("P-256"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace stator::tls
