// Of lwIP: the sockets that a datagram needs.
#pragma once

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#define AF_INET 2
#define SOCK_DGRAM 2
#define MSG_DONTWAIT 0x08
using socklen_t = uint32_t;
using in_addr_t = uint32_t;

struct in_addr {
    in_addr_t s_addr;
};

struct sockaddr {
    uint8_t sa_len;
    uint8_t sa_family;
    char sa_data[14];
};

struct sockaddr_in {
    uint8_t sin_len;
    uint8_t sin_family;
    uint16_t sin_port;
    in_addr sin_addr;
    char sin_zero[8];
};

extern "C" {
uint16_t lwip_htons(uint16_t value);
int socket(int domain, int type, int protocol);
ssize_t sendto(
    int socket, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_bytes
);
ssize_t recvfrom(
    int socket, void* data, size_t size, int flags, sockaddr* from, socklen_t* from_bytes
);
}
#define htons(value) lwip_htons(value)
