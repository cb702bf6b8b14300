/*
 * Network cards that another domain serves (public/io/netif.h). Owns two rings, and a page for each place of theirs that is in use; frames go to and come from net-device.
 *
 * The pages are granted once and for all, and frames are copied into and out of them: so what is looked at is no longer the other end's to change, a stuck frame keeps nothing of the stack's, and no
 * page of other data is ever seen outside. A frame that was copied counts as sent.
 * Trust: places, lengths and the parts of a frame are checked; what makes no sense is dropped and counted.
 */
#include "init/init.h"
#include "lib/string.h"
#include "channel/channel.h"
#include "memory/memory.h"
#include "net-device/net_device.h"
#include "syscall/errno.h"
#include "xen-device/xen_device.h"
#include "xen-event/xen_event.h"
#include "xen/xen.h"

struct send_entry { uint32_t grant; uint16_t offset, flags, id, size; };
struct send_answer { uint16_t id; int16_t status; };
struct receive_entry { uint16_t id, pad; uint32_t grant; };
struct receive_answer { uint16_t id, offset, flags; int16_t status; };
struct extra { uint8_t type, flags, data[6]; }; /* takes a receive answer's place */
_Static_assert(sizeof(struct send_entry) == 12 && sizeof(struct receive_answer) == 8 && sizeof(struct extra) == 8, "netif");
enum { SEND_CHECKSUM_BLANK = 1, SEND_VALIDATED = 2, SEND_MORE = 4 };
enum { RECEIVE_VALIDATED = 1, RECEIVE_CHECKSUM_BLANK = 2, RECEIVE_MORE = 4, RECEIVE_EXTRA = 8 };
enum { EXTRA_MORE = 1, STATUS_NOTHING = 1 };

#define LEAD 2u /* the IP header begins at a multiple of 4 */
enum { ETHERNET_HEADER = 14, PAGES_LEAST = 16, PAGES_MOST = 256, PAGES_FOR_SEGMENTS = 64, MTU_USUAL = 1500 };
#define LARGEST_FRAME 65550u

struct place { uint8_t *page; uint32_t grant; uint16_t next; bool out; };
struct card {
    struct net_device net;
    struct xen_device device;
    struct xen_ring receive, send;
    struct place *received, *sent; /* count of each; what is received by the ring's index, as answers may have no number */
    uint16_t count, free_first, free_count;
    struct deferred looked;
};
#define NONE 0xffff

/* ---- Receiving ---- */

static void offer(struct card *card) {
    while (card->receive.requests - card->receive.answers < card->count) {
        uint16_t at = (uint16_t)(card->receive.requests & (card->count - 1u));
        struct receive_entry *entry = xen_ring_next(&card->receive);
        if (!entry)
            break;
        *entry = (struct receive_entry){.id = at, .grant = card->received[at].grant};
    }
}

/* The next part of a frame, and where it lies; NULL with an answer: it makes no sense. */
static const uint8_t *take_part(struct card *card, struct receive_answer *answer) {
    const uint8_t *page = card->received[card->receive.answers & (card->count - 1u)].page;
    if (!xen_ring_take(&card->receive, answer, sizeof *answer)) {
        *answer = (struct receive_answer){0};
        return NULL;
    }
    return answer->status > 0 && answer->offset < PAGE_SIZE && (unsigned)answer->status <= PAGE_SIZE - answer->offset ? page + answer->offset : NULL;
}

/* Its bytes behind those of the frame so far. false: no memory. */
static bool append(struct net_buffer **first, struct net_buffer **last, const uint8_t *data, uint32_t size) {
    while (size) {
        struct net_buffer *buffer = *last;
        if (!buffer || buffer->data + buffer->length == buffer->room + NET_BUFFER_ROOM) {
            if (!(buffer = net_buffer_take()))
                return false;
            if (*first) {
                (*last)->next = buffer;
            } else {
                *first = buffer;
                buffer->data += LEAD;
            }
            *last = buffer;
        }
        uint32_t room = (uint32_t)(buffer->room + NET_BUFFER_ROOM - (buffer->data + buffer->length)), part = size < room ? size : room;
        memcpy(buffer->data + buffer->length, data, part);
        buffer->length += part;
        data += part;
        size -= part;
    }
    return true;
}

static void put_all(struct net_buffer *buffer) {
    while (buffer) {
        struct net_buffer *next = buffer->next;
        net_buffer_put(buffer);
        buffer = next;
    }
}

