/*
 * The driver of Xen's network cards against a simulated other end: honest (frames of one part and of several, with further information between, sends, full rings), without memory, and lying about all
 * that it can write: indices, places, lengths, parts, numbers.
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
int strcmp(const char *, const char *);
typedef void (*irq_handler)(void *);
static void *page_alloc_zeroed(void) { return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE); }
static uint64_t memory_total(void) { return 32 << 20; }
static unsigned kept; /* what kmalloc gives until it is out of memory */
static void *kmalloc(size_t size) { return kept && kept-- ? malloc(size) : NULL; }
static void *kzalloc(size_t size) { return calloc(1, size); }
static void kfree(void *p) { kept++; free(p); }
#include "../../../libos/net-device/net_device.c"
#include "../../../libos/xen-device/ring.c"
#include "../../../libos/xen-net/xen_net.c"

enum { PAGES = 128 }; /* a sixty-fourth of the memory */
static const void *granted[4 * PAGES];
static uint32_t references;
uint32_t xen_grant_reserve(void) { return ++references; }
void xen_grant_allow(uint32_t reference, uint16_t domain, const void *data, bool read_only) { (void)domain, (void)read_only, granted[reference] = data; }
static struct xen_ring_page *rings[2]; /* receive, send */
static uint32_t seen[2];
static const char *mac = "00:16:3e:0a:Bc:01";
static bool offloads = true;
void xen_device_each(const char *kind, void (*found)(const char *)) { (void)kind, (void)found; }
int xen_device_open(struct xen_device *device, const char *path) { return device->path = path, device->port = 5, 0; }
int xen_device_share(struct xen_device *device, const char *name, const void *page) { return (void)device, rings[name[0] == 't'] = (void *)page, 0; }
int xen_device_connect(struct xen_device *device, unsigned state) { return (void)device, (void)state, 0; }
int xen_device_tell(const struct xen_device *device, const char *name, const char *value) { return (void)device, (void)name, (void)value, 0; }
int xen_device_read(const struct xen_device *device, const char *name, char *value, size_t size) {
    (void)device, (void)name;
    memset(value, 0, size);
    unsigned length = 0;
    while (mac[length] && length < size - 1) value[length] = mac[length], length++;
    return (int)length;
}
long xen_device_number(const struct xen_device *device, const char *name) { return (void)device, !strcmp(name, "feature-ipv6-csum-offload") && offloads; }
int xen_event_listen(uint32_t port, irq_handler handler, void *arg) { return (void)port, (void)handler, (void)arg, 0; }
static unsigned told;
void xen_event_send(uint32_t port) { told += port == 5; }
void deferred_raise(struct deferred *deferred) { deferred->raised = true; }
void log_line(const char *format, ...) { (void)format; }

static struct card *card;

/* The stack: looks at each byte of what arrives. */
static unsigned frames, frame_bytes, checked, rooms, sent_count;
static const uint8_t *expected;
static void stack_receive(struct net_device *net, struct net_buffer *frame) {
    (void)net;
    frames++;
    checked += frame->flags & NET_CHECKED;
    for (uint32_t at = 0; frame;) {
        struct net_buffer *next = frame->next;
        CHECK(frame->data >= frame->room && frame->data + frame->length <= frame->room + NET_BUFFER_ROOM);
        unsigned other = 0;
        for (uint32_t i = 0; i < frame->length; i++) other += expected ? frame->data[i] != expected[at + i] : frame->data[i] > 255;
        EQUAL(other, 0);
        at += frame->length;
        frame_bytes += frame->length;
        net_buffer_put(frame);
        frame = next;
    }
}
static void stack_sent(struct net_device *net, void *token) { (void)net, sent_count += token == &sent_count; }
static void stack_room(struct net_device *net) { (void)net, rooms++; }
static const struct net_stack_ops stack = {.receive = stack_receive, .sent = stack_sent, .room = stack_room};

