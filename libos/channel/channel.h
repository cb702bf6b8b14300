/*
 * The channel: framed records between guest and host (abi/boot_abi.h). Writes are synchronous: when channel_write returns,
 * the VMM has the bytes. One transport serves it: a driver calls channel_attach. Before that, and in a panic, records wait in
 * a small boot buffer or go to the 16550 when that component is in the image.
 */
#ifndef HULL_CHANNEL_CHANNEL_H
#define HULL_CHANNEL_CHANNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel_transport {
    /* Sends the two pieces as one message. Never fails; returns when the device has taken them. */
    void (*send)(const void *head, size_t head_size, const void *body, size_t body_size);
    /* Begins input: from now on the driver feeds channel_receive() (bottom half) with whatever bytes come. NULL when output only. */
    void (*start_input)(void);
};
void channel_attach(const struct channel_transport *transport);
void channel_write(uint8_t type, const void *payload, size_t size); /* splits at HULL_RECORD_MAX */
/* Starts input: the transport's start_input (once), then HULL_RECORD_READY with every feature (HULL_FEATURE_*) named so far.
 * Called from start hooks (order 9) of the components that have handlers: input (HULL_FEATURE_INPUT), signal (HULL_FEATURE_SIGNALS). */
void channel_start_input(uint64_t feature);
/* Called by transports (bottom half). Reassembles records and hands each complete one to its handler; the bytes of HULL_RECORD_STDIN go on as
 * they come, in pieces. Payloads of other types: up to 64 bytes. */
void channel_receive(const void *bytes, size_t size);
/* One handler a type; registered by table so that an image without input contains none of it. */
struct channel_handler { uint8_t type; void (*handle)(const void *payload, size_t size); };
#define HULL_CHANNEL_HANDLER(order, name) HULL_REGISTER(channel, order, struct channel_handler, name)
/* Gives a record to its handlers, also one that came another way than by the channel. Whether there are any. */
bool channel_hand_on(uint8_t type, const void *payload, size_t size);

/* A line of the libOS to the host's log: HULL_RECORD_LOG. printf-like subset. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
