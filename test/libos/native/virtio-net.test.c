/*
 * The network card's driver against a simulated device: honest (frames of one buffer and of several, sends, a full queue), without memory, and lying about
 * all that it can write: lengths, numbers of buffers, places, feature values.
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#define HULL_ARCH_ARCH_H
#define HULL_MEMORY_MEMORY_H
#define HULL_LIB_STRING_H
#define PAGE_SIZE 4096ul
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);
int memcmp(const void *, const void *, size_t);
static uint64_t virt_to_phys(const void *p) { return (uintptr_t)p; }
static void *pages_alloc(unsigned count) { return aligned_alloc(4096, count * 4096ul); }
static uint64_t memory = 64 << 20;
static uint64_t memory_total(void) { return memory; }
static unsigned kept; /* what kmalloc gives until it is out of memory */
static void *kmalloc(size_t size) { return kept && kept-- ? malloc(size) : NULL; }
static void *kzalloc(size_t size) { return calloc(1, size); }
static void kfree(void *p) { kept++; free(p); }
#include "../../../libos/virtio/queue.c"
#include "../../../libos/net-device/net_device.c"
#include "../../../libos/virtio-net/virtio_net.c"

uint64_t boot_random64(void) { return 0x0123456789abcdef; }
void deferred_raise(struct deferred *deferred) { deferred->raised = true; }

static uint8_t config[16];
static uint16_t doorbells[2], seen[2];
static unsigned room(struct virtio_device *d, unsigned index) { (void)d; return index < 2 ? 256 : 0; }
static int enable(struct virtio_device *d, struct virtqueue *q) {
    (void)d;
    q->notify_address = &doorbells[q->index];
    q->notify_size = 2;
    return 0;
}
static void config_read(struct virtio_device *d, unsigned offset, void *out, size_t size) { (void)d; memcpy(out, config + offset, size); }
static int interrupt_enable(struct virtio_device *d) { (void)d; return 0; }
static const struct virtio_transport transport = { .queue_room = room, .queue_enable = enable, .config_read = config_read, .interrupt_enable = interrupt_enable };
static struct virtio_device device = { .transport = &transport };
static struct card *card;

/* The stack: looks at each byte of what arrives (the sanitizer watches), remembers sums and tokens. */
static unsigned frames, frame_bytes, parts, checked, rooms, sum;
static bool out[4096], holds;
static struct net_buffer *held;
static void stack_receive(struct net_device *net, struct net_buffer *frame) {
    (void)net;
    frames++;
    if (holds) { /* as a program does that does not read */
        CHECK(!frame->next);
        frame->next = held;
        held = frame;
        return;
    }
    checked += frame->flags & NET_CHECKED;
    while (frame) {
        struct net_buffer *next = frame->next;
        CHECK(frame->data >= frame->room && frame->data + frame->length <= frame->room + NET_BUFFER_ROOM);
        for (uint32_t i = 0; i < frame->length; i++) sum = sum * 31 + frame->data[i];
        frame_bytes += frame->length;
        parts++;
        net_buffer_put(frame);
        frame = next;
    }
}
static void stack_sent(struct net_device *net, void *token) {
    (void)net;
    bool *mine = token;
    CHECK(mine >= out && mine < out + 4096 && *mine);
    *mine = false;
}
static void stack_room(struct net_device *net) { (void)net; rooms++; }
static const struct net_stack_ops stack = { .receive = stack_receive, .sent = stack_sent, .room = stack_room };

static struct virtqueue *queue_of(unsigned which) { return which ? &card->send : &card->receive; }
static bool next_available(unsigned which, uint16_t *head) {
    struct virtqueue *queue = queue_of(which);
    if (seen[which] == queue->available_ring->index) return false;
    *head = queue->available_ring->ring[seen[which]++ % queue->size];
    return true;
}
static void give_back(unsigned which, uint32_t id, uint32_t length) {
    struct virtqueue *queue = queue_of(which);
    queue->used_ring->ring[queue->used_ring->index % queue->size].id = id;
    queue->used_ring->ring[queue->used_ring->index % queue->size].length = length;
    queue->used_ring->index++;
}

static void stop(void) {
    while (net_devices) net_devices = NULL;
    for (unsigned i = 0; i < card->receive.size; i++)
        if (card->receive.slots[i].token) net_buffer_put(card->receive.slots[i].token);
    free(card->receive.descriptors);
    free(card->send.descriptors);
    free(card);
}

