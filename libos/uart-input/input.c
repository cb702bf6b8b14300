/* Input from the 16550: its part of ring.h. */
#include "arch/arch.h"
#include "uart-16550/uart.h"
#include "uart-input/ring.h"

bool uart_has_byte(void) { return port_in8(UART_LINE_STATUS) & UART_LINE_STATUS_READY; }
uint8_t uart_take_byte(void) { return port_in8(UART); }
void uart_allow_interrupt(bool on) { port_out8(UART_INTERRUPT_ENABLE, on ? UART_INTERRUPT_RECEIVED : 0); }

void uart_start_input(void) {
    if (arch_irq_register(UART_GSI, uart_interrupt, NULL))
        return;
    port_out8(UART_MODEM_CONTROL, UART_MODEM_OUT2 | 3);
    uart_allow_interrupt(true);
}
