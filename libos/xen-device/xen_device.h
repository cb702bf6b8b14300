/*
 * Split devices of Xen: a driver here (front end) and one in another domain (back end) that share pages and an event channel, and find each other in xenstore (public/io/xenbus.h). Owns the grant
 * table: which pages of this domain another may use.
 *
 * Call order of a driver: xen_device_each → xen_device_open → rings by xen_ring_place, told of by xen_device_share → xen_device_connect → xen_ring_*.
 * Context: start hooks from order 4 on, calls and bottom halves.
 * Trust: the other end writes shared pages at any time. What counts is kept here (indices, what is out); an entry is copied once, then looked at.
 */
#ifndef HULL_XEN_DEVICE_XEN_DEVICE_H
#define HULL_XEN_DEVICE_XEN_DEVICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Grants (public/grant_table.h, version 1). ---- */
/* A reference for one page at a time, the caller's for ever; 0: there are no more. */
uint32_t xen_grant_reserve(void);
/* The domain may use the page that `data` lies in. */
void xen_grant_allow(uint32_t reference, uint16_t domain, const void *data, bool read_only);
/* It may no more. false: it still does, so that neither page nor reference can be used for anything else. */
bool xen_grant_end(uint32_t reference);

/* ---- Rings of requests and answers, which share their places (public/io/ring.h): one page. ---- */
struct xen_ring {
    struct xen_ring_page *page;
    uint32_t entries, entry_size; /* entries: a power of two */
    uint32_t requests, told, answers; /* made, made known to the other end, taken; all modulo 2^32 */
    uint32_t refused;             /* answers that made no sense: by this and the driver */
    bool broken;                  /* the other end told of answers to what nobody asked: nothing more is taken */
};
enum { XEN_RING_HEAD = 64 };
/* page: zeroed. */
void xen_ring_place(struct xen_ring *, void *page, uint32_t entry_size);
/* A place for one more request, which xen_ring_push makes known; NULL: all are in use. */
void *xen_ring_next(struct xen_ring *);
/* true: the other end wants to be told. */
bool xen_ring_push(struct xen_ring *);
bool xen_ring_any(struct xen_ring *); /* there is an answer to take */
/* Copies the next answer. false: there is none. */
bool xen_ring_take(struct xen_ring *, void *answer, size_t size);
/* An event when `count` more answers than were taken are there; 0: none. true: so many there are already. */
bool xen_ring_want(struct xen_ring *, uint32_t count);

/* ---- Devices. ---- */
struct xen_device {
    const char *path;  /* ours in the store: device/vbd/51712 */
    char other[64];    /* the other end's */
    uint16_t domain;   /* in which it is */
    uint32_t port;     /* the event channel */
};
enum { XEN_STATE_WAITING = 2, XEN_STATE_INITIALISED = 3, XEN_STATE_CONNECTED = 4, XEN_STATE_CLOSING = 5 };
/* found() for each device of a kind ("vbd"), if the machine is Xen's; its path is good during the call. */
void xen_device_each(const char *kind, void (*found)(const char *path));
/* The other end is ready to be told of rings. 0, -errno: there is none, or it does not answer; the log says so. Copies the path. */
int xen_device_open(struct xen_device *, const char *path);
/* The page is the other end's to use from now on, and `name` in the store says by which grant. 0 or -errno. */
int xen_device_share(struct xen_device *, const char *name, const void *page);
/* Our state becomes `state`; returns when the other end's is connected. 0 or -errno, as open. */
int xen_device_connect(struct xen_device *, unsigned state);
int xen_device_tell(const struct xen_device *, const char *name, const char *value); /* in our part of the store. 0 or -errno */
int xen_device_set_state(const struct xen_device *, unsigned state);
int xen_device_read(const struct xen_device *, const char *name, char *value, size_t size); /* in the other end's, as xen_store_read */
long xen_device_number(const struct xen_device *, const char *name); /* there, -1 where there is none */
#endif
