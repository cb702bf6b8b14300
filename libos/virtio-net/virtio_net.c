/*
 * Network cards (VIRTIO 1.2, section 5.1). Owns their two queues and the buffers that the device may write into; frames go to and come from net-device.
 *
 * Nothing is copied: the device writes into the buffers that the stack reads, and reads the stack's own. It is told of frames once a batch, interrupts for
 * arrivals only while nobody is looking, and for sends only when the queue was full: what was sent is collected when somebody looks for arrivals, when
 * the queue is full, and when the stack asks.
 * Trust: what the device writes is checked here (lengths, the number of a frame's buffers); what makes no sense is dropped and counted.
 */
#include "lib/string.h"
#include "memory/memory.h"
#include "net-device/net_device.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

/* Section 5.1.3. */
#define FEATURE_CSUM (1ull << 0)
#define FEATURE_GUEST_CSUM (1ull << 1)
#define FEATURE_MTU (1ull << 3)
#define FEATURE_MAC (1ull << 5)
#define FEATURE_GUEST_TSO4 (1ull << 7)
#define FEATURE_GUEST_TSO6 (1ull << 8)
#define FEATURE_HOST_TSO4 (1ull << 11)
#define FEATURE_HOST_TSO6 (1ull << 12)
#define FEATURE_MERGED (1ull << 15) /* MRG_RXBUF: a frame may take several buffers */
#define FEATURE_STATUS (1ull << 16)
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10, STATUS_LINK_UP = 1 }; /* section 5.1.4 */
enum { RECEIVE_QUEUE = 0, SEND_QUEUE = 1 };

/* Section 5.1.6. */
struct header { uint8_t flags, segments; uint16_t header_size, segment_size, checksum_start, checksum_offset, buffers; };
enum { NEEDS_CHECKSUM = 1, CHECKSUM_VALID = 2, SEGMENTS_TCP4 = 1, SEGMENTS_TCP6 = 4 };

#define LEAD 2                                   /* the IP header begins at a multiple of 4 */
#define OFFERED (NET_BUFFER_ROOM - LEAD)
enum { ETHERNET_HEADER = 14, BUFFERS_LEAST = 16, BUFFERS_MOST = 256, BUFFERS_FOR_SEGMENTS = 128, SEND_ENTRIES = 256, MTU_LEAST = 68, MTU_USUAL = 1500 };
#define LARGEST_FRAME 65550u                     /* section 5.1.6.3.1 */
_Static_assert(sizeof(struct header) == 12 && sizeof(struct header) <= NET_FRAME_HEADROOM, "virtio-net header");
_Static_assert(OFFERED >= sizeof(struct header) + ETHERNET_HEADER + 4 + MTU_USUAL, "a frame in one buffer");

struct card {
    struct net_device net;
    struct virtio_device *device;
    struct virtqueue receive, send;
};
static unsigned buffers_wanted(void) {
    uint64_t count = memory_total() >> 17; /* one sixty-fourth of the memory */
    unsigned size = BUFFERS_LEAST;
    while (size < count && size < BUFFERS_MOST) size *= 2;
    return size;
}

static bool offer(struct card *card, struct net_buffer *buffer) {
    struct virtio_buffer space = { buffer->room + LEAD, OFFERED };
    return virtqueue_add(&card->receive, &space, 0, 1, buffer) == 0;
}

/* As many buffers as there is place and memory for. */
static void fill(struct card *card) {
    while (card->receive.free_count) {
        struct net_buffer *buffer = net_buffer_take();
        if (!buffer) return;
        if (!offer(card, buffer)) return net_buffer_put(buffer);
    }
}

/* The next used buffer, its data set to what the device wrote. */
static struct net_buffer *take(struct card *card) {
    uint32_t written;
    struct net_buffer *buffer = virtqueue_take(&card->receive, &written);
    if (!buffer) return NULL;
    buffer->data = buffer->room + LEAD;
    buffer->length = written;
    buffer->flags = 0;
    buffer->next = NULL;
    return buffer;
}

static void drop(struct card *card, struct net_buffer *first) {
    while (first) {
        struct net_buffer *next = first->next;
        if (!offer(card, first)) net_buffer_put(first);
        first = next;
    }
}

