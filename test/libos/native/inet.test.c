/*
 * The whole stack, from frames to sockets, against a wire that lies and a wire that loses. The wire is a mirror: a packet to another host comes back with
 * its ends exchanged (which no checksum sees), so that one stack talks to itself.
 * components: lwip inet inet-socket net-device netlink
 * sources: libos/entropy/chacha.c
 * flags: -fno-builtin -fno-sanitize=alignment -Wno-unused-parameter -Wno-unused-function -Wno-address-of-packed-member
 */
#include "inet-socket/internal.h"
#include "inet/internal.h"
#include "lwip/dhcp.h"
#include "lwip/priv/tcp_priv.h"
#include "netlink/internal.h"
#include "net-device/net_config.h"
#include "net-device/net_device.h"
#include "stand_ins.h"

/* ---- The rest of the libOS ---- */
static uint64_t now = 1000000000;
static struct timer *timers;
static size_t allocated, allocations_until_failure = SIZE_MAX;
void *kmalloc(size_t size) {
    if (!allocations_until_failure || !--allocations_until_failure) return NULL;
    size_t *p = malloc(size + 16);
    *p = size;
    allocated += size;
    return p + 2;
}
void *kzalloc(size_t size) {
    void *p = kmalloc(size);
    return p ? memset(p, 0, size) : NULL;
}
void kfree(void *p) {
    if (!p) return;
    allocated -= ((size_t *)p)[-2];
    free((size_t *)p - 2);
}
uint64_t memory_total(void) { return 64 << 20; }
uint64_t clock_monotonic_ns(void) { return now; }
uint64_t clock_realtime_ns(void) { return now; }
void timer_add(struct timer *timer) {
    struct timer **link = &timers;
    while (*link && (*link)->deadline_ns <= timer->deadline_ns) link = &(*link)->next;
    timer->next = *link;
    timer->link = link;
    if (timer->next) timer->next->link = &timer->next;
    *link = timer;
}
void timer_remove(struct timer *timer) {
    if (!timer->link) return;
    if ((*timer->link = timer->next)) timer->next->link = timer->link;
    timer->link = NULL;
}
void entropy_fill(void *to, size_t size) {
    for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = (uint8_t)any(256);
}
void log_line(const char *format, ...) { (void)format; }
void socket_tell_urgent(struct socket *socket) { (void)socket; }
_Noreturn void panic(const char *format, ...) {
    printf("panic: %s\n", format);
    exit(1);
}
int user_copy_in(void *to, const void *from, size_t size) { memcpy(to, from, size); return 0; }
int user_copy_out(void *to, const void *from, size_t size) { memcpy(to, from, size); return 0; }
static struct deferred *work;
void deferred_raise(struct deferred *entry) {
    if (entry->raised) return;
    struct deferred **link = &work;
    while (*link) link = &(*link)->next;
    entry->raised = true;
    entry->next = NULL;
    *link = entry;
}
void run_deferred(void) {
    for (struct deferred *entry; (entry = work);) {
        work = entry->next;
        entry->raised = false;
        entry->run(entry);
    }
}
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue; (void)count; }
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int how) {
    (void)queue; (void)deadline; (void)how;
    return condition(argument) ? 0 : -EINTR;
}
int socket_wait(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t timeout) { return wait_until(queue, condition, argument, timeout, 1); }
void socket_start(struct socket *socket, const struct socket_ops *operations, int family, int type, int protocol) {
    *socket = (struct socket){.ops = operations, .family = family, .type = type, .protocol = protocol, .send_room = 212992, .receive_room = 212992};
}
struct socket *socket_of(const struct file *file) { (void)file; return NULL; }
size_t message_put_control(struct message *message, int level, int type, const void *data, size_t size) { (void)message; (void)level; (void)type; (void)data; return size; }
void message_put_time(struct message *message, const struct socket *socket, uint64_t ns) { (void)message; (void)socket; (void)ns; }
struct process first_process;
struct thread first_thread = {.process = &first_process};
struct cpu cpu_zero = {.current = &first_thread};

const struct net_config_interface *net_config_interface(unsigned index) {
    static const struct net_config_interface config = {.ipv6 = true, .address_count = 1, .addresses = {{.family = 4, .prefix = 8, .bytes = {10, 0, 0, 1}}}};
    return index ? NULL : &config;
}

/* ---- The wire ---- */
static uint16_t sum(const uint8_t *bytes, unsigned size, uint32_t start) {
    for (unsigned i = 0; i + 1 < size; i += 2) start += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    if (size & 1) start += (uint32_t)bytes[size - 1] << 8;
    while (start >> 16) start = (start & 0xffff) + (start >> 16);
    return (uint16_t)~start;
}
static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

enum { WIRE = 4096, FRAME = 2048 };
struct flying { uint64_t due, order; unsigned size; uint8_t bytes[FRAME]; };
static struct flying wire[WIRE];
static unsigned flying, loss, duplication, reordering, jitter, sent_frames, full_frames; /* jitter: nanoseconds that each frame may take longer */
static void *kept[256]; /* frames that the device is done with, and nobody has asked */
static unsigned kept_count;
static bool keeps;
static const uint8_t their_mac[6] = {2, 0, 0, 0, 0, 99}, our_mac[6] = {2, 0, 0, 0, 0, 1};
static struct net_device device;
static unsigned refusals, refused, runs, longest; /* of a thousand frames the device has no place for so many; frames of several segments, segments in the longest */

