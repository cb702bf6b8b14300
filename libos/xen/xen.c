/* xen.h: what is the same on each ISA. */
#include "arch/arch.h"
#include "init/init.h"
#include "memory/memory.h"
#include "xen/xen.h"

enum { HVMOP_SET_PARAM = 0, HVMOP_GET_PARAM = 1 };
#define XENMEM_ADD_TO_PHYSMAP 7
enum { SCHEDOP_SHUTDOWN = 2, SCHEDOP_POLL = 3 };
enum { SHUTDOWN_POWER_OFF = 0, SHUTDOWN_REBOOT = 1 };
#define EVTCHNOP_SEND 4

#pragma weak xen_console_drain
#pragma weak xen_event_taken

bool xen_end_restarts;

struct parameter { uint16_t domain, pad; uint32_t index; uint64_t value; };

uint64_t xen_parameter(uint32_t index) {
    struct parameter parameter = {XEN_SELF, 0, index, 0};
    return xen_hypercall(XEN_HVM_OP, HVMOP_GET_PARAM, &parameter, 0) ? 0 : parameter.value;
}

int xen_set_parameter(uint32_t index, uint64_t value) {
    const struct parameter parameter = {XEN_SELF, 0, index, value};
    return (int)xen_hypercall(XEN_HVM_OP, HVMOP_SET_PARAM, &parameter, 0);
}

int xen_place_frame(void *page, unsigned space, uint64_t index) {
    const struct { uint16_t domain, size; uint32_t space; uint64_t index, frame; } place = {XEN_SELF, 0, space, index, virt_to_phys(page) >> PAGE_SHIFT};
    return (int)xen_hypercall(XEN_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &place, 0);
}

struct xen_shared_info *xen_shared_info(void) {
    static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    static bool placed;
    struct xen_shared_info *info = (void *)page;
    if (!placed) {
        int error = xen_place_frame(page, XEN_SPACE_SHARED_INFO, 0);
        if (error)
            panic("xen: the shared info page at a place of ours, error %d", error);
        for (unsigned i = 0; i < XEN_EVENT_WORDS; i++)
            info->mask[i] = ~0ul;
        placed = true;
    }
    return info;
}

void xen_event_wait(uint32_t port, bool (*is_ready)(const void *), const void *argument) {
    uint64_t *word = &xen_shared_info()->pending[port / 64];
    const struct { const uint32_t *ports; uint32_t count; uint64_t timeout; } poll = {&port, 1, 0};
    unsigned long flags = arch_irq_save(); /* nobody else takes the event */
    while (__atomic_fetch_and(word, ~(1ull << port % 64), __ATOMIC_SEQ_CST), !is_ready(argument))
        xen_hypercall(XEN_SCHED_OP, SCHEDOP_POLL, &poll, 0);
    if (xen_event_taken)
        xen_event_taken(port);
    arch_irq_restore(flags);
}

void xen_event_send(uint32_t port) { xen_hypercall(XEN_EVENT_CHANNEL_OP, EVTCHNOP_SEND, &port, 0); }

void xen_power_off(void) {
    if (!xen_present())
        return;
    if (xen_console_drain)
        xen_console_drain();
    const uint32_t reason = xen_end_restarts ? SHUTDOWN_REBOOT : SHUTDOWN_POWER_OFF;
    xen_hypercall(XEN_SCHED_OP, SCHEDOP_SHUTDOWN, &reason, 0);
}