static void begin(uint64_t features, unsigned buffers) {
    kept = buffers;
    memset(seen, 0, sizeof seen);
    device.features = choose(features);
    EQUAL(start(&device), 0);
    card = device.driver_data;
    ready(&device);
    CHECK(net_devices == &card->net);
    card->net.stack = &stack;
    EQUAL(card->net.ops->start(&card->net), 0);
    frames = frame_bytes = parts = checked = rooms = sum = 0;
    memset(out, 0, sizeof out);
}

/* A frame from the device, cut over as many buffers as it takes. False: no buffers. */
static bool arrive(const uint8_t *bytes, uint32_t size, uint8_t flags) {
    uint32_t at = 0, buffers = (size + 12 + OFFERED - 1) / OFFERED;
    if ((uint16_t)(card->receive.available_ring->index - seen[0]) < buffers) return false;
    struct header header = { .flags = flags, .buffers = (uint16_t)buffers };
    for (uint32_t i = 0; i < buffers; i++) {
        uint16_t head;
        next_available(0, &head);
        uint8_t *to = (uint8_t *)(uintptr_t)card->receive.descriptors[head].address;
        EQUAL(card->receive.descriptors[head].length, OFFERED);
        uint32_t lead = i ? 0 : 12, piece = size - at < OFFERED - lead ? size - at : OFFERED - lead;
        if (!i) memcpy(to, &header, 12);
        memcpy(to + lead, bytes + at, piece);
        at += piece;
        give_back(0, head, piece + lead);
    }
    return true;
}

#define ALL (VIRTIO_F_EVENT_INDEX | FEATURE_CSUM | FEATURE_GUEST_CSUM | FEATURE_MTU | FEATURE_MAC | FEATURE_GUEST_TSO4 | FEATURE_GUEST_TSO6 | \
             FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6 | FEATURE_MERGED | FEATURE_STATUS)
static uint8_t bytes[LARGEST_FRAME];

static void honest(uint64_t features) {
    memcpy(config, (uint8_t[16]){ 0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0, 0, 0, 0x78, 0x05 }, 16);
    begin(features, 1000);
    EQUAL(memcmp(card->net.mac, config, 6), features & FEATURE_MAC ? 0 : memcmp(card->net.mac, config, 6));
    EQUAL(card->net.mac[0] & 1, 0);
    EQUAL(card->net.mtu, features & FEATURE_MTU ? 1400 : 1500);
    unsigned wanted = 0;
    for (uint32_t size = 14; size <= (features & FEATURE_MERGED ? LARGEST_FRAME : 1514); size = size * 2 + 3) {
        CHECK(arrive(bytes, size, CHECKSUM_VALID));
        interrupt(&device);
        frame_bytes -= size;
        wanted++;
    }
    EQUAL(frames, wanted);
    EQUAL(frame_bytes, 0);
    EQUAL(checked, features & FEATURE_GUEST_CSUM ? wanted : 0);
    EQUAL(card->receive.free_count, 0);
    /* Sends: until the queue is full; then the device takes some, and there is room again. */
    static uint8_t memory_of_frame[16 + 100];
    struct net_fragment fragments[2] = { { memory_of_frame + 16, 60 }, { memory_of_frame + 76, 40 } };
    struct net_frame frame = { .fragments = fragments, .count = 2, .size = 100, .checksum_start = 34, .checksum_offset = 16, .segment_size = 20, .header_size = 54 };
    unsigned sent = 0;
    for (;; sent++) {
        frame.token = &out[sent];
        if (card->net.ops->transmit(&card->net, &frame)) break;
        out[sent] = true;
    }
    EQUAL(sent, SEND_ENTRIES / 2);
    CHECK(card->net.room_wanted);
    CHECK(card->net.again.raised); /* nothing may arrive any more: it asks to be told of room */
    card->net.again.raised = false;
    card->net.ops->flush(&card->net);
    EQUAL(doorbells[1], 1);
    uint16_t head;
    for (unsigned i = 0; i < sent; i++) {
        CHECK(next_available(1, &head));
        struct virtq_descriptor *first = &card->send.descriptors[head];
        struct header *header = (struct header *)(uintptr_t)first->address;
        EQUAL(first->length, 72);
        EQUAL(header->flags, NEEDS_CHECKSUM);
        EQUAL(header->segments, SEGMENTS_TCP4);
        EQUAL(header->segment_size, 20);
        EQUAL(header->checksum_start, 34);
        give_back(1, head, 0);
    }
    interrupt(&device);
    EQUAL(rooms, 1);
    for (unsigned i = 0; i < sent; i++) CHECK(!out[i]);
    EQUAL(card->send.free_count, SEND_ENTRIES);
    /* The queue is full of frames that the device is done with, and nothing arrives. */
    for (unsigned i = 0; i < 4 * SEND_ENTRIES; i++) {
        frame.token = &out[i];
        EQUAL(card->net.ops->transmit(&card->net, &frame), 0);
        out[i] = true;
        if (next_available(1, &head)) give_back(1, head, 0);
    }
    net_device_collect_all();
    for (unsigned i = 0; i < 4 * SEND_ENTRIES; i++) CHECK(!out[i]);
    CHECK(!card->net.again.raised);
    frame.count = 0;
    EQUAL(card->net.ops->transmit(&card->net, &frame), -EINVAL);
    frame.count = NET_FRAME_FRAGMENTS + 1;
    EQUAL(card->net.ops->transmit(&card->net, &frame), -EINVAL);
    stop();
}

