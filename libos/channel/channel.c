/*
 * channel.h, the output half. With HULL_FLAG_FRAMED each write is a record; without it (a machine booted by hand) the bytes
 * of stdout and stderr and the text of log lines go out as they are. Before a transport is attached, output is lost.
 */
#include "channel/channel.h"
#include "channel/internal.h"
#include "abi/boot_abi.h"
#include "init/init.h"

#pragma GCC visibility push(hidden)
uint64_t clock_realtime_ns(void) __attribute__((weak));
#pragma GCC visibility pop

const struct channel_transport *channel_transport;

void channel_attach(const struct channel_transport *t) { channel_transport = t; }

void channel_write(uint8_t type, const void *payload, size_t size) {
    if (!channel_transport)
        return;
    if (!(boot_flags() & HULL_FLAG_FRAMED)) {
        if (type == HULL_RECORD_STDOUT || type == HULL_RECORD_STDERR)
            channel_transport->send(NULL, 0, payload, size);
        else if (type == HULL_RECORD_LOG || type == HULL_RECORD_PANIC)
            channel_transport->send(payload, size, "\n", 1);
        return;
    }
    do {
        size_t piece = size < HULL_RECORD_MAX ? size : HULL_RECORD_MAX;
        struct hull_record head = {HULL_RECORD_MAGIC, type, (uint16_t)piece, 0, clock_realtime_ns ? clock_realtime_ns() : 0};
        channel_transport->send(&head, sizeof(head), payload, piece);
        payload = (const char *)payload + piece;
        size -= piece;
    } while (size);
}