/* One frame, all of its parts taken; NULL: dropped, and counted. */
static struct net_buffer *take_frame(struct card *card) {
    struct net_buffer *first = NULL, *last = NULL;
    struct receive_answer answer;
    const uint8_t *data = take_part(card, &answer);
    uint16_t flags = answer.flags, more = flags;
    struct extra extra = {.flags = flags & RECEIVE_EXTRA ? EXTRA_MORE : 0};
    uint32_t total = 0;
    bool wrong = false, room = true;
    while (extra.flags & EXTRA_MORE && !wrong)
        wrong = !xen_ring_take(&card->receive, &extra, sizeof extra);
    for (;;) {
        wrong = wrong || !data || (total += (uint32_t)answer.status) > LARGEST_FRAME;
        if (!wrong && room)
            room = append(&first, &last, data, (uint32_t)answer.status);
        if (!(more & RECEIVE_MORE))
            break;
        data = take_part(card, &answer);
        more = answer.flags; /* nothing more where there is none */
    }
    if (!wrong && room && total >= ETHERNET_HEADER) {
        first->flags = flags & (RECEIVE_VALIDATED | RECEIVE_CHECKSUM_BLANK) ? NET_CHECKED : 0;
        return first;
    }
    if (room)
        card->net.counts.errors_in++;
    else
        card->net.counts.dropped_in++;
    put_all(first);
    return NULL;
}

static unsigned receive(struct card *card, unsigned budget) {
    unsigned frames = 0;
    for (; frames < budget && xen_ring_any(&card->receive); frames++) {
        struct net_buffer *frame = take_frame(card);
        if (frame)
            net_device_receive(&card->net, frame);
    }
    offer(card);
    return frames;
}

/* ---- Sending ---- */

static void collect(struct net_device *net) {
    struct card *card = net->driver;
    struct send_answer answer;
    while (xen_ring_take(&card->send, &answer, sizeof answer)) {
        if (answer.status == STATUS_NOTHING)
            continue;
        if (answer.id >= card->count || !card->sent[answer.id].out) {
            card->send.refused++;
            continue;
        }
        if (answer.status < 0)
            net->counts.errors_out++;
        card->sent[answer.id].out = false;
        card->sent[answer.id].next = card->free_first;
        card->free_first = answer.id;
        card->free_count++;
    }
}

static int transmit(struct net_device *net, const struct net_frame *frame) {
    struct card *card = net->driver;
    unsigned pages = (frame->size + (unsigned)PAGE_SIZE - 1) / (unsigned)PAGE_SIZE;
    if (!frame->count || frame->count > NET_FRAME_FRAGMENTS || frame->size < ETHERNET_HEADER || frame->size > 0xffff || pages > card->count || frame->segment_size)
        return -EINVAL;
    if (pages > card->free_count)
        collect(net);
    if (pages > card->free_count) {
        net_device_want_room(net);
        return -ENOSPC;
    }
    const struct net_fragment *fragment = frame->fragments;
    uint32_t taken = 0, left = frame->size;
    for (unsigned i = 0; i < pages; i++) {
        struct send_entry *entry = xen_ring_next(&card->send);
        if (!entry)
            return -EIO; /* answers for what is still out: the other end lies */
        uint16_t id = card->free_first;
        struct place *place = &card->sent[id];
        card->free_first = place->next;
        card->free_count--;
        place->out = true;
        uint32_t size = left < PAGE_SIZE ? left : (uint32_t)PAGE_SIZE;
        for (uint32_t filled = 0, part; filled < size; filled += part) {
            part = fragment->size - taken < size - filled ? fragment->size - taken : size - filled;
            memcpy(place->page + filled, (const uint8_t *)fragment->data + taken, part);
            taken += part;
            if (taken == fragment->size) {
                fragment++;
                taken = 0;
            }
        }
        left -= size;
        *entry = (struct send_entry){.grant = place->grant, .flags = left ? SEND_MORE : 0, .id = id, .size = (uint16_t)(i ? size : frame->size)};
        if (!i && frame->checksum_start)
            entry->flags |= SEND_CHECKSUM_BLANK | SEND_VALIDATED;
    }
    net->stack->sent(net, frame->token);
    return 0;
}

/* ---- Both ---- */

static void push(struct card *card) {
    bool send = xen_ring_push(&card->send), receive = xen_ring_push(&card->receive);
    if (send || receive)
        xen_event_send(card->device.port);
}

static void flush(struct net_device *net) { push(net->driver); }

static unsigned poll(struct net_device *net, unsigned budget) {
    struct card *card = net->driver;
    collect(net);
    if (net->room_wanted && card->free_count) {
        net->room_wanted = false;
        net->stack->room(net);
    }
    unsigned frames = receive(card, budget);
    push(card);
    return frames;
}

/* Sends interrupt only when somebody waits for room, and then when half of what is out is back. */
static bool interrupts(struct net_device *net, bool on) {
    struct card *card = net->driver;
    uint32_t out = card->send.told - card->send.answers;
    bool send = xen_ring_want(&card->send, on && net->room_wanted ? (out + 1) / 2 : 0);
    return xen_ring_want(&card->receive, on ? 1 : 0) || send;
}

