/* Numbers and texts of messages: little-endian, each checked against the room or the bytes that are there. */
#include "9p/internal.h"

static uint8_t *room(struct p9_message *message, uint32_t size) {
    static uint8_t nothing[8];
    if (message->bad || size > message->size - message->at) {
        message->bad = true;
        memset(nothing, 0, sizeof nothing);
        return nothing;
    }
    message->at += size;
    return message->bytes + message->at - size;
}

void p9_put8(struct p9_message *message, uint8_t value) { *room(message, 1) = value; }
void p9_put16(struct p9_message *message, uint16_t value) { memcpy(room(message, 2), &value, 2); }
void p9_put32(struct p9_message *message, uint32_t value) { memcpy(room(message, 4), &value, 4); }
void p9_put64(struct p9_message *message, uint64_t value) { memcpy(room(message, 8), &value, 8); }

void p9_put_text(struct p9_message *message, const char *text, size_t length) {
    p9_put16(message, (uint16_t)length);
    if (length > 0xffff || length > message->size - message->at) message->bad = true;
    if (message->bad) return;
    memcpy(message->bytes + message->at, text, length);
    message->at += (uint32_t)length;
}

uint8_t p9_get8(struct p9_message *message) { return *room(message, 1); }

uint16_t p9_get16(struct p9_message *message) {
    uint16_t value;
    memcpy(&value, room(message, 2), 2);
    return value;
}

uint32_t p9_get32(struct p9_message *message) {
    uint32_t value;
    memcpy(&value, room(message, 4), 4);
    return value;
}

uint64_t p9_get64(struct p9_message *message) {
    uint64_t value;
    memcpy(&value, room(message, 8), 8);
    return value;
}

struct p9_qid p9_get_qid(struct p9_message *message) {
    struct p9_qid qid;
    qid.type = p9_get8(message);
    qid.version = p9_get32(message);
    qid.path = p9_get64(message);
    return qid;
}