static void fly(const uint8_t *bytes, unsigned size, uint64_t due) {
    if (flying == WIRE || size > FRAME) return;
    static uint64_t order;
    wire[flying].due = due;
    wire[flying].order = order++;
    wire[flying].size = size;
    memcpy(wire[flying++].bytes, bytes, size);
}
/* An acknowledgment of IPv4 whose first block tells of what came twice: below what is acknowledged, or within the second block (RFC 2883, 4). */
static unsigned told_twice, told_wrong; /* the latter: a block that is no part of what the test sent */
static uint32_t word(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }
static void look_at_blocks(const uint8_t *tcp) {
    if (tcp[12] >> 4 < 8 || memcmp(tcp + 20, (const uint8_t[]){1, 1, 5}, 3)) return;
    uint32_t begin = word(tcp + 24), end = word(tcp + 28), acknowledged = word(tcp + 8);
    bool below = (int32_t)(end - acknowledged) <= 0, within = tcp[23] >= 18 && (int32_t)(begin - word(tcp + 32)) >= 0 && (int32_t)(end - word(tcp + 36)) <= 0;
    told_twice += below || within;
    told_wrong += (int32_t)(end - begin) <= 0 || (below && acknowledged - begin > 1u << 20) || ((int32_t)(begin - acknowledged) < 0 && !below);
}
static uint32_t pseudo_header(const uint8_t *frame, unsigned size) {
    bool six = frame[12] == 0x86;
    uint32_t total = size + frame[six ? 20 : 23];
    for (unsigned i = six ? 22 : 26; i < (six ? 54u : 34u); i += 2) total += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    return total;
}
/* Who has that address (RFC 4861)? They have. The size of the answer, 0: nobody asks. */
static unsigned answer_neighbour(uint8_t *frame) {
    if (frame[54] != 135 || !(frame[22] | frame[23])) return 0;
    memcpy(frame + 38, frame + 22, 16);
    memcpy(frame + 22, frame + 62, 16);
    memcpy(frame + 54, (const uint8_t[]){136, 0, 0, 0, 0x60, 0, 0, 0}, 8);
    frame[78] = 2, frame[79] = 1;
    memcpy(frame + 80, their_mac, 6);
    put16(frame + 18, 32);
    put16(frame + 56, sum(frame + 54, 32, pseudo_header(frame, 32)));
    return 86;
}
static void mirror(uint8_t *frame, unsigned size) {
    uint8_t keep[16];
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, their_mac, 6);
    if (frame[12] == 8 && frame[13] == 6) { /* ARP: everybody is us */
        if (size < 42 || frame[21] != 1 || !memcmp(frame + 28, frame + 38, 4)) return;
        frame[21] = 2;
        memcpy(keep, frame + 28, 4);
        memcpy(frame + 28, frame + 38, 4);
        memcpy(frame + 38, keep, 4);
        memcpy(frame + 22, their_mac, 6);
        memcpy(frame + 32, our_mac, 6);
    } else if (frame[12] == 8 && frame[13] == 0) {
        memcpy(keep, frame + 26, 4);
        memcpy(frame + 26, frame + 30, 4);
        memcpy(frame + 30, keep, 4);
        if (frame[23] == IPPROTO_TCP && frame[47] == TCP_ACK) look_at_blocks(frame + 34);
    } else if (frame[12] == 0x86 && frame[20] == IPPROTO_ICMPV6) {
        if (!(size = answer_neighbour(frame))) return;
    } else if (frame[12] == 0x86 && frame[20] == IPPROTO_TCP) {
        memcpy(keep, frame + 22, 16);
        memcpy(frame + 22, frame + 38, 16);
        memcpy(frame + 38, keep, 16);
    } else {
        return;
    }
    if (any(1000) < loss) return;
    uint64_t due = now + 2000000 + (any(1000) < reordering ? any(20000000) : 0) + (jitter ? any(jitter) : 0);
    fly(frame, size, due);
    if (any(1000) < duplication) fly(frame, size, due + any(5000000));
}
/* As a device does it: the sum, from the pseudo-header's on, and a frame for each segment. */
static void finish(uint8_t *bytes, unsigned size, const struct net_frame *frame) {
    static uint8_t one[FRAME];
    unsigned ip = 14, tcp = frame->checksum_start, step = frame->segment_size ? frame->segment_size : size, header = frame->segment_size ? frame->header_size : 0;
    bool six = bytes[12] == 0x86;
    EQUAL(bytes[tcp + frame->checksum_offset] << 8 | bytes[tcp + frame->checksum_offset + 1], (uint16_t)~sum(NULL, 0, pseudo_header(bytes, size - tcp)));
    uint32_t number = word(bytes + tcp + 4);
    if (frame->segment_size) {
        EQUAL(six, frame->ipv6);
        EQUAL(header, tcp + (bytes[tcp + 12] >> 4) * 4u);
        CHECK(size > header + step && size - ip <= 65535);
        if (!six) EQUAL(sum(bytes + ip, 20, 0), 0);
        runs++;
        if ((size - header + step - 1) / step > longest) longest = (size - header + step - 1) / step;
    }
    EQUAL(six ? (unsigned)(bytes[18] << 8 | bytes[19]) + 40 : (unsigned)(bytes[16] << 8 | bytes[17]), size - ip);
    for (unsigned at = header; at < size; at += step) {
        unsigned piece = size - at < step ? size - at : step, whole = header + piece;
        CHECK(whole <= FRAME);
        memcpy(one, bytes, header);
        memcpy(one + header, bytes + at, piece);
        if (header) {
            uint32_t its = number + at - header;
            put16(one + tcp + 4, its >> 16), put16(one + tcp + 6, its & 0xffff);
            if (at + piece < size) one[tcp + 13] &= (uint8_t)~(TCP_PSH | TCP_FIN);
            put16(one + (six ? 18 : 16), whole - ip - (six ? 40 : 0));
            if (!six) put16(one + 24, 0), put16(one + 24, sum(one + ip, 20, 0));
            put16(one + tcp + 16, 0);
            put16(one + tcp + 16, sum(one + tcp, whole - tcp, pseudo_header(one, whole - tcp)));
        } else {
            put16(one + tcp + frame->checksum_offset, sum(one + tcp, whole - tcp, 0));
        }
        mirror(one, whole);
    }
}
static uint8_t first_fragment[FRAME]; /* the last one of IPv6 */
static int transmit(struct net_device *net, const struct net_frame *frame) {
    static uint8_t bytes[14 + 65535];
    unsigned size = 0;
    if (any(1000) < refusals) {
        refused++;
        net_device_want_room(net);
        return -ENOSPC;
    }
    for (unsigned i = 0; i < frame->count; i++) {
        CHECK(size + frame->fragments[i].size <= (frame->segment_size ? sizeof bytes : FRAME));
        memcpy(bytes + size, frame->fragments[i].data, frame->fragments[i].size);
        if (!i) memset((uint8_t *)frame->fragments[0].data - NET_FRAME_HEADROOM, 0xee, NET_FRAME_HEADROOM); /* it is ours */
        size += frame->fragments[i].size;
    }
    EQUAL(size, frame->size);
    sent_frames++;
    full_frames += size > 1400;
    if (bytes[12] == 0x86 && bytes[20] == 44 && !(bytes[56] | (bytes[57] & 0xf8))) memcpy(first_fragment, bytes, FRAME);
    if (frame->checksum_start) finish(bytes, size, frame);
    else mirror(bytes, size);
    if (keeps) kept[kept_count++ % 256] = frame->token;
    else device.stack->sent(&device, frame->token);
    return 0;
}
static void collect(struct net_device *net) {
    while (kept_count) net->stack->sent(net, kept[--kept_count]);
}
static void arrive(const uint8_t *bytes, unsigned size) {
    struct net_buffer *buffer = net_buffer_take();
    if (!buffer) return;
    buffer->data = buffer->room + 14;
    unsigned first = size > 1800 ? 1800 : size;
    memcpy(buffer->data, bytes, first);
    buffer->length = first;
    if (size > first && (buffer->next = net_buffer_take())) memcpy(buffer->next->data, bytes + first, buffer->next->length = size - first);
    device.stack->receive(&device, buffer);
    device.stack->end_of_batch(&device);
    run_deferred();
}
static int start(struct net_device *net) { (void)net; return 0; }
static void flush(struct net_device *net) { (void)net; }
static unsigned poll(struct net_device *net, unsigned budget) {
    (void)budget;
    if (net->room_wanted) {
        net->room_wanted = false;
        net->stack->room(net);
    }
    return 0;
}
static bool interrupts(struct net_device *net, bool on) { return on && net->room_wanted; }
static const struct net_device_ops operations = {.start = start, .transmit = transmit, .flush = flush, .poll = poll, .collect = collect, .interrupts = interrupts};