/* The rest of a frame that says it has `buffers`, behind `first`: false when they are not there, or are not one frame. */
static bool gather(struct card *card, struct net_buffer *first, unsigned buffers) {
    uint32_t total = first->length;
    for (struct net_buffer *last = first; --buffers; last = last->next) {
        if (!(last->next = take(card))) return false;
        total += last->next->length;
        if (!last->next->length || total > LARGEST_FRAME + sizeof(struct header)) return false;
    }
    return true;
}

/* A new buffer for each of the frame's, or false: then the frame's own go back to the device, and it is lost. */
static bool replace(struct card *card, const struct net_buffer *first) {
    for (; first; first = first->next) {
        struct net_buffer *fresh = net_buffer_take();
        if (!fresh) return card->receive.free_count < card->receive.size / 2; /* there are others out */
        if (!offer(card, fresh)) net_buffer_put(fresh);
    }
    return true;
}

static unsigned receive(struct card *card, unsigned budget) {
    unsigned frames = 0;
    struct net_buffer *first;
    while (frames < budget && (first = take(card))) {
        frames++;
        struct header header;
        memcpy(&header, first->data, sizeof header);
        unsigned buffers = card->device->features & FEATURE_MERGED ? header.buffers : 1;
        if (first->length < sizeof header + ETHERNET_HEADER || !buffers || !gather(card, first, buffers)) {
            card->net.counts.errors_in++;
            drop(card, first);
            continue;
        }
        if (!replace(card, first)) {
            card->net.counts.dropped_in++;
            drop(card, first);
            continue;
        }
        first->data += sizeof header;
        first->length -= (uint32_t)sizeof header;
        if (header.flags & (NEEDS_CHECKSUM | CHECKSUM_VALID) && card->device->features & FEATURE_GUEST_CSUM) first->flags = NET_CHECKED;
        net_device_receive(&card->net, first);
    }
    if (frames) {
        fill(card);
        virtqueue_notify(&card->receive);
    }
    return frames;
}

static void collect(struct net_device *net) {
    void *token;
    while ((token = virtqueue_take(&((struct card *)net->driver)->send, NULL))) net->stack->sent(net, token);
}

static unsigned poll(struct net_device *net, unsigned budget) {
    struct card *card = net->driver;
    collect(net);
    if (net->room_wanted && card->send.free_count) {
        net->room_wanted = false;
        net->stack->room(net);
    }
    return receive(card, budget);
}

static int transmit(struct net_device *net, const struct net_frame *frame) {
    struct card *card = net->driver;
    struct virtio_buffer buffers[NET_FRAME_FRAGMENTS];
    if (!frame->count || frame->count > NET_FRAME_FRAGMENTS || frame->count > card->send.size) return -EINVAL;
    if (frame->count > card->send.free_count) collect(net);
    if (frame->count > card->send.free_count) {
        net_device_want_room(net);
        return -ENOSPC;
    }
    struct header header = { 0 };
    if (frame->checksum_start) {
        header.flags = NEEDS_CHECKSUM;
        header.checksum_start = frame->checksum_start;
        header.checksum_offset = frame->checksum_offset;
    }
    if (frame->segment_size) {
        header.segments = frame->ipv6 ? SEGMENTS_TCP6 : SEGMENTS_TCP4;
        header.header_size = frame->header_size;
        header.segment_size = frame->segment_size;
    }
    for (unsigned i = 0; i < frame->count; i++) buffers[i] = (struct virtio_buffer){ frame->fragments[i].data, frame->fragments[i].size };
    buffers[0].data = memcpy((uint8_t *)buffers[0].data - sizeof header, &header, sizeof header);
    buffers[0].size += (uint32_t)sizeof header;
    return virtqueue_add(&card->send, buffers, frame->count, 0, frame->token);
}

static void flush(struct net_device *net) {
    virtqueue_notify(&((struct card *)net->driver)->send);
}

/* Sends interrupt only when somebody waits for room, and then when half of the queue is free. */
static bool interrupts(struct net_device *net, bool on) {
    struct card *card = net->driver;
    virtqueue_interrupts(&card->receive, on);
    unsigned out = card->send.size - card->send.free_count;
    bool wanted = on && net->room_wanted;
    virtqueue_interrupt_after(&card->send, wanted ? (out > card->send.size / 2 ? out - card->send.size / 2 : 1) : 0);
    return on && (virtqueue_pending(&card->receive) || (wanted && virtqueue_pending(&card->send)));
}

