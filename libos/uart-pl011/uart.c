/* The PL011 (Arm DDI 0183) as the channel's transport. Where it is, arch_boot found in the device tree. */
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"

enum { DATA = 0, FLAGS = 0x18 / 4, LINE_CONTROL = 0x2c / 4, CONTROL = 0x30 / 4 };
#define FLAGS_FULL 0x20
#define LINE_8_BITS_FIFO 0x70
#define CONTROL_TRANSMIT 0x101 /* the UART, its transmitter */

#pragma GCC visibility push(hidden)
extern uint64_t arch_uart_phys;
#pragma GCC visibility pop

static volatile uint32_t *registers;

static void send_bytes(const char *bytes, size_t size) {
    while (size--) {
        while (registers[FLAGS] & FLAGS_FULL)
            arch_pause();
        registers[DATA] = (uint8_t)*bytes++;
    }
}

static void uart_send(const void *head, size_t head_size, const void *body, size_t body_size) {
    send_bytes(head, head_size);
    send_bytes(body, body_size);
}

static const struct channel_transport uart = {uart_send, NULL};

static void uart_start(void) {
    if (!arch_uart_phys)
        return;
    registers = phys_to_virt(arch_uart_phys);
    registers[LINE_CONTROL] = LINE_8_BITS_FIFO;
    registers[CONTROL] = CONTROL_TRANSMIT;
    channel_attach(&uart);
}
HULL_INIT(1, uart_start);
