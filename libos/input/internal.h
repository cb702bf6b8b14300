/* Private to input: what the stream and the terminal share. */
#ifndef HULL_INPUT_INTERNAL_H
#define HULL_INPUT_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wait/wait.h"
extern struct wait_queue input_queue; /* readers and pollers */
extern bool input_ended;              /* HULL_RECORD_STDIN_EOF came, or stdin was never connected */
long input_stream_read(uint8_t *out, size_t size); /* what is there, without sleeping */
uint32_t input_stream_available(void);
void input_grant(uint32_t room); /* tells the host that `room` more bytes fit than were promised, when that is worth a record */
void terminal_start(void);
void terminal_receive(const uint8_t *bytes, size_t size);
#endif
