// What every Http promises, run over Beast on loopback and over the simulated network.
#include "world/chance/seeded.h"
#include "world/clock/real.h"
#include "world/clock/virtual.h"
#include "world/disk/posix.h"
#include "world/disk/simulated.h"
#include "world/http/beast.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/tls/openssl.h"
#include "world/tls/simulated.h"

#include <gtest/gtest.h>

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace stator::http {
namespace {

struct Real {
    Real() {
        std::string name = (std::filesystem::temp_directory_path() / "stator-http-XXXXXX").string();
        directory = mkdtemp(name.data());
    }

    ~Real() { std::filesystem::remove_all(directory); }

    Real(const Real&) = delete;
    Real& operator=(const Real&) = delete;

    std::string directory;
    clock::RealClock clock;
    disk::PosixDisk disk;
    tls::OpenSslTls tls{clock};
    BeastHttp http;
    clock::VirtualClock past{1'600'000'000'000};
    tls::OpenSslTls tls_of_the_past{past};
};

struct Simulated {
    std::string directory = "/pki";
    clock::VirtualClock clock{1'763'000'000'000};
    chance::SeededChance chance{7};
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    tls::SimulatedTls tls{chance, clock};
    SimulatedHttp http{disk, tls, clock, journal};
    clock::VirtualClock past{1'600'000'000'000};
    tls::SimulatedTls tls_of_the_past{chance, past};
};

template <typename T>
class EveryHttp : public testing::Test {
  public:
    ~EveryHttp() override { stop(); }

    void SetUp() override { ASSERT_TRUE(world.disk.make_directories(world.directory)); }

    void serve(ListenOptions options = {}) {
        auto listening = world.http.listen(std::move(options), [this](const Request& request) {
            last = request;
            Response response;
            response.headers["Content-Type"] = "text/plain";
            response.headers["X-Method"] = request.method;
            response.body = request.path + "|" + request.body + "|" + request.peer_uri;
            if (request.path == "/large") response.body.assign(100'000, 'x');
            return apply_range(request, std::move(response));
        });
        ASSERT_TRUE(listening) << listening.error().what;
        server = std::move(*listening);
        pump = std::thread{[this] {
            while (!stopping)
                server->poll(2000);
        }};
    }

    void stop() {
        stopping = true;
        if (pump.joinable()) pump.join();
        server.reset();
    }

    std::string at(
        const std::string& path, bool tls = false, const std::string& host = "127.0.0.1"
    ) {
        return (tls ? "https://" : "http://") + host + ":" + std::to_string(server->port()) + path;
    }

    std::string file(const std::string& name) { return world.directory + "/" + name; }

    void save(const std::string& name, const std::string& content) {
        ASSERT_TRUE(world.disk.replace(file(name), content));
    }

    // NAME.pem (chain) and NAME.key under the CA of `ca`.
    template <typename Maker>
    void make_leaf(Maker& maker, const std::string& ca, const tls::Subject& subject, int days = 9) {
        const std::string key = maker.make_key().value();
        const std::string ca_pem = world.disk.read_all(file(ca + ".pem"), 9999).value();
        const std::string ca_key = world.disk.read_all(file(ca + ".key"), 9999).value();
        const auto pem =
            maker.issue(ca_key, ca_pem, maker.make_request(key, "x").value(), subject, days);
        ASSERT_TRUE(pem) << pem.error().what;
        save(subject.common_name + ".pem", *pem + ca_pem);
        save(subject.common_name + ".key", key);
    }

    template <typename Maker>
    void make_ca(Maker& maker, const std::string& name, int days = 30) {
        const std::string key = maker.make_key().value();
        save(name + ".key", key);
        save(name + ".pem", maker.make_ca(key, name, days).value());
    }

    ListenOptions tls_options() {
        make_ca(world.tls, "ca");
        make_leaf(
            world.tls,
            "ca",
            {.common_name = "server",
             .dns_names = {"localhost"},
             .ip_addresses = {"127.0.0.1"},
             .server = true}
        );
        make_leaf(
            world.tls, "ca", {.common_name = "7", .uri = "urn:stator:actor:7", .client = true}
        );
        make_ca(world.tls, "other");
        make_leaf(
            world.tls, "other", {.common_name = "bad", .uri = "urn:stator:actor:7", .client = true}
        );
        return {
            .certificate_file = file("server.pem"),
            .key_file = file("server.key"),
            .client_ca_file = file("ca.pem")
        };
    }

    base::Fault fault_of(const ClientRequest& request) {
        const auto response = world.http.request(request);
        EXPECT_FALSE(response) << response->status;
        return response ? base::Fault::again : response.error().fault;
    }

    T world;
    Request last;
    std::unique_ptr<Server> server;
    std::thread pump;
    std::atomic<bool> stopping = false;
};

using Kinds = testing::Types<Real, Simulated>;
TYPED_TEST_SUITE(EveryHttp, Kinds);

TYPED_TEST(EveryHttp, CarriesMethodPathQueryHeadersAndBodyThereAndBack) {
    this->serve();
    const auto response = this->world.http.request(
        {.method = "POST",
         .url = this->at("/a%20b/c?x=1%202&y"),
         .headers = {{"X-Thing", "7"}},
         .body = std::string{"b\0\r\n", 4}}
    );
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, (std::string{"/a b/c|b\0\r\n|", 12}));
    EXPECT_EQ(response->headers.at("content-type"), "text/plain");
    EXPECT_EQ(this->last.method, "POST");
    EXPECT_EQ(this->last.query.at("x"), "1 2");
    EXPECT_TRUE(this->last.query.contains("y"));
    EXPECT_EQ(this->last.headers.at("x-thing"), "7");
    EXPECT_EQ(this->last.peer_address, "127.0.0.1");
}

TYPED_TEST(EveryHttp, AnswersHeadWithTheHeadersOfGet) {
    this->serve();
    const auto response = this->world.http.request({.method = "HEAD", .url = this->at("/large")});
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->body, "");
    EXPECT_EQ(response->headers.at("content-length"), "100000");
    EXPECT_EQ(response->headers.at("x-method"), "GET");
}

TYPED_TEST(EveryHttp, ServesRanges) {
    this->serve();
    const auto response =
        this->world.http.request({.url = this->at("/large"), .headers = {{"Range", "bytes=10-19"}}}
        );
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->status, 206);
    EXPECT_EQ(response->body, "xxxxxxxxxx");
    EXPECT_EQ(response->headers.at("content-range"), "bytes 10-19/100000");
}

