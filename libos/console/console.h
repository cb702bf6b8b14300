/*
 * Descriptors 0, 1 and 2: the program's standard streams over the channel. Owns their three static files.
 * The way out is here; the way in (stdin, the terminal's line discipline) is the component `input`, met by weak references,
 * so that an image which only writes has nothing of it.
 */
#ifndef HULL_CONSOLE_CONSOLE_H
#define HULL_CONSOLE_CONSOLE_H
#include <stdbool.h>
#include <stddef.h>
#include "file/file.h"

extern struct file console_files[3];
bool console_is_terminal(void); /* HULL_FLAG_TTY: 0..2 are one terminal */

/* Program memory out as records of the stream `descriptor` (1 or 2): bytes taken, or -EFAULT when not even the first page is there. */
long console_send(unsigned descriptor, const void *program, size_t size);

/* Defined by the component `input`, where it is in the image. */
long terminal_read(struct file *, const struct iovec *, int count, int64_t position) __attribute__((weak));
long terminal_write(unsigned descriptor, const void *program, size_t size) __attribute__((weak));
long terminal_ioctl(unsigned long request, unsigned long argument) __attribute__((weak));
unsigned terminal_poll(struct file *, struct poll_wait *wait) __attribute__((weak));
int terminal_stat(struct file *, struct linux_stat *out) __attribute__((weak));
/* A file of its own on the same streams: what opening /dev/tty, /dev/console or /dev/stdout gives. */
extern const struct file_ops console_ops;
#endif