static void begin(unsigned buffers) {
    kept = buffers;
    references = 0;
    memset(seen, 0, sizeof seen);
    card = kzalloc(sizeof *card);
    EQUAL(open_card(card, "device/vif/0"), 0);
    CHECK(net_devices == &card->net);
    EQUAL(card->count, PAGES);
    card->net.stack = &stack;
    EQUAL(card->net.ops->start(&card->net), 0);
    EQUAL(rings[0]->requests, PAGES);
    frames = frame_bytes = checked = rooms = sent_count = 0;
    expected = NULL;
}
static void end(void) {
    net_devices = NULL;
    for (unsigned i = 0; i < PAGES; i++) {
        free(card->received[i].page);
        free(card->sent[i].page);
    }
    free(card->received);
    free(card->sent);
    free(rings[0]);
    free(rings[1]);
    free(card);
}

/* Where an answer of a ring lies: receive entries have 8 bytes, send entries 12; 256 of each fit. */
static void *answer_at(unsigned which, uint32_t index) {
    return rings[which]->entries + index % 256 * (which ? sizeof(struct send_entry) : sizeof(struct receive_entry));
}

/* A frame from the other end, over as many pages as it takes. false: there are not so many. */
static bool arrive(const uint8_t *bytes, uint32_t size, uint16_t flags) {
    uint32_t pages = (size + 4095) / 4096, wanted = pages + (flags & RECEIVE_EXTRA ? 1 : 0), at = rings[0]->answers;
    if (rings[0]->requests - at < wanted) return false;
    for (uint32_t done = 0; done < size;) {
        struct receive_entry *entry = answer_at(0, at);
        uint32_t piece = size - done < 4096 ? size - done : 4096;
        uint16_t offset = piece < 4096 ? (uint16_t)any(4096 - piece) : 0;
        memcpy((uint8_t *)granted[entry->grant] + offset, bytes + done, piece);
        struct receive_answer answer = {.id = entry->id, .offset = offset, .flags = (uint16_t)((done ? 0 : flags) | (done + piece < size ? RECEIVE_MORE : 0)), .status = (int16_t)piece};
        memcpy(entry, &answer, sizeof answer);
        at++;
        if (!done && flags & RECEIVE_EXTRA) {
            struct extra extra = {.type = 1};
            memcpy(answer_at(0, at++), &extra, sizeof extra);
        }
        done += piece;
    }
    __atomic_store_n(&rings[0]->answers, at, __ATOMIC_RELEASE);
    return true;
}

static uint8_t bytes[LARGEST_FRAME];

static void test_honest(void) {
    begin(1000);
    EQUAL(memcmp(card->net.mac, (uint8_t[]){0, 0x16, 0x3e, 0x0a, 0xbc, 1}, 6), 0);
    CHECK(card->net.features == (NET_FEATURE_CHECKSUM | NET_FEATURE_RECEIVE_CHECKSUM));
    expected = bytes;
    unsigned wanted = 0, total = 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t size = any(20) ? 14 + any(1500) : 14 + any(60000);
        while (!arrive(bytes, size, (uint16_t)(RECEIVE_VALIDATED | (size > 1514 ? RECEIVE_EXTRA : 0)))) net_device_serve(&card->net);
        wanted++;
        total += size;
        if (!any(3)) net_device_serve(&card->net);
    }
    net_device_serve(&card->net);
    EQUAL(frames, wanted);
    EQUAL(frame_bytes, total);
    EQUAL(checked, wanted);
    EQUAL(card->net.counts.errors_in + card->net.counts.dropped_in, 0);
    EQUAL(rings[0]->requests - rings[0]->answers, PAGES);
    EQUAL(rings[0]->answer_event, rings[0]->answers + 1);

    /* Sends, in pieces, until all places are taken. */
    static uint8_t memory[16 + 9000];
    for (unsigned i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)any(256);
    struct net_fragment fragments[3] = {{memory + 16, 60}, {memory + 76, 4000}, {memory + 4076, 940}};
    struct net_frame frame = {.fragments = fragments, .count = 3, .size = 5000, .checksum_start = 34, .checksum_offset = 16, .token = &sent_count};
    unsigned sent = 0, before = told;
    while (!card->net.ops->transmit(&card->net, &frame)) sent++;
    EQUAL(sent, PAGES / 2);
    EQUAL(sent_count, sent);
    CHECK(card->net.room_wanted && card->net.again.raised);
    card->net.ops->flush(&card->net);
    EQUAL(told, before + 1);
    for (unsigned i = 0; i < sent; i++) {
        struct send_entry parts[2];
        for (unsigned k = 0; k < 2; k++) memcpy(&parts[k], answer_at(1, seen[1]++), sizeof parts[k]);
        EQUAL(parts[0].size, 5000);
        EQUAL(parts[1].size, 904);
        EQUAL(parts[0].flags, SEND_CHECKSUM_BLANK | SEND_VALIDATED | SEND_MORE);
        EQUAL(parts[1].flags, 0);
        EQUAL(memcmp((const uint8_t *)granted[parts[0].grant] + parts[0].offset, memory + 16, 4096), 0);
        EQUAL(memcmp((const uint8_t *)granted[parts[1].grant] + parts[1].offset, memory + 16 + 4096, 904), 0);
        for (unsigned k = 0; k < 2; k++) {
            struct send_answer answer = {.id = parts[k].id};
            memcpy(answer_at(1, rings[1]->answers++), &answer, sizeof answer);
        }
    }
    net_device_serve(&card->net);
    EQUAL(rooms, 1);
    EQUAL(card->free_count, PAGES);
    frame.size = 0x10000;
    EQUAL(card->net.ops->transmit(&card->net, &frame), -EINVAL);
    end();
}

