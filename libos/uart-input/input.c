/*
 * Input from the 16550. The top half moves what is there into a ring, which lowers the line; the bottom half gives it to the channel.
 * While the ring is full, the receive interrupt is off, and the chip's FIFO, then the VMM, hold what comes.
 */
#include "arch/arch.h"
#include "channel/channel.h"
#include "uart-16550/uart.h"
#include "wait/wait.h"

#define RING_SIZE 1024u

static uint8_t ring[RING_SIZE];
static volatile uint32_t written, taken; /* counts; the top half owns `written`, the bottom half `taken` */

static void take(struct deferred *deferred) {
    (void)deferred;
    while (taken != written) {
        uint32_t from = taken % RING_SIZE, size = written - taken;
        if (size > RING_SIZE - from)
            size = RING_SIZE - from;
        channel_receive(ring + from, size);
        taken += size;
    }
    port_out8(UART_INTERRUPT_ENABLE, UART_INTERRUPT_RECEIVED); /* may have been off; a waiting byte interrupts again */
}
static struct deferred received = {.run = take};

static void interrupt(void *arg) {
    (void)arg;
    while (port_in8(UART_LINE_STATUS) & UART_LINE_STATUS_READY) {
        if (written - taken == RING_SIZE) {
            port_out8(UART_INTERRUPT_ENABLE, 0);
            break;
        }
        ring[written % RING_SIZE] = port_in8(UART);
        written++;
    }
    deferred_raise(&received);
}

void uart_start_input(void) {
    if (arch_irq_register(UART_GSI, interrupt, NULL))
        return;
    port_out8(UART_MODEM_CONTROL, UART_MODEM_OUT2 | 3);
    port_out8(UART_INTERRUPT_ENABLE, UART_INTERRUPT_RECEIVED);
}
