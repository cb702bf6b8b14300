/*
 * The first 16550 (National Semiconductor PC16550D data sheet) as the channel's transport. Output in bursts of the FIFO's 16 bytes.
 */
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "uart-16550/uart.h"

#pragma weak uart_start_input

static void send_bytes(const char *bytes, size_t size) {
    while (size) {
        size_t burst = size < UART_FIFO_SIZE ? size : UART_FIFO_SIZE;
        size -= burst;
        bytes = port_out8_many(UART, bytes, burst);
        /* Also after the last burst: a machine that ends takes what is still in the chip with it. */
        while (!(port_in8(UART_LINE_STATUS) & UART_LINE_STATUS_EMPTY))
            ;
    }
}

static void uart_send(const void *head, size_t head_size, const void *body, size_t body_size) {
    send_bytes(head, head_size);
    send_bytes(body, body_size);
}

static const struct channel_transport uart = {uart_send, uart_start_input};

static void uart_start(void) {
    port_out8(UART_LINE_CONTROL, 3); /* 8 bits, no parity */
    port_out8(UART_FIFO_CONTROL, 7); /* FIFOs on and empty */
    channel_attach(&uart);
}
HULL_INIT(1, uart_start);
