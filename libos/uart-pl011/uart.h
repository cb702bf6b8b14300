/* The PL011's registers (Arm DDI 0183, 3.2), by 32-bit word, and its input half in `pl011-input`. */
#ifndef HULL_UART_PL011_UART_H
#define HULL_UART_PL011_UART_H
#include <stdint.h>

enum { UART_DATA = 0, UART_FLAGS = 0x18 / 4, UART_LINE_CONTROL = 0x2c / 4, UART_CONTROL = 0x30 / 4, UART_INTERRUPT_MASK = 0x38 / 4 };
#define UART_FLAGS_EMPTY 0x10 /* nothing received */
#define UART_FLAGS_FULL 0x20  /* no room to send */
#define UART_LINE_8_BITS_FIFO 0x70
#define UART_CONTROL_TRANSMIT 0x101 /* the UART, its transmitter */
#define UART_CONTROL_RECEIVE 0x200
#define UART_RECEIVED 0x10      /* enough in the FIFO */
#define UART_RECEIVED_LATE 0x40 /* or something for a while */

#pragma GCC visibility push(hidden)
extern volatile uint32_t *uart_registers;
void uart_start_input(void); /* referred to weakly: not there in an image without input */
#pragma GCC visibility pop
#endif