/* What is due next happens: a frame or a timer. */
static bool step(void) {
    unsigned at = WIRE;
    for (unsigned i = 0; i < flying; i++)
        if (at == WIRE || wire[i].due < wire[at].due || (wire[i].due == wire[at].due && wire[i].order < wire[at].order)) at = i;
    if (timers && (at == WIRE || timers->deadline_ns < wire[at].due)) {
        struct timer *timer = timers;
        if (timer->deadline_ns > now) now = timer->deadline_ns;
        timer_remove(timer);
        timer->run(timer);
        run_deferred();
        return true;
    }
    if (at == WIRE) return false;
    struct flying frame = wire[at];
    wire[at] = wire[--flying];
    if (frame.due > now) now = frame.due;
    arrive(frame.bytes, frame.size);
    return true;
}

/* ---- Sockets ---- */
static int family = AF_INET;
static struct socket *make(int type) { return &inet_create(family, type, type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP)->socket; }
static struct address address_of(uint8_t last, uint16_t port) {
    ip_addr_t ip;
    struct address out;
    if (!last) {
        ip_addr_set_any_val(family == AF_INET6, ip);
    } else if (family == AF_INET6) {
        IP_ADDR6(&ip, PP_HTONL(0xfe800000), 0, 0, PP_HTONL(last));
        ip6_addr_set_zone(ip_2_ip6(&ip), netif_get_index(&inet_interfaces->next->netif));
    } else {
        IP_ADDR4(&ip, 10, 0, 0, last);
    }
    inet_address_out(family, &ip, port, &out);
    return out;
}
static long transfer(struct socket *socket, void *bytes, size_t size, bool send) {
    struct iovec vector = {bytes, size};
    struct message message = {.vector = &vector, .count = 1, .size = size, .flags = MSG_DONTWAIT | MSG_NOSIGNAL};
    long result = send ? socket->ops->send(socket, &message) : socket->ops->receive(socket, &message);
    run_deferred();
    return result;
}
static struct socket *listener(uint16_t port, int backlog) {
    struct socket *l = make(SOCK_STREAM);
    struct address any_address = address_of(0, port);
    l->plain_options |= 1u << SO_REUSEADDR;
    EQUAL(l->ops->bind(l, &any_address), 0);
    EQUAL(l->ops->listen(l, backlog), 0);
    return l;
}

/* Its seconds. */
static double test_lossy(unsigned lost, unsigned doubled, unsigned mixed) {
    enum { TOTAL = 400000 };
    static uint8_t out[8000], in[8000];
    struct socket *l = listener(80, 5), *c = make(SOCK_STREAM), *s = NULL;
    struct address to = address_of(2, 80), peer;
    loss = lost;
    duplication = doubled;
    reordering = mixed;
    EQUAL(c->ops->connect(c, &to, false), -EINPROGRESS);
    uint64_t began = now;
    size_t sent = 0, got = 0, wrong = 0;
    for (unsigned i = 0; i < 4000000 && got < TOTAL && now - began < 600000000000; i++) {
        if (!s && !l->ops->accept(l, false, &s, &peer)) CHECK(s != NULL);
        size_t size = TOTAL - sent < sizeof out ? TOTAL - sent : any(sizeof out) + 1;
        for (size_t k = 0; k < size; k++) out[k] = (uint8_t)((sent + k) * 7 >> 2);
        long n = s && size ? transfer(c, out, size, true) : 0;
        if (n > 0) sent += (size_t)n;
        n = s ? transfer(s, in, any(sizeof in) + 1, false) : 0;
        for (long k = 0; k < n; k++) wrong += in[k] != (uint8_t)((got + (size_t)k) * 7 >> 2);
        if (n > 0) got += (size_t)n;
        if (n <= 0 && !step()) break;
    }
    EQUAL(got, TOTAL);
    EQUAL(wrong, 0);
    double took = (double)(now - began) / 1e9;
    printf("loss %u‰, duplication %u‰, reordering %u‰: %.1f s for %zu bytes\n", lost, doubled, mixed, took, got);
    loss = duplication = reordering = 0;
    c->ops->shutdown(c, 1);
    for (int i = 0; i < 2000 && step(); i++)
        if (s && !transfer(s, in, sizeof in, false)) break;
    if (s) EQUAL(transfer(s, in, sizeof in, false), 0);
    c->ops->close(c);
    if (s) s->ops->close(s);
    l->ops->close(l);
    return took;
}

static void drain(void) {
    for (int i = 0; i < 100000 && (flying || timers); i++) step();
}

/* One segment is lost, and a whole window of others comes behind it: each of them is kept, none is sent twice. */
static void test_gap(void) {
    enum { WINDOW = 1 << 20 };
    static uint8_t bytes[65536];
    uint32_t usual = lwip_port_window;
    lwip_port_window = WINDOW;
    struct socket *l = listener(80, 5), *c = make(SOCK_STREAM), *s = NULL;
    struct address to = address_of(2, 80), peer;
    c->send_room = 2 * WINDOW;
    EQUAL(c->ops->connect(c, &to, false), -EINPROGRESS);
    for (int i = 0; i < 1000 && !s && step(); i++) l->ops->accept(l, false, &s, &peer);
    CHECK(s != NULL);
    if (!s) return;
    drain();
    inet_of(c)->pcb->cwnd = inet_of(c)->pcb->ssthresh = 2 * WINDOW;
    unsigned segment = inet_of(c)->pcb->mss;
    size_t size = segment, got = 0;
    loss = 1000;
    EQUAL(transfer(c, bytes, segment, true), segment);
    loss = 0;
    unsigned before = full_frames, most = 0, waiting;
    for (long n; size < WINDOW - 2 * sizeof bytes && (n = transfer(c, bytes, sizeof bytes, true)) > 0;) size += (size_t)n;
    for (int i = 0; i < 100000 && got < size; i++) {
        waiting = 0;
        for (const struct tcp_seg *it = inet_of(s)->pcb->ooseq; it; it = it->next) waiting++;
        if (waiting > most) most = waiting;
        long n = transfer(s, bytes, sizeof bytes, false);
        if (n > 0) got += (size_t)n;
        else if (!step()) break;
    }
    EQUAL(got, size);
    printf("gap: %u segments, %u waited, %u were sent for them\n", (unsigned)(size / segment), most, full_frames - before);
    CHECK(most > 512);
    CHECK(full_frames - before < size / segment + 16);
    lwip_port_window = usual;
    c->ops->close(c);
    s->ops->close(s);
    l->ops->close(l);
}

