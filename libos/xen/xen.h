/*
 * The Xen hypervisor under a PVH guest: what its drivers share. Interfaces: xen/include/public of Xen 4.17.
 *
 * Whether the machine is Xen's is found at boot; elsewhere xen_present() is false, and nothing else here may be called.
 * Context: calls and start hooks, not interrupt handlers, unless it says otherwise.
 */
#ifndef HULL_XEN_XEN_H
#define HULL_XEN_XEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool xen_present(void);

/* Hypercalls (public/xen.h): numbers, and what of each is used. 0 or more, or -errno (public/errno.h, Linux's numbers). */
enum { XEN_MEMORY_OP = 12, XEN_GRANT_TABLE_OP = 20, XEN_SCHED_OP = 29, XEN_EVENT_CHANNEL_OP = 32, XEN_HVM_OP = 34 };
long xen_hypercall(unsigned number, uint64_t first, const void *second, uint64_t third);

#define XEN_SELF 0x7ff0 /* DOMID_SELF */

/* HVM parameters (public/hvm/params.h); 0 when there is no such. */
enum { XEN_PARAMETER_CALLBACK = 0, XEN_PARAMETER_STORE_FRAME = 1, XEN_PARAMETER_STORE_EVENT = 2, XEN_PARAMETER_CONSOLE_FRAME = 17, XEN_PARAMETER_CONSOLE_EVENT = 18 };
uint64_t xen_parameter(uint32_t index);
int xen_set_parameter(uint32_t index, uint64_t value); /* 0 or -errno */

/* Makes `page`, a page-aligned page of the image's data, show a frame that the toolstack set aside. What was in it is lost. The page. */
void *xen_map_frame(void *page, uint64_t frame);
/* Puts one of Xen's own frames (public/memory.h, XENMEM_add_to_physmap: XENMAPSPACE_*) in the place of `page`, a page of RAM. 0 or -errno. */
enum { XEN_SPACE_SHARED_INFO = 0, XEN_SPACE_GRANT_TABLE = 1 };
int xen_place_frame(void *page, unsigned space, uint64_t index);

/* The page that Xen and the domain share (public/xen.h, struct shared_info): which event channels have something, and which of them interrupt; the time. */
enum { XEN_EVENT_WORDS = 64 };
struct xen_cpu_time { uint32_t version, pad; uint64_t cycles, system_ns; uint32_t multiplier; int8_t shift; uint8_t flags, pad2[2]; }; /* version odd: being written */
struct xen_shared_info {
    struct { uint8_t pending, masked; uint64_t words, arch[2]; struct xen_cpu_time time; } cpu[32];
    uint64_t pending[XEN_EVENT_WORDS], mask[XEN_EVENT_WORDS];
    uint32_t wall_version, wall_seconds, wall_ns, wall_seconds_high; /* when system_ns was 0 */
};
struct xen_shared_info *xen_shared_info(void); /* all channels masked at first */

/* Tells the other end. Any context. */
void xen_event_send(uint32_t port);
/* Sleeps, interrupts off, until is_ready(argument); the other end sends an event each time that it may have become so. */
void xen_event_wait(uint32_t port, bool (*is_ready)(const void *), const void *argument);
/* By xen-event, met by a weak reference: someone who waited took the port's event from who listens. */
void xen_event_taken(uint32_t port);

/*
 * A ring of bytes that two domains share: who writes moves *produced behind the bytes, who reads moves *consumed. A writer waits for room, a reader for bytes; what the other end says of its index is
 * taken modulo the ring, so that no lie of it leads outside.
 */
struct xen_bytes { uint8_t *bytes; uint32_t size, port, *consumed, *produced; };
void xen_bytes_put(const struct xen_bytes *ring, const void *from, size_t size); /* the other end is told only when it has to make room */
void xen_bytes_get(const struct xen_bytes *ring, void *to, size_t room, size_t size); /* the next `size` bytes; those beyond `room` are dropped */
bool xen_bytes_any(const void *ring); /* there is something to read */
void xen_bytes_drain(const struct xen_bytes *ring); /* returns when the other end has everything */

/* The domain's end is one after which the toolstack starts it anew. */
extern bool xen_end_restarts;
/* For arch_power_off(): everything written is out, and the domain is off. */
void xen_power_off(void);
/* By xen-console: returns when the other end has everything. */
void xen_console_drain(void);
#endif
