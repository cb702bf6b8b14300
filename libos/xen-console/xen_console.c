/*
 * Xen's console (public/io/console.h) as the channel's transport, in a machine that is Xen's; elsewhere it does nothing. Two rings of bytes lie in a page that the toolstack made:
 * who writes one moves `produced` after the bytes, who reads moves `consumed` after them, and both tell the other end by an event channel.
 */
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "memory/memory.h"
#include "xen-console/xen_console.h"
#include "xen/xen.h"

#pragma weak xen_console_start_input

struct xen_console_page *xen_console_page;
uint32_t xen_console_event;
static struct xen_bytes out;
static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void send(const void *head, size_t head_size, const void *body, size_t body_size) {
    xen_bytes_put(&out, head, head_size);
    xen_bytes_put(&out, body, body_size);
    xen_event_send(out.port);
}

void xen_console_drain(void) {
    if (out.bytes)
        xen_bytes_drain(&out);
}

static const struct channel_transport console = {send, xen_console_start_input};

static void xen_console_start(void) {
    uint64_t frame = xen_present() ? xen_parameter(XEN_PARAMETER_CONSOLE_FRAME) : 0;
    if (!frame)
        return;
    xen_console_event = (uint32_t)xen_parameter(XEN_PARAMETER_CONSOLE_EVENT);
    xen_console_page = xen_map_frame(page, frame);
    out = (struct xen_bytes){xen_console_page->out, sizeof xen_console_page->out, xen_console_event, &xen_console_page->out_consumed, &xen_console_page->out_produced};
    channel_attach(&console);
}
HULL_INIT(2, xen_console_start); /* after the 16550, which is not there under Xen */
