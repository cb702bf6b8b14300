/*
 * A small formatter for log lines: %s %c %d %i %u %x %p %%, with l, ll and z, a width and 0 padding. Nothing else.
 * Any context; allocates nothing.
 */
#ifndef HULL_LIB_FORMAT_H
#define HULL_LIB_FORMAT_H
#include <stdarg.h>
#include <stddef.h>
/* Writes at most room - 1 characters and a NUL; returns how many characters were written. room > 0. */
size_t format_list(char *to, size_t room, const char *format, va_list arguments);
size_t format_text(char *to, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
