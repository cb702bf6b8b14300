/*
 * xen_event.h, by the two-level bit arrays of the shared info page (public/xen.h, struct shared_info; public/event_channel.h). Events come as an interrupt
 * of the local APIC (HVMOP_set_evtchn_upcall_vector); the older callback parameter is set, too, because the toolstack looks there for whether the domain has drivers of its own.
 */
#include "channel/channel.h"
#include "syscall/errno.h"
#include "xen-event/xen_event.h"
#include "xen/xen.h"

enum { EVTCHNOP_ALLOC_UNBOUND = 6, EVTCHNOP_UNMASK = 9 };
enum { HVMOP_SET_EVTCHN_UPCALL_VECTOR = 23 };
#define CALLBACK_BY_VECTOR (2ull << 56)
#define PORTS_MOST 16

static struct xen_shared_info *info; /* NULL: no interrupts yet */
static struct { uint32_t port; irq_handler handler; void *arg; } listeners[PORTS_MOST];
static unsigned listener_count;

static void upcall(void *arg) {
    (void)arg;
    __atomic_store_n(&info->cpu[0].pending, 0, __ATOMIC_SEQ_CST);
    uint64_t words = __atomic_exchange_n(&info->cpu[0].words, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < listener_count; i++) {
        unsigned word = listeners[i].port / 64;
        uint64_t bit = 1ull << listeners[i].port % 64;
        if (words >> word & 1 && __atomic_fetch_and(&info->pending[word], ~bit, __ATOMIC_SEQ_CST) & bit)
            listeners[i].handler(listeners[i].arg);
    }
}

void xen_event_taken(uint32_t port) {
    for (unsigned i = 0; i < listener_count; i++)
        if (listeners[i].port == port)
            listeners[i].handler(listeners[i].arg);
}

static int start(void) {
    uint64_t address;
    uint32_t vector;
    int error = arch_irq_register_message(upcall, NULL, &address, &vector);
    if (error)
        return error;
    const struct { uint32_t cpu; uint8_t vector, pad[3]; } way = {0, (uint8_t)vector, {0}};
    error = (int)xen_hypercall(XEN_HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR, &way, 0);
    if (!error)
        error = xen_set_parameter(XEN_PARAMETER_CALLBACK, CALLBACK_BY_VECTOR | vector);
    if (!error)
        info = xen_shared_info();
    return error;
}

int xen_event_listen(uint32_t port, irq_handler handler, void *arg) {
    int error = info ? 0 : start();
    if (!error && listener_count == PORTS_MOST)
        error = -ENOSPC;
    if (error) {
        log_line("xen-event: no interrupt for port %u: %d", (unsigned)port, error);
        return error;
    }
    unsigned long flags = arch_irq_save();
    listeners[listener_count].port = port;
    listeners[listener_count].handler = handler;
    listeners[listener_count++].arg = arg;
    arch_irq_restore(flags);
    return (int)xen_hypercall(XEN_EVENT_CHANNEL_OP, EVTCHNOP_UNMASK, &port, 0);
}

int xen_event_allocate(uint16_t remote, uint32_t *port) {
    struct { uint16_t self, remote; uint32_t port; } channel = {XEN_SELF, remote, 0};
    int error = (int)xen_hypercall(XEN_EVENT_CHANNEL_OP, EVTCHNOP_ALLOC_UNBOUND, &channel, 0);
    *port = channel.port;
    return error;
}
