// What lwIP has to be here: one super-loop, IPv4, TCP, DHCP and SNTP, fixed pools and no heap.
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_RAW 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define IP_REASSEMBLY 0  // TCP and our UDP never fragment
#define IP_FRAG 0
#define LWIP_DHCP 1
#define LWIP_DNS 0
#define LWIP_STATS 0

#define MEM_ALIGNMENT 4
#define MEM_SIZE (12 * 1024)  // lwIP's own fixed pool, not a heap of the C library
#define MEMP_NUM_TCP_PCB 4
#define MEMP_NUM_TCP_SEG 16
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 2)
#define PBUF_POOL_SIZE 12
#define PBUF_POOL_BUFSIZE 1536

#define TCP_MSS 1460
#define TCP_WND (4 * TCP_MSS)  // at least one TLS record of 4 KiB
#define TCP_SND_BUF (4 * TCP_MSS)
#define TCP_SND_QUEUELEN 12

#define LWIP_RAND() stator_random()
#ifdef __cplusplus
extern "C"
#endif
    unsigned
    stator_random(void);
