/* Input from Xen's console. It stays in the ring, and with its writer when that is full, until the bottom half gives it to the channel. */
#include "arch/arch.h"
#include "channel/channel.h"
#include "wait/wait.h"
#include "xen-console/xen_console.h"
#include "xen-event/xen_event.h"
#include "xen/xen.h"

static void take(struct deferred *deferred) {
    (void)deferred;
    struct xen_console_page *console = xen_console_page;
    uint32_t consumed = console->in_consumed, produced;
    while ((produced = __atomic_load_n(&console->in_produced, __ATOMIC_ACQUIRE)) != consumed) {
        uint32_t from = consumed % sizeof console->in, size = produced - consumed;
        if (size > sizeof console->in - from)
            size = sizeof console->in - from;
        channel_receive(console->in + from, size);
        consumed += size;
        __atomic_store_n(&console->in_consumed, consumed, __ATOMIC_RELEASE);
        xen_event_send(xen_console_event);
    }
}
static struct deferred received = {.run = take};

static void interrupt(void *arg) {
    (void)arg;
    deferred_raise(&received);
}

void xen_console_start_input(void) {
    if (!xen_event_listen(xen_console_event, interrupt, NULL))
        deferred_raise(&received); /* what came before anybody listened */
}
