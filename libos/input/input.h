/*
 * The console's input side: stdin over the channel with credits, and with HULL_FLAG_TTY the terminal. In an image that can read,
 * poll or select. Channel handlers run as bottom halves; readers sleep on one wait queue.
 */
#ifndef HULL_INPUT_INPUT_H
#define HULL_INPUT_INPUT_H
#include <stdint.h>
/* What HULL_NEEDS names to bring this component into an image. Also the most bytes of stdin in flight: a transport with little
 * buffering of its own lowers it, one with flow control raises it, before the start hooks of order 9. */
extern uint32_t input_component;
uint32_t input_promised(void); /* credit that the host has and has not used */
#endif