TYPED_TEST(EveryHttp, RefusesABodyOrAHeadBeyondItsLimit) {
    this->serve({.body_bytes_max = 1000, .head_bytes_max = 2000});
    const auto body = this->world.http.request(
        {.method = "POST", .url = this->at("/"), .body = std::string(1001, 'x')}
    );
    ASSERT_TRUE(body) << body.error().what;
    EXPECT_EQ(body->status, 413);
    const auto fits = this->world.http.request(
        {.method = "POST", .url = this->at("/"), .body = std::string(1000, 'x')}
    );
    ASSERT_TRUE(fits) << fits.error().what;
    EXPECT_EQ(fits->status, 200);
    const auto head = this->world.http.request(
        {.url = this->at("/"), .headers = {{"X-Long", std::string(3000, 'x')}}}
    );
    ASSERT_TRUE(head) << head.error().what;
    EXPECT_EQ(head->status, 431);
}

TYPED_TEST(EveryHttp, TheClientRefusesAnAnswerBeyondItsLimit) {
    this->serve();
    EXPECT_EQ(
        this->fault_of({.url = this->at("/large"), .body_bytes_max = 1000}), base::Fault::full
    );
}

TYPED_TEST(EveryHttp, SaysSoWhenNobodyListensOrTheAddressIsNone) {
    this->serve();
    const std::string url = this->at("/");
    this->stop();
    EXPECT_EQ(this->fault_of({.url = url}), base::Fault::io);
    EXPECT_EQ(this->fault_of({.url = "nonsense"}), base::Fault::bad_input);
}

TYPED_TEST(EveryHttp, ATakenPortIsSaidToBe) {
    this->serve();
    const auto second = this->world.http.listen({.port = this->server->port()}, [](const Request&) {
        return Response{};
    });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, base::Fault::exists);
}

TYPED_TEST(EveryHttp, KnowsTheClientByItsCertificate) {
    this->serve(this->tls_options());
    const auto response = this->world.http.request(
        {.url = this->at("/", true),
         .ca_file = this->file("ca.pem"),
         .certificate_file = this->file("7.pem"),
         .key_file = this->file("7.key")}
    );
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->body, "/||urn:stator:actor:7");
    const std::string pem = this->world.disk.read_all(this->file("7.pem"), 9999).value();
    EXPECT_EQ(this->last.peer_serial, this->world.tls.inspect(pem)->serial);
}

