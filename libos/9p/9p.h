/*
 * 9P2000.L, the client: directories of the host as file systems (the protocol of Linux's v9fs and QEMU's virtio-9p; "9P2000.L" in the diod project's
 * protocol.md, and intro(5) of Plan 9 for the base).
 *
 * A transport carries one request and brings its reply; several threads may be within it at once. The server is not trusted: each reply is bounded by
 * what arrived, and what it says is checked before use.
 * Context: calls; sleeps.
 */
#ifndef HULL_9P_9P_H
#define HULL_9P_9P_H
#include <stdint.h>
#include "vfs/vfs.h"

/* What goes out and where the answer goes: physically contiguous pieces of the direct map. data: one more piece, to or from the server, or NULL. */
struct p9_exchange {
    void *request; uint32_t request_size;
    void *reply; uint32_t reply_room;
    void *data; uint32_t data_size; bool data_comes;
};
struct p9_transport {
    struct p9_transport *next;
    struct superblock *super; /* once it is open: there is one session, its mounts share it */
    char tag[256];           /* the name under which the host offers it */
    /* Bytes of reply and data that the server wrote, or -errno. Returns only when the server is done with the memory. */
    long (*exchange)(struct p9_transport *, const struct p9_exchange *);
};
void p9_transport_add(struct p9_transport *); /* by drivers, at their start */
struct p9_transport *p9_transport_find(const char *tag);

/* Files of host user `uid` and group `gid` show as root's in the guest, and the other way round: where the server runs as that user. */
#define P9_OWN (1u << 0)
#define P9_READ_ONLY (1u << 1)
/* Nobody else changes these files: names and attributes are not asked for again. */
#define P9_EXCLUSIVE (1u << 2)
struct p9_options { uint32_t flags, uid, gid; uint64_t device; };
/* 0, or -errno from the server or about what it said. *out is the same at each call: the options of the first count. */
int p9_open(struct p9_transport *, const struct p9_options *, struct superblock **out);
#endif
