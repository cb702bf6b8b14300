/*
 * Event channels: Xen's interrupts between domains. Owns the shared info page and who listens to which port.
 * Context: calls and start hooks; handlers run as interrupt handlers do (arch/arch.h).
 */
#ifndef HULL_XEN_EVENT_XEN_EVENT_H
#define HULL_XEN_EVENT_XEN_EVENT_H
#include <stdint.h>
#include "arch/arch.h"
/* From now on the handler is called for each event of the port; one that came before counts. 0, -ENOSPC, or Xen's error. */
int xen_event_listen(uint32_t port, irq_handler handler, void *arg);
/* A new port that the domain `remote` may bind to. 0 or Xen's error. */
int xen_event_allocate(uint16_t remote, uint32_t *port);
#endif
