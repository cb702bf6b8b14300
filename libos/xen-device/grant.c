/*
 * The grant table (public/grant_table.h, version 1): entries of 8 bytes in frames of Xen's, each put in the place of a page of ours when it is first needed. References are handed out once and never
 * come back: drivers reserve theirs at the start. The first eight are the toolstack's.
 */
#include "arch/arch.h"
#include "memory/memory.h"
#include "xen-device/xen_device.h"
#include "xen/xen.h"

struct grant { uint16_t flags, domain; uint32_t frame; };
enum { PERMIT_ACCESS = 1, READ_ONLY = 4, READING = 8, WRITING = 16 };
enum { FIRST = 8, IN_FRAME = PAGE_SIZE / sizeof(struct grant), FRAMES_MOST = 32 };

static struct grant *frames[FRAMES_MOST];
static uint32_t next = FIRST;

static struct grant *grant_of(uint32_t reference) { return &frames[reference / IN_FRAME][reference % IN_FRAME]; }

uint32_t xen_grant_reserve(void) {
    unsigned frame = next / IN_FRAME;
    if (frame == FRAMES_MOST)
        return 0;
    if (!frames[frame]) {
        struct grant *page = page_alloc();
        if (!page || xen_place_frame(page, XEN_SPACE_GRANT_TABLE, frame))
            return 0; /* the page is Xen's, or was never more than asked for: it is not given back */
        frames[frame] = page;
    }
    return next++;
}

void xen_grant_allow(uint32_t reference, uint16_t domain, const void *data, bool read_only) {
    struct grant *grant = grant_of(reference);
    grant->domain = domain;
    grant->frame = (uint32_t)(virt_to_phys(data) >> PAGE_SHIFT);
    __atomic_store_n(&grant->flags, (uint16_t)(PERMIT_ACCESS | (read_only ? READ_ONLY : 0)), __ATOMIC_RELEASE); /* last: from here on it counts */
}

bool xen_grant_end(uint32_t reference) {
    struct grant *grant = grant_of(reference);
    uint16_t flags = __atomic_load_n(&grant->flags, __ATOMIC_ACQUIRE);
    do {
        if (flags & (READING | WRITING))
            return false;
    } while (!__atomic_compare_exchange_n(&grant->flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
    return true;
}
