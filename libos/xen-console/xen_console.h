/* The page of Xen's console (public/io/console.h, struct xencons_interface), and its input half in `xen-input`. */
#ifndef HULL_XEN_CONSOLE_XEN_CONSOLE_H
#define HULL_XEN_CONSOLE_XEN_CONSOLE_H
#include <stdint.h>
struct xen_console_page {
    uint8_t in[1024], out[2048];
    uint32_t in_consumed, in_produced, out_consumed, out_produced;
};
#pragma GCC visibility push(hidden)
extern struct xen_console_page *xen_console_page; /* NULL: none */
extern uint32_t xen_console_event;
void xen_console_start_input(void); /* referred to weakly: not there in an image without input */
#pragma GCC visibility pop
#endif
