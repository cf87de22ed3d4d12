// Of esp-tls, on mbedTLS.
#pragma once

#include <sys/types.h>

#include <esp_err.h>
#include <stddef.h>

using esp_tls_t = struct esp_tls;
using esp_tls_error_handle_t = struct esp_tls_last_error*;
#define ESP_TLS_ERR_SSL_WANT_READ (-0x6900)
#define ESP_TLS_ERR_SSL_WANT_WRITE (-0x6880)

enum esp_tls_conn_state_t {
    ESP_TLS_INIT = 0,
    ESP_TLS_CONNECTING,
    ESP_TLS_HANDSHAKE,
    ESP_TLS_FAIL,
    ESP_TLS_DONE
};

enum esp_tls_proto_ver_t { ESP_TLS_VER_ANY = 0, ESP_TLS_VER_TLS_1_2 = 1, ESP_TLS_VER_TLS_1_3 = 2 };

struct esp_tls_cfg_t {  // the members that we use
    const unsigned char* cacert_buf;
    unsigned cacert_bytes;
    const unsigned char* clientcert_buf;
    unsigned clientcert_bytes;
    const unsigned char* clientkey_buf;
    unsigned clientkey_bytes;
    bool non_block;
    int timeout_ms;
    const char* common_name;
    bool skip_common_name;
    esp_tls_proto_ver_t tls_version;
};

extern "C" {
esp_tls_t* esp_tls_init(void);
int esp_tls_conn_new_async(
    const char* hostname, int hostlen, int port, const esp_tls_cfg_t* cfg, esp_tls_t* tls
);
ssize_t esp_tls_conn_write(esp_tls_t* tls, const void* data, size_t datalen);
ssize_t esp_tls_conn_read(esp_tls_t* tls, void* data, size_t datalen);
int esp_tls_conn_destroy(esp_tls_t* tls);
esp_err_t esp_tls_get_conn_state(esp_tls_t* tls, esp_tls_conn_state_t* conn_state);
esp_err_t esp_tls_get_error_handle(esp_tls_t* tls, esp_tls_error_handle_t* error_handle);
esp_err_t esp_tls_get_and_clear_last_error(
    esp_tls_error_handle_t error, int* esp_tls_code, int* esp_tls_flags
);
}
