/* The 16550's registers (National Semiconductor PC16550D data sheet), and its input half in `uart-input`. */
#ifndef HULL_UART_16550_UART_H
#define HULL_UART_16550_UART_H
#define UART 0x3f8
#define UART_GSI 4
#define UART_INTERRUPT_ENABLE (UART + 1)
#define UART_INTERRUPT_RECEIVED 1
#define UART_FIFO_CONTROL (UART + 2)
#define UART_LINE_CONTROL (UART + 3)
#define UART_MODEM_CONTROL (UART + 4)
#define UART_MODEM_OUT2 8 /* lets the interrupt out of the chip */
#define UART_LINE_STATUS (UART + 5)
#define UART_LINE_STATUS_READY 1
#define UART_LINE_STATUS_EMPTY 0x40 /* FIFO and shift register */
#define UART_FIFO_SIZE 16
#pragma GCC visibility push(hidden)
void uart_start_input(void); /* referred to weakly: not there in an image without input */
#pragma GCC visibility pop
#endif
