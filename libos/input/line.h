/*
 * A terminal's line discipline as pure logic: bytes from the keyboard in, bytes for the reader, the screen and the signal
 * machinery out. No hardware, no sleeping: built and tested natively. Behaviour: POSIX.1-2017 chapter 11, termios(3).
 */
#ifndef HULL_INPUT_LINE_H
#define HULL_INPUT_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "abi/linux_file.h"

#define LINE_ROOM 4096
/* What ^C and its like raise. */
enum { LINE_SIGINT = 2, LINE_SIGQUIT = 3, LINE_SIGTSTP = 20 };
struct line {
    struct linux_termios termios;
    void (*echo)(struct line *, const char *bytes, size_t size); /* to the screen, already processed */
    void (*signal)(struct line *, int number);
    uint32_t head, edit, tail; /* cells [head, edit) are complete lines, [edit, tail) the line being typed; free-running */
    bool literal;              /* ^V was typed: the next byte is taken as it is */
    uint32_t dropped;          /* bytes that found no room */
    uint16_t cells[LINE_ROOM]; /* a byte, or with LINE_END the last of a line, or LINE_EOF alone */
};
void line_init(struct line *);
void line_receive(struct line *, const uint8_t *bytes, size_t size);
uint32_t line_room(const struct line *); /* bytes that fit */
/* Readable bytes; -1 when an end of file is next. */
long line_available(const struct line *);
/* Up to `size` bytes, in canonical mode at most one line. 0: end of file (consumed) or nothing there: ask line_available first. */
size_t line_read(struct line *, uint8_t *out, size_t size);
void line_flush(struct line *);
/* What read(2) on a terminal does, line_wait.c: sleeps on `queue` as the mode says (lines; VMIN and VTIME) until there is enough or ended(line), then copies to the
 * program. Bytes, 0 at an end, -errno. */
struct file; struct iovec; struct wait_queue;
long line_wait_and_read(struct line *, struct wait_queue *queue, bool (*ended)(const struct line *), const struct file *, const struct iovec *, int count);
bool line_readable(const struct line *); /* a read would not sleep for the first byte */
/* Output processing: `size` bytes in, at most 2 * size out; returns how many. */
size_t line_output(const struct line *, const uint8_t *in, size_t size, uint8_t *out);
#endif