static int start_frames(struct net_device *net) {
    struct card *card = net->driver;
    offer(card);
    push(card);
    if (interrupts(net, true))
        deferred_raise(&card->looked);
    return 0;
}

static const struct net_device_ops ops = {.start = start_frames, .transmit = transmit, .flush = flush, .poll = poll, .collect = collect, .interrupts = interrupts};

static void run(struct deferred *deferred) {
    struct card *card = (struct card *)((char *)deferred - offsetof(struct card, looked));
    if (card->net.stack)
        net_device_serve(&card->net);
}
static void interrupt(void *arg) { deferred_raise(&((struct card *)arg)->looked); }

/* "00:16:3e:01:02:03" */
static bool read_mac(const char *text, uint8_t mac[6]) {
    for (unsigned i = 0; i < 12; i++, text++) {
        if (i && i % 2 == 0 && *text++ != ':')
            return false;
        char c = (char)(*text | 32);
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
        if (digit > 15)
            return false;
        mac[i / 2] = (uint8_t)(mac[i / 2] << 4 | digit);
    }
    return !*text && !(mac[0] & 1);
}

/* As many as a sixty-fourth of the memory has, for each direction. */
static uint16_t count_pages(void) {
    uint64_t most = memory_total() / 64 / PAGE_SIZE;
    uint16_t count = PAGES_LEAST;
    while (count < PAGES_MOST && count * 2u <= most)
        count = (uint16_t)(count * 2);
    return count;
}

static int make_places(struct card *card, struct place **places, bool read_only) {
    *places = kzalloc(card->count * sizeof **places);
    for (unsigned i = 0; *places && i < card->count; i++) {
        struct place *place = &(*places)[i];
        place->next = (uint16_t)(i + 1u < card->count ? i + 1u : NONE);
        if (!(place->page = page_alloc_zeroed()))
            return -ENOMEM;
        if (!(place->grant = xen_grant_reserve()))
            return -ENOSPC;
        xen_grant_allow(place->grant, card->device.domain, place->page, read_only);
    }
    return *places ? 0 : -ENOMEM;
}

static int tell_features(struct card *card) {
    bool large = card->count >= PAGES_FOR_SEGMENTS; /* a large frame takes seventeen */
    const struct { const char *name; bool on; } features[] = {
        {"request-rx-copy", true}, {"feature-rx-notify", true}, {"feature-ipv6-csum-offload", true},
        {"feature-sg", large}, {"feature-gso-tcpv4", large}, {"feature-gso-tcpv6", large},
    };
    int error = 0;
    for (unsigned i = 0; i < sizeof features / sizeof *features && !error; i++)
        error = xen_device_tell(&card->device, features[i].name, features[i].on ? "1" : "0");
    return error;
}

static int open_card(struct card *card, const char *path) {
    struct xen_device *device = &card->device;
    char mac[18];
    void *receive_page = page_alloc_zeroed(), *send_page = page_alloc_zeroed();
    card->count = card->free_count = count_pages();
    if (!receive_page || !send_page)
        return -ENOMEM;
    int error = xen_device_open(device, path);
    if (!error)
        error = make_places(card, &card->received, false);
    if (!error)
        error = make_places(card, &card->sent, true);
    xen_ring_place(&card->receive, receive_page, sizeof(struct receive_entry));
    xen_ring_place(&card->send, send_page, sizeof(struct send_entry));
    if (!error)
        error = xen_device_share(device, "rx-ring-ref", receive_page);
    if (!error)
        error = xen_device_share(device, "tx-ring-ref", send_page);
    if (!error)
        error = tell_features(card);
    if (error)
        return error;
    card->net = (struct net_device){.ops = &ops, .driver = card, .link = true, .mtu = MTU_USUAL, .features = NET_FEATURE_RECEIVE_CHECKSUM};
    if (xen_device_number(device, "feature-ipv6-csum-offload") == 1) /* IPv4's is always there */
        card->net.features |= NET_FEATURE_CHECKSUM;
    if (xen_device_read(device, "mac", mac, sizeof mac) < 0 || !read_mac(mac, card->net.mac))
        return -EINVAL;
    card->looked.run = run;
    error = xen_event_listen(device->port, interrupt, card);
    if (!error)
        error = xen_device_connect(device, XEN_STATE_CONNECTED);
    if (!error)
        net_device_add(&card->net);
    return error;
}

static void found(const char *path) {
    struct card *card = kzalloc(sizeof *card);
    int error = card ? open_card(card, path) : -ENOMEM;
    if (error)
        log_line("xen-net: %s cannot be used: error %d", path, -error);
}

static void xen_net_start(void) { xen_device_each("vif", found); }
HULL_INIT(5, xen_net_start);
