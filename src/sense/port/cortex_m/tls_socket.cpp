#include "sense/port/cortex_m/tls_socket.h"

#include "sense/port/cortex_m/chance.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

extern "C" {
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <mbedtls/memory_buffer_alloc.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
}

namespace stator::cortex_m {
namespace {

constexpr std::size_t pool_bytes = 32U << 10U;
// Of sums on the curve, of which a signature takes thousands, in one step.
constexpr unsigned curve_sums_max = 100;
alignas(8) std::array<unsigned char, pool_bytes> pool;
Clock* the_clock = nullptr;  // mbedTLS asks for the time without saying who it is

mbedtls_time_t time_now(mbedtls_time_t* into) {
    const auto now = static_cast<mbedtls_time_t>(the_clock->unix_ms() / 1000);
    if (into != nullptr) *into = now;
    return now;
}

}  // namespace

Tls::Tls(Clock& clock) : clock_{clock} {
    the_clock = &clock_;
    mbedtls_memory_buffer_alloc_init(pool.data(), pool.size());
    mbedtls_platform_set_time(time_now);
    mbedtls_entropy_init(&entropy_);
    mbedtls_ctr_drbg_init(&random_);
    mbedtls_x509_crt_init(&ca_);
    mbedtls_x509_crt_init(&certificate_);
    mbedtls_pk_init(&key_);
    mbedtls_ssl_config_init(&config_);
}

std::string_view Tls::start(const Identity& identity) {
    const auto parse = [](mbedtls_x509_crt& into, std::span<const std::uint8_t> pem) {
        return mbedtls_x509_crt_parse(&into, pem.data(), pem.size()) == 0;
    };
    mbedtls_ecp_set_max_ops(curve_sums_max);
    if (mbedtls_ctr_drbg_seed(&random_, mbedtls_entropy_func, &entropy_, nullptr, 0) != 0)
        return "no source of chance";
    if (!parse(ca_, identity.ca_pem)) return "the CA cannot be read";
    if (!parse(certificate_, identity.certificate_pem)) return "the certificate cannot be read";
    const std::span<const std::uint8_t> key = identity.key_pem;
    if (mbedtls_pk_parse_key(&key_, key.data(), key.size(), nullptr, 0) != 0)
        return "the key cannot be read";
    const int made = mbedtls_ssl_config_defaults(
        &config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT
    );
    if (made != 0) return "no memory for TLS";
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_min_version(
        &config_, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3
    );
    mbedtls_ssl_conf_ca_chain(&config_, &ca_, nullptr);
    mbedtls_ssl_conf_rng(&config_, mbedtls_ctr_drbg_random, &random_);
    if (mbedtls_ssl_conf_max_frag_len(&config_, MBEDTLS_SSL_MAX_FRAG_LEN_2048) != 0 ||
        mbedtls_ssl_conf_own_cert(&config_, &certificate_, &key_) != 0)
        return "no memory for TLS";
    return {};
}

std::size_t Tls::pool_bytes_most() {
    std::size_t most = 0;
    std::size_t blocks = 0;
    mbedtls_memory_buffer_alloc_max_get(&most, &blocks);
    return most;
}

std::size_t Tls::pool_blocks_now() {
    std::size_t bytes = 0;
    std::size_t blocks = 0;
    mbedtls_memory_buffer_alloc_cur_get(&bytes, &blocks);
    return blocks;
}

base::Result<void> TlsSocket::connect(const session::Server& server) {
    close();
    reason_ = {};
    // No certificate can be judged without a date.
    if (!tls_.clock().synced()) return std::unexpected{base::Fault::again};
    mbedtls_ssl_init(&session_);
    session_made_ = true;
    pcb_ = tcp_new();
    if (pcb_ == nullptr || mbedtls_ssl_setup(&session_, &tls_.config()) != 0 ||
        mbedtls_ssl_set_hostname(&session_, server.host) != 0) {
        fail("no memory for a connection");
        return std::unexpected{base::Fault::full};
    }
    mbedtls_ssl_set_bio(&session_, this, send_bytes, take_bytes, nullptr);
    tcp_arg(pcb_, this);
    tcp_recv(pcb_, received);
    tcp_err(pcb_, broken);
    ip_addr_t address;
    const auto& at = server.address;
    IP4_ADDR(&address, at[0], at[1], at[2], at[3]);
    if (tcp_connect(pcb_, &address, server.port, connected) != ERR_OK) {
        fail("no route");
        return std::unexpected{base::Fault::io};
    }
    state_ = State::connecting;
    return {};
}

TlsSocket::State TlsSocket::step() {
    if (state_ != State::closed && pcb_ == nullptr) fail("the connection broke");
    if (state_ != State::shaking_hands) return state_;
    const int done = mbedtls_ssl_handshake(&session_);
    if (done == 0) {
        state_ = State::open;
    } else if (done != MBEDTLS_ERR_SSL_WANT_READ && done != MBEDTLS_ERR_SSL_WANT_WRITE &&
               done != MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS) {
        const std::uint32_t bad = mbedtls_ssl_get_verify_result(&session_);
        const bool judged = done == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
        if (judged && (bad & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
            fail("the server's certificate is not of our CA");
        else if (judged && (bad & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
            fail("the server's certificate is for another host");
        else if (judged && (bad & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
            fail("the server's certificate has expired");
        else if (judged && (bad & MBEDTLS_X509_BADCERT_FUTURE) != 0)
            fail("the server's certificate is not valid yet");
        else if (done == MBEDTLS_ERR_SSL_ALLOC_FAILED)
            fail("the TLS pool is full");
        else
            fail("the handshake failed");
    }
    return state_;
}

base::Result<std::size_t> TlsSocket::write(std::span<const std::uint8_t> bytes) {
    if (state_ != State::open) return std::unexpected{base::Fault::io};
    const int done = mbedtls_ssl_write(&session_, bytes.data(), bytes.size());
    if (done >= 0) return static_cast<std::size_t>(done);
    if (done == MBEDTLS_ERR_SSL_WANT_WRITE || done == MBEDTLS_ERR_SSL_WANT_READ) return 0U;
    fail("the connection broke while writing");
    return std::unexpected{base::Fault::io};
}

base::Result<std::size_t> TlsSocket::read(std::span<std::uint8_t> bytes) {
    if (state_ != State::open) return std::unexpected{base::Fault::io};
    const int done = mbedtls_ssl_read(&session_, bytes.data(), bytes.size());
    if (done > 0) return static_cast<std::size_t>(done);
    if (done == MBEDTLS_ERR_SSL_WANT_WRITE || done == MBEDTLS_ERR_SSL_WANT_READ) return 0U;
    fail("the other side closed the connection");
    return std::unexpected{base::Fault::io};
}

void TlsSocket::fail(std::string_view why) {
    close();
    reason_ = why;
}

void TlsSocket::close() {
    if (state_ == State::open) static_cast<void>(mbedtls_ssl_close_notify(&session_));
    state_ = State::closed;
    if (session_made_) mbedtls_ssl_free(&session_);
    session_made_ = false;
    if (waiting_ != nullptr) pbuf_free(waiting_);
    waiting_ = nullptr;
    ended_ = false;
    if (pcb_ == nullptr) return;
    tcp_arg(pcb_, nullptr);
    tcp_recv(pcb_, nullptr);
    tcp_err(pcb_, nullptr);
    if (tcp_close(pcb_) != ERR_OK) tcp_abort(pcb_);
    pcb_ = nullptr;
}

err_t TlsSocket::connected(void* self, tcp_pcb*, err_t) {
    static_cast<TlsSocket*>(self)->state_ = State::shaking_hands;
    return ERR_OK;
}

err_t TlsSocket::received(void* self, tcp_pcb*, pbuf* bytes, err_t) {
    auto& socket = *static_cast<TlsSocket*>(self);
    if (bytes == nullptr)
        socket.ended_ = true;
    else if (socket.waiting_ == nullptr)
        socket.waiting_ = bytes;
    else
        pbuf_cat(socket.waiting_, bytes);
    return ERR_OK;
}

void TlsSocket::broken(void* self, err_t) {
    static_cast<TlsSocket*>(self)->pcb_ = nullptr;  // lwIP has freed it
}

int TlsSocket::send_bytes(void* self, const unsigned char* bytes, std::size_t count) {
    auto& socket = *static_cast<TlsSocket*>(self);
    if (socket.pcb_ == nullptr) return MBEDTLS_ERR_SSL_CONN_EOF;
    const auto room =
        static_cast<std::uint16_t>(std::min<std::size_t>({count, tcp_sndbuf(socket.pcb_), TCP_MSS})
        );
    if (room == 0 || tcp_write(socket.pcb_, bytes, room, TCP_WRITE_FLAG_COPY) != ERR_OK)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    static_cast<void>(tcp_output(socket.pcb_));
    return room;
}

int TlsSocket::take_bytes(void* self, unsigned char* bytes, std::size_t count) {
    auto& socket = *static_cast<TlsSocket*>(self);
    if (socket.waiting_ == nullptr)
        return socket.ended_ || socket.pcb_ == nullptr ? MBEDTLS_ERR_SSL_CONN_EOF
                                                       : MBEDTLS_ERR_SSL_WANT_READ;
    const auto most = static_cast<std::uint16_t>(std::min<std::size_t>(count, 0xFFFF));
    const std::uint16_t taken = pbuf_copy_partial(socket.waiting_, bytes, most, 0);
    socket.waiting_ = pbuf_free_header(socket.waiting_, taken);
    if (socket.pcb_ != nullptr) tcp_recved(socket.pcb_, taken);
    return taken;
}

}  // namespace stator::cortex_m

extern "C" {

int mbedtls_hardware_poll(void*, unsigned char* bytes, std::size_t count, std::size_t* got) {
    if (!stator::cortex_m::random_bytes(bytes, count)) return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    *got = count;
    return 0;
}

tm* mbedtls_platform_gmtime_r(const mbedtls_time_t* time, tm* into) {
    using namespace std::chrono;
    const sys_seconds when{seconds{*time}};
    const auto day = floor<days>(when);
    const year_month_day date{day};
    const hh_mm_ss clock{when - day};
    *into = {};
    into->tm_year = static_cast<int>(date.year()) - 1900;
    into->tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    into->tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
    into->tm_hour = static_cast<int>(clock.hours().count());
    into->tm_min = static_cast<int>(clock.minutes().count());
    into->tm_sec = static_cast<int>(clock.seconds().count());
    return into;
}
}
