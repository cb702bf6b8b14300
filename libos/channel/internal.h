/* Private to channel. */
#ifndef HULL_CHANNEL_INTERNAL_H
#define HULL_CHANNEL_INTERNAL_H
#include <stdarg.h>
#include <stdint.h>
struct channel_transport;
extern const struct channel_transport *channel_transport; /* NULL until one is attached */
/* A line of type HULL_RECORD_LOG or _PANIC, with at most HULL_DEFERRED_ARGUMENTS arguments (log.c). */
void channel_text(uint8_t type, const char *format, va_list arguments);
/* The same as text; defined by the component `format`, where it is in the image. */
void format_send(uint8_t type, const char *format, va_list arguments);
#endif