static void test_no_memory(void) {
    begin(3);
    expected = bytes;
    CHECK(arrive(bytes, 20000, 0) && arrive(bytes, 100, 0));
    net_device_serve(&card->net);
    EQUAL(frames, 1); /* the small one */
    EQUAL(card->net.counts.dropped_in, 1);
    EQUAL(kept, 3);
    EQUAL(rings[0]->requests - rings[0]->answers, PAGES);
    end();
}

static void test_lies(void) {
    for (unsigned round = 0; round < 3000; round++) {
        begin(200);
        for (unsigned step = 0; step < 20; step++) {
            uint32_t count = any(6);
            for (uint32_t i = 0; i < count; i++) {
                struct receive_answer answer = {.id = (uint16_t)any(65536), .offset = (uint16_t)(any(2) ? any(65536) : 0), .flags = (uint16_t)any(16), .status = (int16_t)(any(3) ? any(4200) : any(65536))};
                memcpy(answer_at(0, rings[0]->answers + i), &answer, sizeof answer);
            }
            rings[0]->answers += any(200) ? count : any(1u << 31);
            struct net_fragment fragment = {bytes + 16, 60};
            struct net_frame frame = {.fragments = &fragment, .count = 1, .size = 60, .token = &sent_count};
            for (unsigned i = any(4); i; i--) card->net.ops->transmit(&card->net, &frame);
            card->net.ops->flush(&card->net);
            for (unsigned i = any(4); i; i--) {
                struct send_answer answer = {.id = (uint16_t)(any(2) ? any(PAGES) : any(65536)), .status = (int16_t)((int)any(4) - 2)};
                memcpy(answer_at(1, rings[1]->answers), &answer, sizeof answer);
                if (rings[1]->answers != rings[1]->requests || !any(50)) rings[1]->answers++;
            }
            net_device_serve(&card->net);
            CHECK(card->free_count <= PAGES);
            CHECK(card->receive.requests - card->receive.answers <= PAGES);
        }
        EQUAL(kept, 200);
        if (card->receive.broken) CHECK(card->receive.refused);
        end();
    }
}

static void test_mac(void) {
    static const char *const bad[] = {"", "00:16:3e:0a:bc", "00:16:3e:0a:bc:0", "00:16:3e:0a:bc:0g", "01:16:3e:0a:bc:01", "00-16-3e-0a-bc-01", "001:6:3e:0a:bc:01"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t address[6] = {0};
        CHECK(!read_mac(bad[i], address));
    }
}

int main(void) {
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)any(256);
    test_honest();
    test_no_memory();
    test_lies();
    test_mac();
    return report("xen-net");
}
