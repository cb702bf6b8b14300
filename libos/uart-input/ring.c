/* Input from a serial port: ring.h. */
#include "uart-input/ring.h"
#include "channel/channel.h"
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
    uart_allow_interrupt(true); /* may have been off; a waiting byte interrupts again */
}
static struct deferred received = {.run = take};

void uart_interrupt(void *unused) {
    (void)unused;
    while (uart_has_byte()) {
        if (written - taken == RING_SIZE) {
            uart_allow_interrupt(false);
            break;
        }
        ring[written % RING_SIZE] = uart_take_byte();
        written++;
    }
    deferred_raise(&received);
}
