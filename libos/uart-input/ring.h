/*
 * Input from a serial port, whatever chip it is. The top half moves what is there into a ring, which lowers the line; the bottom half gives it to the channel.
 * While the ring is full, the receive interrupt is off, and the chip's FIFO, then the VMM, hold what comes. One port. Part of each chip's input component.
 */
#ifndef HULL_UART_INPUT_RING_H
#define HULL_UART_INPUT_RING_H
#include <stdbool.h>
#include <stdint.h>
#pragma GCC visibility push(hidden)
/* The port's interrupt handler. */
void uart_interrupt(void *unused);

/* By the chip. */
bool uart_has_byte(void);
uint8_t uart_take_byte(void); /* the next that it has */
void uart_allow_interrupt(bool on);
#pragma GCC visibility pop
#endif