TYPED_TEST(EveryHttp, LetsAClientWithoutACertificateAskTooByNameOrAddress) {
    this->serve(this->tls_options());
    for (const char* host : {"127.0.0.1", "localhost"}) {
        const auto response = this->world.http.request(
            {.url = this->at("/", true, host), .ca_file = this->file("ca.pem")}
        );
        ASSERT_TRUE(response) << host << ": " << response.error().what;
        EXPECT_EQ(response->body, "/||");
        EXPECT_EQ(this->last.peer_serial, "");
    }
}

TYPED_TEST(EveryHttp, RefusesAClientsCertificateOfAnotherCa) {
    this->serve(this->tls_options());
    EXPECT_EQ(
        this->fault_of(
            {.url = this->at("/", true),
             .ca_file = this->file("ca.pem"),
             .certificate_file = this->file("bad.pem"),
             .key_file = this->file("bad.key")}
        ),
        base::Fault::denied
    );
    EXPECT_EQ(this->last.method, "") << "the handler was called";
}

TYPED_TEST(EveryHttp, RefusesAServerOfAnotherCaOrForAnotherHost) {
    this->serve(this->tls_options());
    EXPECT_EQ(
        this->fault_of({.url = this->at("/", true), .ca_file = this->file("other.pem")}),
        base::Fault::denied
    );
    EXPECT_EQ(this->fault_of({.url = this->at("/", true)}), base::Fault::denied);
    EXPECT_NE(
        this->fault_of({.url = this->at("/", true, "127.0.0.2"), .ca_file = this->file("ca.pem")}),
        base::Fault::again
    );
    EXPECT_EQ(this->last.method, "") << "the handler was called";
}

TYPED_TEST(EveryHttp, RefusesAServersCertificateForOtherNames) {
    ListenOptions options = this->tls_options();
    this->make_leaf(
        this->world.tls,
        "ca",
        {.common_name = "elsewhere", .dns_names = {"example.org"}, .server = true}
    );
    options.certificate_file = this->file("elsewhere.pem");
    options.key_file = this->file("elsewhere.key");
    this->serve(options);
    EXPECT_EQ(
        this->fault_of({.url = this->at("/", true), .ca_file = this->file("ca.pem")}),
        base::Fault::denied
    );
}

TYPED_TEST(EveryHttp, RefusesAServersCertificateThatHasExpired) {
    ListenOptions options = this->tls_options();
    this->make_ca(this->world.tls_of_the_past, "ca", 9000);
    this->make_leaf(
        this->world.tls_of_the_past,
        "ca",
        {.common_name = "old", .ip_addresses = {"127.0.0.1"}, .server = true},
        10
    );
    options.certificate_file = this->file("old.pem");
    options.key_file = this->file("old.key");
    this->serve(options);
    const auto response =
        this->world.http.request({.url = this->at("/", true), .ca_file = this->file("ca.pem")});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().fault, base::Fault::denied);
    EXPECT_NE(response.error().what.find("expired"), std::string::npos) << response.error().what;
}

TYPED_TEST(EveryHttp, TrustsExactlyThePinnedCa) {
    this->serve(this->tls_options());
    const auto hash = [&](const char* name) {
        const std::string pem = this->world.disk.read_all(this->file(name), 9999).value();
        return this->world.tls.inspect(pem)->sha256_hex;
    };
    const auto response =
        this->world.http.request({.url = this->at("/", true), .pinned_ca_sha256 = hash("ca.pem")});
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(
        this->fault_of({.url = this->at("/", true), .pinned_ca_sha256 = hash("other.pem")}),
        base::Fault::denied
    );
    EXPECT_EQ(
        this->fault_of({.url = this->at("/", true), .pinned_ca_sha256 = "00"}), base::Fault::denied
    );
}

TYPED_TEST(EveryHttp, DoesNotMixPlainAndTls) {
    this->serve(this->tls_options());
    const auto plain = this->world.http.request({.url = this->at("/"), .timeout_ms = 2000});
    EXPECT_TRUE(!plain || plain->status >= 400);
    EXPECT_EQ(this->last.method, "");
}

TYPED_TEST(EveryHttp, RefusesToListenWithoutItsCertificate) {
    const auto refused = this->world.http.listen(
        {.certificate_file = this->file("none.pem"), .key_file = this->file("none.key")},
        [](const Request&) { return Response{}; }
    );
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("none."), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace stator::http