/* A connection in which much may be under way; its accepted end is in `*s`. */
static struct socket *make_wide(struct socket *l, struct socket **s) {
    struct socket *c = make(SOCK_STREAM);
    struct address to = address_of(2, 80), peer;
    c->send_room = 2 << 20;
    EQUAL(c->ops->connect(c, &to, false), -EINPROGRESS);
    for (int i = 0; i < 1000 && !*s && step(); i++) l->ops->accept(l, false, s, &peer);
    CHECK(*s != NULL);
    return c;
}

/* So many bytes from one end to the other, as fast as they go; how many arrived. */
static size_t pass(struct socket *from, struct socket *to, size_t total) {
    static uint8_t bytes[65536];
    size_t sent = 0, got = 0;
    while (got < total) {
        size_t size = total - sent < sizeof bytes ? total - sent : sizeof bytes;
        long n = size ? transfer(from, bytes, size, true) : 0;
        if (n > 0) sent += (size_t)n;
        n = transfer(to, bytes, sizeof bytes, false);
        if (n > 0) got += (size_t)n;
        else if (!step()) break;
    }
    return got;
}

/* No segment is lost and nearly each is overtaken: few are sent twice, and the window stays what it was. */
static void test_jitter(void) {
    enum { TOTAL = 4000000 };
    uint32_t usual = lwip_port_window;
    lwip_port_window = 1 << 20;
    struct socket *l = listener(80, 5), *s = NULL, *c = make_wide(l, &s);
    unsigned before = full_frames, segment = inet_of(c)->pcb->mss;
    uint64_t began = now;
    jitter = 2000000;
    EQUAL(pass(c, s, TOTAL), TOTAL);
    jitter = 0;
    unsigned twice = full_frames - before - TOTAL / segment;
    printf("jitter: %.2f s, %u of %u segments sent twice, cwnd %u segments\n", (double)(now - began) / 1e9, twice, TOTAL / segment, inet_of(c)->pcb->cwnd / segment);
    CHECK(now - began < 1000000000);
    CHECK(twice < TOTAL / segment / 4);
    lwip_port_window = usual;
    c->ops->close(c);
    s->ops->close(s);
    l->ops->close(l);
}

struct told { u32_t begin, end; };

/* An acknowledgment as the peer would send it, with blocks in that order. */
static void tell(struct tcp_pcb *pcb, u32_t acknowledged, const struct told *blocks, unsigned count) {
    struct { struct tcp_hdr header; uint8_t options[40]; } it = {.header = {.ackno = acknowledged}};
    uint8_t *at = it.options;
    *at++ = 1, *at++ = 1, *at++ = 5, *at++ = (uint8_t)(2 + 8 * count);
    for (unsigned i = 0; i < count; i++)
        for (int k = 0; k < 8; k++) *at++ = (uint8_t)((k < 4 ? blocks[i].begin : blocks[i].end) >> (24 - k % 4 * 8));
    TCPH_HDRLEN_FLAGS_SET(&it.header, 5 + (count ? 1 + 2 * count : 0), TCP_ACK);
    inet_recover(pcb, &it.header, NULL);
}

/* A loss halves nothing twice; one that the peer says was none is taken back, by what tells of the very segments that were sent again only. */
static void test_undo(void) {
    enum { FLIGHT = 40 };
    static uint8_t bytes[65536];
    uint32_t usual = lwip_port_window;
    lwip_port_window = 1 << 20;
    for (unsigned spurious = 0; spurious < 4; spurious++) {
        struct socket *l = listener(80, 5), *s = NULL, *c = make_wide(l, &s);
        drain();
        struct tcp_pcb *pcb = inet_of(c)->pcb;
        u32_t mss = pcb->mss, first = pcb->snd_nxt, threshold = pcb->ssthresh;
        u32_t cwnd = pcb->cwnd = FLIGHT * mss;
        loss = 1000; /* what the peer says is told below */
        EQUAL(transfer(c, bytes, FLIGHT * mss, true), FLIGHT * mss);
        EQUAL(pcb->snd_nxt - first, FLIGHT * mss);
        EQUAL(transfer(c, bytes, 10 * mss, true), 10 * mss);
        tell(pcb, first, (struct told[]){{first + 2 * mss, first + 4 * mss}}, 1);
        EQUAL(pcb->ssthresh, threshold);
        EQUAL(pcb->cwnd, cwnd + 2 * mss); /* as many more may go as have arrived */
        tell(pcb, first, (struct told[]){{first + 2 * mss, first + 5 * mss}}, 1);
        EQUAL(pcb->ssthresh, cwnd * 7 / 10);
        tcp_output(pcb);
        tell(pcb, first + mss, (struct told[]){{first + 2 * mss, first + 9 * mss}}, 1);
        EQUAL(pcb->ssthresh, cwnd * 7 / 10);
        tcp_output(pcb);
        if (spurious == 1) { /* the network doubled what was sent once */
            tell(pcb, first + 12 * mss, (struct told[]){{first + 7 * mss, first + 8 * mss}}, 1);
            tell(pcb, first + 12 * mss, (struct told[]){{first + 8 * mss, first + 9 * mss}}, 1);
        } else if (spurious >= 2) { /* below what is acknowledged, and above it, where a later one may have overtaken that, too */
            tell(pcb, first + mss, (struct told[]){{first, first + mss}, {first + 2 * mss, first + 9 * mss}}, 2);
            EQUAL(pcb->ssthresh, cwnd * 7 / 10);
            tell(pcb, spurious == 2 ? first + mss : first - mss, (struct told[]){{first + mss, first + 2 * mss}, {first + mss, first + 9 * mss}}, 2);
            EQUAL(pcb->ssthresh, threshold);
        }
        if (spurious < 2) {
            tell(pcb, first + FLIGHT * mss, NULL, 0);
            EQUAL(pcb->ssthresh, cwnd * 7 / 10);
            CHECK(pcb->cwnd <= cwnd * 7 / 10 + mss);
        } else {
            CHECK(pcb->cwnd >= cwnd);
        }
        loss = 0;
        c->ops->close(c);
        s->ops->close(s);
        l->ops->close(l);
        drain();
    }
    lwip_port_window = usual;
}

