/*
 * channel.h, the input half. Owns the reassembly of records from the host: a 16-byte header, then the payload. In images that read the
 * channel only. Bytes that are no record (a wrong magic number) are skipped one by one until one begins.
 */
#include "channel/channel.h"
#include "channel/internal.h"
#include "abi/boot_abi.h"
#include "init/init.h"
#include "lib/string.h"

#define PAYLOAD_MOST 64 /* of records that are kept until they are whole: all but stdin's */

static struct hull_record head;
static uint32_t head_size, payload_size; /* so far */
static uint8_t payload[PAYLOAD_MOST];

bool channel_hand_on(uint8_t type, const void *payload_bytes, size_t size) {
    extern const struct channel_handler __hull_channel_start[], __hull_channel_end[];
    bool any = false;
    for (const struct channel_handler *handler = __hull_channel_start; handler < __hull_channel_end; handler++)
        if (handler->type == type) {
            handler->handle(payload_bytes, size);
            any = true;
        }
    return any;
}

static void hand_on(const void *bytes, size_t size) { channel_hand_on(head.type, bytes, size); }

void channel_receive(const void *from, size_t size) {
    const uint8_t *bytes = from;
    if (!(boot_flags() & HULL_FLAG_FRAMED)) { /* booted by hand: whatever comes is typed */
        head.type = HULL_RECORD_STDIN;
        hand_on(from, size);
        return;
    }
    while (size) {
        if (head_size < sizeof head) {
            if (head_size || *bytes == HULL_RECORD_MAGIC) ((uint8_t *)&head)[head_size++] = *bytes;
            bytes++;
            size--;
            payload_size = 0;
        } else {
            size_t piece = head.length - payload_size < size ? head.length - payload_size : size;
            if (head.type == HULL_RECORD_STDIN)
                hand_on(bytes, piece); /* a stream: no need to wait for the rest */
            else if (payload_size < PAYLOAD_MOST)
                memcpy(payload + payload_size, bytes, piece < PAYLOAD_MOST - payload_size ? piece : PAYLOAD_MOST - payload_size);
            payload_size += (uint32_t)piece;
            bytes += piece;
            size -= piece;
        }
        if (head_size == sizeof head && payload_size == head.length) {
            head_size = 0;
            if (head.type != HULL_RECORD_STDIN) hand_on(payload, payload_size < PAYLOAD_MOST ? payload_size : PAYLOAD_MOST);
        }
    }
}

void channel_start_input(uint64_t feature) {
    static uint64_t features;
    if (!features && channel_transport && channel_transport->start_input) channel_transport->start_input();
    features |= feature;
    channel_write(HULL_RECORD_READY, &features, sizeof features);
}