/* Without memory for new buffers frames are dropped, not the last buffers; with it all is as before. */
static void poor(void) {
    begin(ALL, 200);
    EQUAL(card->receive.free_count, 56);
    holds = true;
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(arrive(bytes, 1000, 0));
        interrupt(&device);
    }
    holds = false;
    EQUAL(frames + card->net.counts.dropped_in, 1000);
    EQUAL(frames, 200 - 128 - 1); /* half of the queue stays, and the one in hand */
    while (held) {
        struct net_buffer *next = held->next;
        net_buffer_put(held);
        held = next;
    }
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(arrive(bytes, 1000, 0));
        interrupt(&device);
    }
    EQUAL(card->net.counts.dropped_in, 1000 - (200 - 128 - 1));
    stop();
    EQUAL(buffers_out, 0);
}

static void lies(void) {
    for (int round = 0; round < 400; round++) {
        for (unsigned i = 0; i < sizeof config; i++) config[i] = (uint8_t)any(256);
        memory = (uint64_t)(1 + any(200)) << 20;
        begin(any(3) ? ALL & ~(uint64_t)(1u << any(30)) : ALL, 40 + any(400));
        CHECK(card->net.mtu >= MTU_LEAST && card->net.mtu);
        CHECK(!(card->net.mac[0] & 1));
        uint16_t heads[2][256];
        unsigned pending[2] = { 0, 0 };
        static uint8_t memory_of_frame[16 + 64];
        for (int step = 0; step < 400; step++) {
            if (!any(3)) {
                struct net_fragment fragment = { memory_of_frame + 16, 64 };
                unsigned which = any(4096);
                struct net_frame frame = { .fragments = &fragment, .count = 1, .size = 64, .token = &out[which] };
                if (!out[which] && !card->net.ops->transmit(&card->net, &frame)) out[which] = true;
                card->net.ops->flush(&card->net);
            }
            for (unsigned which = 0; which < 2; which++) {
                uint16_t head;
                while (next_available(which, &head)) heads[which][pending[which]++ % 256] = head;
                for (unsigned count = any(6); count && pending[which]; count--) {
                    if (pending[which] > 256) pending[which] = 256;
                    unsigned at = any(pending[which]);
                    head = heads[which][at];
                    heads[which][at] = heads[which][--pending[which]];
                    struct virtqueue *queue = queue_of(which);
                    if (!which && queue->slots[head].token) { /* scribble into the header: flags, numbers of buffers */
                        struct net_buffer *buffer = queue->slots[head].token;
                        struct header header = { (uint8_t)any(256), (uint8_t)any(256), (uint16_t)any(65536), (uint16_t)any(65536), (uint16_t)any(65536),
                                                 (uint16_t)any(65536), (uint16_t)(any(2) ? any(4) : any(65536)) };
                        memcpy(buffer->room + LEAD, &header, 12);
                    }
                    give_back(which, any(20) ? head : any(1000), any(5) ? any(2500) : any(0x7fffffff) * 2);
                }
                if (!any(40)) queue_of(which)->used_ring->index += any(600);
                if (!any(20)) *(volatile uint16_t *)&queue_of(which)->used_ring->ring[queue_of(which)->size] = (uint16_t)any(65536);
            }
            if (!any(30)) kept = any(20);
            interrupt(&device);
        }
        stop();
        EQUAL(buffers_out, 0);
    }
}

int main(void) {
    for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)any(256);
    honest(ALL);
    honest(ALL & ~(VIRTIO_F_EVENT_INDEX | FEATURE_MERGED | FEATURE_MTU));
    honest(0);
    poor();
    lies();
    return report("virtio-net");
}
