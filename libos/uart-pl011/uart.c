/* The PL011 (Arm DDI 0183) as the channel's transport. Where it is, arch_boot found in the device tree. */
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "uart-pl011/uart.h"

#pragma weak uart_start_input

#pragma GCC visibility push(hidden)
extern uint64_t arch_uart_phys;
#pragma GCC visibility pop

volatile uint32_t *uart_registers;

static void send_bytes(const char *bytes, size_t size) {
    while (size--) {
        while (uart_registers[UART_FLAGS] & UART_FLAGS_FULL)
            arch_pause();
        uart_registers[UART_DATA] = (uint8_t)*bytes++;
    }
}

static void uart_send(const void *head, size_t head_size, const void *body, size_t body_size) {
    send_bytes(head, head_size);
    send_bytes(body, body_size);
}

static const struct channel_transport uart = {uart_send, uart_start_input};

static void uart_start(void) {
    if (!arch_uart_phys)
        return;
    uart_registers = phys_to_virt(arch_uart_phys);
    uart_registers[UART_LINE_CONTROL] = UART_LINE_8_BITS_FIFO;
    uart_registers[UART_CONTROL] = UART_CONTROL_TRANSMIT;
    channel_attach(&uart);
}
HULL_INIT(1, uart_start);
