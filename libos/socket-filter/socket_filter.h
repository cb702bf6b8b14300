/*
 * Socket filters: classic BPF programs (McCanne and Jacobson, "The BSD Packet Filter", 1993; Linux's networking/filter.rst) that say for each packet how many of its bytes a socket gets.
 * Owns: the check of a program, its run, and the options that set it. A program that passed the check ends, and reads nothing but its packet.
 * Context: calls and bottom halves.
 */
#ifndef HULL_SOCKET_FILTER_SOCKET_FILTER_H
#define HULL_SOCKET_FILTER_SOCKET_FILTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_MOST = 4096 };
struct filter_instruction { uint16_t code; uint8_t if_true, if_false; uint32_t k; }; /* struct sock_filter */
struct socket_filter { struct filter_instruction *program; uint16_t count; bool locked; }; /* program NULL: none, everything passes */

/* What is known of a packet besides its bytes (SKF_AD_*). */
struct filter_packet {
    const uint8_t *bytes;   /* from where the socket's packets begin */
    size_t size;
    const uint8_t *link;    /* the link header, link_size bytes before the network header; both for SKF_LL_OFF and SKF_NET_OFF */
    const uint8_t *network, *end;
    uint32_t protocol;      /* ETH_P_*, host order */
    uint32_t kind;          /* PACKET_* */
    uint32_t interface, hardware;
};

bool filter_check(const struct filter_instruction *, size_t count);
uint32_t filter_run(const struct filter_instruction *, const struct filter_packet *); /* bytes to keep; 0: drop. The program passed filter_check */

/* By the family, first: SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER and what SO_GET_FILTER is; -ENOPROTOOPT: another option. value: libOS memory, size bytes. */
int filter_set_option(struct socket_filter *, int level, int name, const void *value, uint32_t size);
void filter_end(struct socket_filter *);
static inline uint32_t filter_take(const struct socket_filter *filter, const struct filter_packet *packet) {
    return filter->program ? filter_run(filter->program, packet) : UINT32_MAX;
}
#endif
