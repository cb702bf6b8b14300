/* Rings of bytes (xen.h): Xen's console and its store have two each, one a direction. */
#include "xen/xen.h"

static uint32_t waiting(const struct xen_bytes *ring) { return *ring->produced - __atomic_load_n(ring->consumed, __ATOMIC_ACQUIRE); }
static bool has_room(const void *argument) {
    const struct xen_bytes *ring = argument;
    return waiting(ring) < ring->size;
}
static bool is_empty(const void *ring) { return !waiting(ring); }

bool xen_bytes_any(const void *argument) {
    const struct xen_bytes *ring = argument;
    return __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE) != *ring->consumed;
}

void xen_bytes_put(const struct xen_bytes *ring, const void *from, size_t size) {
    const uint8_t *bytes = from;
    uint32_t produced = *ring->produced;
    while (size) {
        if (!has_room(ring)) {
            xen_event_send(ring->port);
            xen_event_wait(ring->port, has_room, ring);
        }
        ring->bytes[produced++ % ring->size] = *bytes++;
        size--;
        __atomic_store_n(ring->produced, produced, __ATOMIC_RELEASE);
    }
}

void xen_bytes_get(const struct xen_bytes *ring, void *to, size_t room, size_t size) {
    uint8_t *bytes = to;
    uint32_t consumed = *ring->consumed;
    for (size_t done = 0; done < size; done++) {
        if (!xen_bytes_any(ring)) {
            xen_event_send(ring->port);
            xen_event_wait(ring->port, xen_bytes_any, ring);
        }
        uint8_t byte = ring->bytes[consumed++ % ring->size];
        if (done < room)
            bytes[done] = byte;
        __atomic_store_n(ring->consumed, consumed, __ATOMIC_RELEASE);
    }
}

void xen_bytes_drain(const struct xen_bytes *ring) { xen_event_wait(ring->port, is_empty, ring); }