static int start_frames(struct net_device *net) {
    struct card *card = net->driver;
    fill(card);
    if (card->receive.free_count == card->receive.size) return -ENOMEM;
    int error = card->device->transport->interrupt_enable(card->device);
    if (error) return error;
    virtqueue_notify(&card->receive);
    interrupts(net, true);
    return 0;
}

static const struct net_device_ops ops = { .start = start_frames, .transmit = transmit, .flush = flush, .poll = poll, .collect = collect, .interrupts = interrupts };

static void interrupt(struct virtio_device *device) {
    net_device_serve(&((struct card *)device->driver_data)->net);
}

/* Large frames come only where they can be spread over buffers, and where a dozen of them do not take all there are. */
static uint64_t choose(uint64_t features) {
    if (!(features & FEATURE_MERGED) || !(features & FEATURE_GUEST_CSUM) || buffers_wanted() < BUFFERS_FOR_SEGMENTS) features &= ~(FEATURE_GUEST_TSO4 | FEATURE_GUEST_TSO6);
    if (!(features & FEATURE_CSUM)) features &= ~(FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6);
    return features;
}

uint64_t boot_random64(void) __attribute__((visibility("hidden")));

/* The address that the device has, if one can be; else one of our own (IEEE 802: locally administered). */
static void read_address(struct card *card) {
    uint8_t *mac = card->net.mac, any = 0;
    if (card->device->features & FEATURE_MAC) card->device->transport->config_read(card->device, CONFIG_MAC, mac, 6);
    for (unsigned i = 0; i < 6; i++) any |= mac[i];
    if (any && !(mac[0] & 1)) return;
    uint64_t random = boot_random64();
    memcpy(mac, &random, 6);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2);
}

static int start(struct virtio_device *device) {
    struct card *card = kzalloc(sizeof *card);
    if (!card) return -ENOMEM;
    const struct { uint64_t theirs; uint32_t ours; } features[] = {
        { FEATURE_CSUM, NET_FEATURE_CHECKSUM }, { FEATURE_HOST_TSO4, NET_FEATURE_TSO4 }, { FEATURE_HOST_TSO6, NET_FEATURE_TSO6 },
        { FEATURE_GUEST_CSUM, NET_FEATURE_RECEIVE_CHECKSUM },
    };
    card->device = device;
    device->driver_data = card;
    int error = virtqueue_create(device, &card->receive, RECEIVE_QUEUE, buffers_wanted());
    if (!error) error = virtqueue_create(device, &card->send, SEND_QUEUE, SEND_ENTRIES);
    if (error) return error;
    card->net = (struct net_device){ .ops = &ops, .driver = card, .link = true, .mtu = MTU_USUAL, .fragments_most = card->send.size < 8 ? 1 : card->send.size / 4 };
    for (unsigned i = 0; i < sizeof features / sizeof *features; i++)
        if (device->features & features[i].theirs) card->net.features |= features[i].ours;
    read_address(card);
    if (device->features & FEATURE_MTU) {
        uint16_t mtu = 0;
        device->transport->config_read(device, CONFIG_MTU, &mtu, sizeof mtu);
        if (mtu >= MTU_LEAST && (mtu <= MTU_USUAL || device->features & FEATURE_MERGED)) card->net.mtu = mtu;
    }
    if (device->features & FEATURE_STATUS) {
        uint16_t status = 0;
        device->transport->config_read(device, CONFIG_STATUS, &status, sizeof status);
        card->net.link = status & STATUS_LINK_UP;
    }
    return 0;
}

static void ready(struct virtio_device *device) {
    struct card *card = device->driver_data;
    device->interrupt = interrupt;
    virtqueue_interrupts(&card->receive, false);
    virtqueue_interrupts(&card->send, false);
    net_device_add(&card->net);
}

HULL_VIRTIO_DRIVER(5, virtio_net) = {
    .device_id = VIRTIO_ID_NETWORK,
    .features = VIRTIO_F_EVENT_INDEX | FEATURE_CSUM | FEATURE_GUEST_CSUM | FEATURE_MTU | FEATURE_MAC | FEATURE_GUEST_TSO4 | FEATURE_GUEST_TSO6 |
                FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6 | FEATURE_MERGED | FEATURE_STATUS,
    .choose = choose, .start = start, .ready = ready,
};