/* A device that sums and cuts up, and that now and then has no place: the same bytes, in fewer frames. */
static void test_offload(void) {
    struct netif *netif = &inet_interfaces->next->netif;
    enum { TOTAL = 2000000 };
    u16_t sums = netif->chksum_flags;
    uint32_t usual = lwip_port_window;
    device.features = NET_FEATURE_CHECKSUM | NET_FEATURE_TSO4 | NET_FEATURE_TSO6;
    netif->chksum_flags = sums & (u16_t)~NETIF_CHECKSUM_GEN_TCP;
    refusals = 100;
    for (unsigned six = 0; six < 2; six++) {
        family = six ? AF_INET6 : AF_INET;
        runs = longest = refused = 0;
        test_lossy(0, 0, 0);
        test_lossy(20, 20, 50);
        drain();
        lwip_port_window = 1 << 20;
        struct socket *l = listener(80, 5), *s = NULL, *c = make_wide(l, &s);
        unsigned before = sent_frames;
        inet_of(c)->pcb->cwnd = inet_of(c)->pcb->ssthresh = 1 << 20;
        EQUAL(pass(c, s, TOTAL), TOTAL);
        printf("offload, IPv%u: %u frames for %u bytes and their acknowledgments, %u of several segments, up to %u; %u refused\n", six ? 6 : 4, sent_frames - before, TOTAL, runs, longest, refused);
        CHECK(longest > 40 && runs > 50 && refused > 100);
        lwip_port_window = usual;
        c->ops->close(c);
        s->ops->close(s);
        l->ops->close(l);
        drain();
    }
    refusals = 0;
    device.fragments_most = 4;
    longest = 0;
    test_lossy(0, 0, 0);
    EQUAL(longest, 3);
    device.fragments_most = 2;
    runs = 0;
    test_lossy(0, 0, 0);
    EQUAL(runs, 0);
    device.fragments_most = 0;
    /* What leaves in fragments no device can sum. */
    uint8_t whole[8 + 3000];
    struct socket *u = make(SOCK_DGRAM);
    struct address to = address_of(2, 5000);
    memset(whole, 0x57, sizeof whole);
    EQUAL(u->ops->connect(u, &to, false), 0);
    EQUAL(transfer(u, whole + 8, 3000, true), 3000);
    drain();
    EQUAL(transfer(u, whole + 8, 3000, true), 3000);
    memcpy(whole, first_fragment + 62, 8);
    EQUAL(whole[4] << 8 | whole[5], sizeof whole);
    first_fragment[20] = IPPROTO_UDP;
    CHECK(whole[6] | whole[7]);
    EQUAL(sum(whole, sizeof whole, pseudo_header(first_fragment, sizeof whole)), 0);
    u->ops->close(u);
    device.features = 0;
    family = AF_INET;
    netif->chksum_flags = sums;
}

/* A request is lost before anything arrives that would tell of sends: it is sent again nevertheless. */
static void test_silent(void) {
    struct socket *l = listener(80, 5), *c = make(SOCK_STREAM), *s = NULL;
    struct address to = address_of(2, 80), peer;
    keeps = true;
    loss = 1000;
    EQUAL(c->ops->connect(c, &to, false), -EINPROGRESS);
    loss = 0;
    for (int i = 0; i < 1000 && !s; i++) {
        if (!l->ops->accept(l, false, &s, &peer)) break;
        if (!step()) break;
    }
    CHECK(s != NULL);
    keeps = false;
    collect(&device);
    c->ops->close(c);
    if (s) s->ops->close(s);
    l->ops->close(l);
}

