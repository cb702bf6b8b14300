/*
 * Input from the PL011 (Arm DDI 0183). The top half moves what is there into a ring, which lowers the line; the bottom half gives it to the channel.
 * While the ring is full, the receive interrupt is masked, and the chip's FIFO, then the VMM, hold what comes.
 */
#include "arch/arch.h"
#include "device_tree.h"
#include "channel/channel.h"
#include "lib/string.h"
#include "uart-pl011/uart.h"
#include "wait/wait.h"

#define RING_SIZE 1024u

static uint8_t ring[RING_SIZE];
static volatile uint32_t written, taken; /* counts; the top half owns `written`, the bottom half `taken` */

static void take(struct deferred *deferred) {
    (void)deferred;
    while (taken != written) {
        uint32_t from = taken % RING_SIZE, size = written - taken;
        if (size > RING_SIZE - from) size = RING_SIZE - from;
        channel_receive(ring + from, size);
        taken += size;
    }
    uart_registers[UART_INTERRUPT_MASK] = UART_RECEIVED | UART_RECEIVED_LATE; /* may have been off; a waiting byte interrupts again */
}
static struct deferred received = {.run = take};

static void interrupt(void *unused) {
    (void)unused;
    while (!(uart_registers[UART_FLAGS] & UART_FLAGS_EMPTY)) {
        if (written - taken == RING_SIZE) {
            uart_registers[UART_INTERRUPT_MASK] = 0;
            break;
        }
        ring[written % RING_SIZE] = (uint8_t)uart_registers[UART_DATA];
        written++;
    }
    deferred_raise(&received);
}

/* Its line: "interrupts" of the node whose first register is there. */
static bool find_line(unsigned *out) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    const uint32_t *line = NULL;
    bool is_it = false;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.node != node) {
            node = p.node;
            line = NULL;
            is_it = false;
        }
        if (!strcmp(p.name, "reg") && p.size == 16) is_it = phys_to_virt(devicetree_number(p.value, 2)) == (void *)uart_registers;
        if (!strcmp(p.name, "interrupts") && p.size == 12) line = p.value;
        if (!is_it || !line) continue;
        *out = devicetree_interrupt(line);
        return true;
    }
    return false;
}

void uart_start_input(void) {
    unsigned line;
    if (!find_line(&line) || arch_irq_register(line, interrupt, NULL)) return;
    uart_registers[UART_CONTROL] = UART_CONTROL_TRANSMIT | UART_CONTROL_RECEIVE;
    uart_registers[UART_INTERRUPT_MASK] = UART_RECEIVED | UART_RECEIVED_LATE;
}