/* A frame that is right in most places, so that it gets far. */
static unsigned make_frame(uint8_t *f) {
    static const uint16_t ports[] = {80, 53, 68, 1000, 33000};
    bool six = any(4) == 0;
    unsigned protocol = any(8), payload = any(3) ? any(64) : any(1400), header = six ? 40 : 20 + (any(8) ? 0 : any(10) * 4), at = 14 + header, size;
    for (unsigned i = 0; i < FRAME; i++) f[i] = (uint8_t)any(256);
    memcpy(f, any(4) ? our_mac : (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 6);
    if (any(20) == 0) { /* ARP */
        put16(f + 12, 0x806);
        put16(f + 14, 1);
        put16(f + 16, 0x800);
        f[18] = 6, f[19] = 4;
        put16(f + 20, 1 + any(2));
        if (any(2)) memcpy(f + 38, (const uint8_t[]){10, 0, 0, 1}, 4);
        return 14 + 28 - any(4) * any(10);
    }
    uint8_t kind = protocol < 4 ? IPPROTO_TCP : protocol == 4 ? IPPROTO_UDP : protocol == 5 ? (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP) : protocol == 6 ? 2 : (uint8_t)any(256);
    unsigned transport = kind == IPPROTO_TCP ? 20 + (any(3) ? 0 : any(11) * 4) : 8;
    size = transport + payload;
    uint8_t *t = f + at;
    if (kind == IPPROTO_TCP || kind == IPPROTO_UDP) {
        put16(t, ports[any(5)]);
        put16(t + 2, ports[any(5)]);
    }
    if (kind == IPPROTO_TCP) {
        t[12] = (uint8_t)(transport / 4 << 4);
        t[13] = (uint8_t)(any(3) ? 2 : any(64));
    } else if (kind == IPPROTO_UDP) {
        put16(t + 4, size);
    } else if (kind == IPPROTO_ICMPV6) {
        static const uint8_t types[] = {1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 135, 136, 137};
        t[0] = types[any(sizeof types)];
        t[1] = (uint8_t)(any(4) ? 0 : any(8));
        for (unsigned o = 16; o + 8 < size; o += 8) t[o] = (uint8_t)any(6), t[o + 1] = (uint8_t)any(5);
    } else if (kind == IPPROTO_ICMP) {
        t[0] = (uint8_t)(any(2) ? 3 : any(20));
        t[1] = (uint8_t)any(8);
        if (any(2)) t[8] = 0x45, t[17] = any(2) ? 6 : 17;
    }
    if (six) {
        static const uint8_t ours[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1};
        put16(f + 12, 0x86dd);
        f[14] = 0x60;
        put16(f + 18, size);
        f[20] = any(10) ? kind : (const uint8_t[]){0, 43, 44, 60}[any(4)];
        f[21] = 255;
        memcpy(f + 22, ours, 16);
        f[37] = 77;
        if (any(2)) memcpy(f + 38, ours, 16);
        else f[38] = 0xff, f[39] = 2;
        uint32_t pseudo = size + kind;
        for (unsigned i = 22; i < 54; i += 2) pseudo += (uint32_t)(f[i] << 8 | f[i + 1]);
        unsigned place = kind == IPPROTO_TCP ? 16 : kind == IPPROTO_UDP ? 6 : 2;
        put16(t + place, 0);
        put16(t + place, sum(t, size, pseudo));
    } else {
        put16(f + 12, 0x800);
        f[14] = (uint8_t)(0x40 | header / 4);
        put16(f + 16, header + size);
        put16(f + 18, any(4));
        put16(f + 20, any(6) ? 0 : any(65536) & 0x3fff & (any(2) ? 0x2007 : 0x3fff));
        f[22] = 64;
        f[23] = kind;
        memcpy(f + 26, (const uint8_t[]){10, 0, 0, 2}, 4);
        memcpy(f + 30, any(10) ? (const uint8_t[]){10, 0, 0, 1} : any(2) ? (const uint8_t[]){224, 0, 0, 1} : (const uint8_t[]){255, 255, 255, 255}, 4);
        put16(f + 24, 0);
        put16(f + 24, sum(f + 14, header, 0));
        uint32_t pseudo = kind == IPPROTO_ICMP || kind == 2 ? 0 : pseudo_header(f, size);
        unsigned place = kind == IPPROTO_TCP ? 16 : kind == IPPROTO_UDP ? 6 : 2;
        put16(t + place, 0);
        put16(t + place, sum(t, size, pseudo));
    }
    size += at;
    if (!any(5)) f[14 + any(size - 14)] = (uint8_t)any(256);
    if (!any(8)) size = 14 + any(size - 14); /* cut */
    if (!any(20)) size += any(100);
    return size > FRAME ? FRAME : size;
}

/* Frames against everything that listens; what is open meanwhile goes on. */
static void test_hostile(void) {
    uint8_t frame[FRAME], bytes[300];
    struct socket *l = listener(80, 50), *u = make(SOCK_DGRAM), *d = make(SOCK_DGRAM), *out = NULL;
    struct address a = address_of(0, 53), b = address_of(0, 1000), peer;
    EQUAL(u->ops->bind(u, &a), 0);
    EQUAL(d->ops->bind(d, &b), 0);
    size_t before = allocated, most = before;
    struct socket *open[8] = {0};
    for (unsigned i = 0; i < 150000; i++) {
        arrive(frame, make_frame(frame));
        if (allocated > most) most = allocated;
        if (i % 64 == 0) {
            transfer(u, bytes, sizeof bytes, false);
            transfer(d, bytes, sizeof bytes, false);
            if (!l->ops->accept(l, false, &out, &peer)) {
                struct socket **slot = &open[any(8)];
                if (*slot) (*slot)->ops->close(*slot);
                *slot = out;
            }
            struct socket *one = open[any(8)];
            if (one) {
                transfer(one, bytes, any(sizeof bytes), true);
                transfer(one, bytes, sizeof bytes, false);
            }
            now += 10000000;
            flying = 0; /* answers go nowhere */
            while (timers && timers->deadline_ns <= now) step();
        }
        if (!any(5000)) allocations_until_failure = any(100) + 1;
        else if (!any(200)) allocations_until_failure = SIZE_MAX;
    }
    allocations_until_failure = SIZE_MAX;
    CHECK(most - before < 24 << 20); /* bounded, whatever comes */
    for (int i = 0; i < 8; i++)
        if (open[i]) open[i]->ops->close(open[i]);
    u->ops->close(u);
    d->ops->close(d);
    l->ops->close(l);
    flying = 0;
    printf("hostile: at most %zu KiB, then %zu KiB\n", most >> 10, allocated >> 10);
}

/* A segment to port 80 from the i-th of many hosts, of another network; nothing that answers it comes back. */
static void arrive_strange(unsigned i, uint8_t flags, uint32_t number, uint32_t acknowledged) {
    uint8_t f[54] = {0};
    unsigned before = flying;
    memcpy(f, our_mac, 6);
    put16(f + 12, 0x800);
    f[14] = 0x45;
    put16(f + 16, 40);
    f[22] = 64, f[23] = IPPROTO_TCP;
    f[26] = 172, f[27] = 16, f[28] = (uint8_t)(i >> 8), f[29] = (uint8_t)i;
    memcpy(f + 30, (const uint8_t[]){10, 0, 0, 1}, 4);
    put16(f + 24, sum(f + 14, 20, 0));
    put16(f + 34, 1000 + i % 50000);
    put16(f + 36, 80);
    put16(f + 38, number >> 16), put16(f + 40, number & 0xffff);
    put16(f + 42, acknowledged >> 16), put16(f + 44, acknowledged & 0xffff);
    f[46] = 0x50, f[47] = flags;
    put16(f + 50, sum(f + 34, 20, pseudo_header(f, 20)));
    arrive(f, sizeof f);
    flying = before;
}

/* Timers run; no frame comes. */
static void wait_for(uint64_t ns) {
    uint64_t until = now + ns;
    while (timers && timers->deadline_ns <= until) {
        struct timer *timer = timers;
        if (timer->deadline_ns > now) now = timer->deadline_ns;
        timer_remove(timer);
        timer->run(timer);
        run_deferred();
    }
    now = until;
}

/* Requests for connections that are never completed, more and more between a request and its acknowledgment of somebody honest, who gets in and is served. */
static void test_flood(void) {
    struct socket *l = listener(80, 100), *s = NULL;
    struct address to = address_of(2, 80), peer;
    size_t before = allocated;
    for (unsigned i = 0; i < 20000; i++) arrive_strange(i, 2, 0, 0);
    CHECK(allocated - before < 2 << 20);
    for (unsigned between = 0; between < 2000; between = between * 2 + 300) {
        struct socket *c = make(SOCK_STREAM);
        uint8_t bytes[5000];
        s = NULL;
        EQUAL(c->ops->connect(c, &to, false), -EINPROGRESS);
        for (int i = 0; i < 3000 && !s; i++) {
            if (!l->ops->accept(l, false, &s, &peer)) break;
            for (unsigned k = 0; k < between && i < 40; k++) {
                if (k % 300 == 299) wait_for(50000000); /* its acknowledgment is on a long way */
                arrive_strange(any(60000), 2, any(1u << 31), 0);
            }
            if (!step()) break;
        }
        CHECK(s != NULL);
        if (!s) break;
        for (unsigned way = 0; way < 2; way++) {
            struct socket *from = way ? s : c, *at = way ? c : s;
            memset(bytes, 7 + (int)way, sizeof bytes);
            EQUAL(transfer(from, bytes, sizeof bytes, true), sizeof bytes);
            size_t got = 0;
            memset(bytes, 0, sizeof bytes);
            for (int i = 0; i < 3000 && got < sizeof bytes; i++) {
                long n = transfer(at, bytes + got, sizeof bytes - got, false);
                if (n > 0) got += (size_t)n;
                else if (!step()) break;
            }
            EQUAL(got, sizeof bytes);
            EQUAL(bytes[0], 7 + way);
            EQUAL(bytes[sizeof bytes - 1], 7 + way);
        }
        c->ops->close(c);
        s->ops->close(s);
    }
    /* Numbers that are not ours, and ours with another's address, begin nothing. */
    for (unsigned i = 0; i < 100000; i++) arrive_strange(any(60000), 16, any(1u << 31), any(1u << 31) * 2 + any(2));
    EQUAL(l->ops->accept(l, false, &s, &peer), -EAGAIN);
    l->ops->close(l);
}

/* A part of `bytes`, which are a datagram of UDP, as a fragment. */
static void send_fragment(bool six, unsigned id, const uint8_t *bytes, unsigned offset, unsigned size, bool more) {
    static const uint8_t ours[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1};
    uint8_t f[FRAME] = {0};
    unsigned at = six ? 14 + 48 : 14 + 20;
    memcpy(f, our_mac, 6);
    memcpy(f + 6, their_mac, 6);
    if (six) {
        put16(f + 12, 0x86dd);
        f[14] = 0x60;
        put16(f + 18, 8 + size);
        f[20] = 44, f[21] = 64;
        memcpy(f + 22, ours, 16);
        f[37] = 77;
        memcpy(f + 38, ours, 16);
        f[54] = IPPROTO_UDP;
        put16(f + 56, (offset & 0xfff8) | more);
        put16(f + 60, id);
    } else {
        put16(f + 12, 0x800);
        f[14] = 0x45;
        put16(f + 16, 20 + size);
        put16(f + 18, id);
        put16(f + 20, (offset / 8 & 0x1fff) | (more ? 0x2000 : 0));
        f[22] = 64, f[23] = IPPROTO_UDP;
        memcpy(f + 26, (const uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
        put16(f + 24, sum(f + 14, 20, 0));
    }
    memcpy(f + at, bytes, size);
    arrive(f, at + size);
}

/* Fragments that overlap, come twice, end nowhere or beyond the largest packet; and among them, in any order, those of an honest datagram, which is whole or is not there. */
static void test_fragments(bool six) {
    enum { HONEST = 1600, PIECE = 400, ROUNDS = 3000 };
    uint8_t datagram[8 + HONEST], noise[1400], got[HONEST + 100];
    struct socket *u = six ? &inet_create(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)->socket : make(SOCK_DGRAM);
    ip_addr_t any_ip;
    struct address name;
    unsigned whole = 0;
    ip_addr_set_any_val(six, any_ip);
    inet_address_out(six ? AF_INET6 : AF_INET, &any_ip, 54, &name);
    EQUAL(u->ops->bind(u, &name), 0);
    for (unsigned i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)any(256);
    put16(noise, 9), put16(noise + 2, 54), put16(noise + 4, 8 + HONEST); /* what comes first claims to be for the same socket */
    size_t before = allocated, most = before;
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool hostile = round % 4 != 0;
        for (unsigned i = 0; i < HONEST; i++) datagram[8 + i] = (uint8_t)(round + i * 7);
        put16(datagram, 9), put16(datagram + 2, 54), put16(datagram + 4, sizeof datagram), put16(datagram + 6, 0);
        uint32_t pseudo = IPPROTO_UDP + sizeof datagram;
        for (unsigned i = 0; six && i < 2; i++) pseudo += 0xfe80 + 0xff + 0xfe00 + (i ? 1 : 77);
        if (six) put16(datagram + 6, sum(datagram, sizeof datagram, pseudo));
        unsigned order[(sizeof datagram + PIECE - 1) / PIECE];
        bool backwards = any(2);
        for (unsigned i = 0; i < sizeof order / sizeof *order; i++) {
            unsigned other = six ? backwards ? 0 : i : any(i + 1); /* see the limits of inet: of IPv6 some orders are lost */
            if (six && backwards) {
                order[i] = (unsigned)(sizeof order / sizeof *order) - 1 - i;
                continue;
            }
            order[i] = order[other];
            order[other] = i;
        }
        for (unsigned i = 0; i < sizeof order / sizeof *order; i++) {
            for (unsigned n = hostile ? any(4) : 0; n; n--) /* half of them with the honest one's number */
                send_fragment(six, any(2) ? 1000 + round : any(1000), noise, any(3) ? any(3000) : any(65536), any(5) ? any(sizeof noise) : any(9), any(2));
            unsigned offset = order[i] * PIECE, size = offset + PIECE < sizeof datagram ? PIECE : (unsigned)sizeof datagram - offset;
            send_fragment(six, 1000 + round, datagram + offset, offset, size, offset + size < sizeof datagram);
        }
        if (allocated > most) most = allocated;
        flying = 0;
        for (long size; (size = transfer(u, got, sizeof got, false)) >= 0;) {
            bool same = size == HONEST && !memcmp(got, datagram + 8, HONEST);
            whole += !hostile && same;
            if (!hostile) CHECK(same);
        }
        if (round % 4 == 3) { /* what waits for its rest is given up after a while: the next frame tells how long it was */
            for (uint64_t until = now + 70000000000ul; now < until; flying = 0)
                if (!timers || timers->deadline_ns >= until) now = until;
                else step();
            send_fragment(six, 1, noise, 0, 8, false);
            flying = 0;
        }
    }
    printf("fragments, IPv%d: %u of %u, at most %zu KiB\n", six ? 6 : 4, whole, ROUNDS / 4, (most - before) >> 10);
    CHECK(whole >= ROUNDS / 4 - ROUNDS / 100); /* all that came with nothing open before them */
    CHECK(most - before < 1 << 20);
    u->ops->close(u);
}

/* A server's answer: honest, or with lengths, options and ends that cannot be. */
static void send_dhcp(const struct dhcp *dhcp, unsigned type, bool hostile) {
    uint8_t f[FRAME] = {0}, *b = f + 42, *o = b + 240;
    memcpy(f, our_mac, 6);
    memcpy(f + 6, their_mac, 6);
    b[0] = 2, b[1] = 1, b[2] = 6;
    uint32_t xid = lwip_htonl(dhcp->xid);
    memcpy(b + 4, &xid, 4);
    memcpy(b + 16, (const uint8_t[]){10, 0, 0, 50}, 4);
    memcpy(b + 28, our_mac, 6);
    memcpy(b + 236, (const uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
    memcpy(o, (const uint8_t[]){53, 1, (uint8_t)type, 54, 4, 10, 0, 0, 2, 51, 4, 0, 1, 0, 0, 1, 4, 255, 0, 0, 0, 3, 4, 10, 0, 0, 2, 255}, 28);
    unsigned size = 42 + 240 + 28;
    if (hostile) {
        static const uint8_t kinds[] = {0, 1, 3, 6, 28, 50, 51, 52, 53, 54, 58, 59, 60, 67, 255};
        unsigned options = any(300);
        for (unsigned i = 3 + any(3); i < options; i += 2 + any(8)) {
            o[i] = any(4) ? kinds[any(sizeof kinds)] : (uint8_t)any(256);
            o[i + 1] = (uint8_t)(any(3) ? any(9) : any(256));
            if (o[i] == 52) o[i + 2] = (uint8_t)any(5); /* the file's and the server's names hold options, too */
        }
        for (unsigned i = any(2) * 1000; i < 192; i++) b[44 + i] = (uint8_t)(any(3) ? any(60) : 255);
        if (!any(4)) b[any(240)] = (uint8_t)any(256);
        size = any(3) ? 42 + 240 + options : 42 + any(300);
    }
    put16(f + 12, 0x800);
    f[14] = 0x45;
    put16(f + 16, size - 14);
    f[22] = 64, f[23] = IPPROTO_UDP;
    memcpy(f + 26, (const uint8_t[]){10, 0, 0, 2, 255, 255, 255, 255}, 8);
    put16(f + 24, sum(f + 14, 20, 0));
    put16(f + 34, 67), put16(f + 36, 68), put16(f + 38, size - 34);
    arrive(f, size);
}

static void test_dhcp(void) {
    struct netif *netif = &inet_interfaces->next->netif;
    ip4_addr_t own = *netif_ip4_addr(netif), mask = *netif_ip4_netmask(netif), none = {0};
    netif_set_addr(netif, &none, &none, &none);
    EQUAL(dhcp_start(netif), ERR_OK);
    lwip_timers_link();
    struct dhcp *dhcp = netif_dhcp_data(netif);
    for (unsigned i = 0; i < 60000; i++) {
        send_dhcp(dhcp, (const unsigned[]){2, 5, 6, 2, any(10)}[any(5)], true);
        flying = 0;
        if (!any(8)) step();
    }
    EQUAL(dhcp_start(netif), ERR_OK); /* anew: what it has believed meanwhile is anything */
    for (unsigned i = 0; i < 200 && !dhcp_supplied_address(netif); i++) {
        send_dhcp(dhcp, i % 2 ? 5 : 2, false);
        flying = 0;
        step();
    }
    CHECK(dhcp_supplied_address(netif) && netif_ip4_addr(netif)->addr == PP_HTONL(0x0a000032));
    dhcp_release_and_stop(netif);
    dhcp_cleanup(netif);
    netif_set_addr(netif, &own, &mask, &none);
    flying = 0;
}

/* Requests of any length, with attributes that overrun them; each lies in memory of its exact size. */
static void test_netlink(void) {
    struct netlink_socket it = {.port = 1};
    it.last = &it.first;
    for (unsigned i = 0; i < 200000; i++) {
        unsigned size = any(30) ? 16 + any(100) : any(16);
        uint8_t *request = malloc(size ? size : 1);
        for (unsigned k = 0; k < size; k++) request[k] = (uint8_t)(any(3) ? any(4) : any(256));
        for (unsigned at = 0; at + 16 <= size;) {
            uint32_t length = any(6) ? 16 + any(size - at) : any(size + 40);
            memcpy(request + at, &length, 4);
            request[at + 4] = (uint8_t)(14 + any(18));
            request[at + 5] = !any(30);
            request[at + 6] = (uint8_t)(1 | any(256)), request[at + 7] = (uint8_t)any(8);
            if (at + 17 <= size) request[at + 16] = (const uint8_t[]){0, 2, 10, 17}[any(4)];
            for (unsigned a = at + 16 + (any(2) ? 16 : any(4) * 4); a + 4 <= size && a < at + length; a += 4 + any(5) * 4) {
                request[a] = (uint8_t)(4 + any(20)), request[a + 1] = 0;
                request[a + 2] = (uint8_t)any(40), request[a + 3] = 0;
            }
            at += (length + 3) & ~3u ? (length + 3) & ~3u : 4;
        }
        netlink_answer(&it, request, size);
        free(request);
        for (struct netlink_packet *packet; (packet = it.first);) {
            uint32_t first = 0;
            memcpy(&first, packet->bytes, 4);
            CHECK(packet->size >= 16 && first >= 16 && first <= packet->size);
            if (!(it.first = packet->next)) it.last = &it.first;
            it.queued -= packet->size;
            kfree(packet);
        }
        it.socket.error = 0;
        flying = 0;
    }
    EQUAL(it.queued, 0);
}

int main(void) {
    device = (struct net_device){.ops = &operations, .mtu = 1500, .link = true};
    memcpy(device.mac, our_mac, 6);
    net_device_add(&device);
    inet_start();
    inet_icmp_start();
    size_t quiet = allocated;
    test_lossy(0, 0, 0);
    test_lossy(10, 0, 0);
    test_lossy(50, 20, 50);
    told_twice = 0;
    test_lossy(0, 200, 500);
    printf("%u acknowledgments told of bytes that came twice\n", told_twice);
    CHECK(told_twice > 20);
    EQUAL(told_wrong, 0);
    double all = 0;
    for (int i = 0; i < 8; i++) all += test_lossy(50, 0, 0);
    CHECK(all < 10); /* 24 with one segment sent again at a time, and a first timer of three seconds */
    drain();
    test_silent();
    drain();
    test_gap();
    drain();
    test_jitter();
    drain();
    test_undo();
    test_offload();
    drain();
    test_flood();
    test_hostile();
    test_fragments(false);
    test_fragments(true);
    test_dhcp();
    test_netlink();
    for (int i = 0; i < 100000 && timers; i++) {
        flying = 0;
        step();
    }
    CHECK(allocated < quiet + (512 << 10));
    /* Nothing is pending: nothing wakes the machine. */
    CHECK(!timers || timers->deadline_ns > now + 1000000000);
    return report("inet");
}
