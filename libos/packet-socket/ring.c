/*
 * The ring of PACKET_RX_RING (Linux's networking/packet_mmap.rst): blocks of frames in pages that the program maps, each frame with a status word that says whose it is. libpcap 1.10 knows no other way
 * to capture. The program can write anywhere in it: all that is read back is the status word.
 */
#include "packet-socket/internal.h"
#include "arch/arch.h"

enum { ALIGN = 16, HEADER_V1 = 32, HEADER_V2 = 32, RING_SHARE = 4, LEAST_MAC = 16, PAGE_LIST_MOST = 1 << 20 };
struct tpacket_req { uint32_t block_size, block_count, frame_size, frame_count; };
struct tpacket_header1 { uint64_t status; uint32_t size, kept; uint16_t link, network; uint32_t seconds, microseconds; };
struct tpacket_header2 { uint32_t status, size, kept; uint16_t link, network; uint32_t seconds, nanoseconds; uint16_t vlan_tag, vlan_protocol; uint32_t pad; };
_Static_assert(sizeof(struct tpacket_header1) == HEADER_V1 && sizeof(struct tpacket_header2) == HEADER_V2, "tpacket_hdr, tpacket2_hdr");

int packet_ring_header(int version) { return version == TPACKET_V1 || version == TPACKET_V2 ? HEADER_V2 : -EINVAL; }

static uint32_t align(uint32_t size) { return (size + ALIGN - 1) & ~(uint32_t)(ALIGN - 1); }

/* Bytes of a frame before what follows the link header, when that has so many. */
static uint32_t network_at(const struct packet_socket *it, uint32_t header) {
    uint32_t first = HEADER_V2 + sizeof(struct sockaddr_ll);
    if (it->socket.type == SOCK_DGRAM) return align(first) + LEAST_MAC + (uint32_t)it->reserve;
    return align(first + (header < LEAST_MAC ? LEAST_MAC : header)) + (uint32_t)it->reserve;
}

static void free_pages(uint8_t **pages, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) page_put(virt_to_phys(pages[i]));
    kfree(pages);
}

void packet_ring_end(struct packet_socket *it) {
    if (it->ring.pages) free_pages(it->ring.pages, it->ring.page_count);
    it->ring = (struct packet_ring){0};
}

static int get_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    const struct packet_ring *ring = &packet_of(file->data)->ring;
    (void)how;
    if (index >= ring->page_count) return -ENXIO;
    *physical = virt_to_phys(ring->pages[index]);
    page_get(*physical);
    return 0;
}

int packet_ring_set(struct packet_socket *it, const void *value, uint32_t size) {
    struct tpacket_req wanted;
    if (size < sizeof wanted) return -EINVAL;
    memcpy(&wanted, value, sizeof wanted);
    if (!wanted.block_count) {
        if (wanted.frame_count) return -EINVAL;
        packet_ring_end(it);
        return 0;
    }
    if (it->ring.pages) return -EBUSY;
    if (!wanted.block_size || wanted.block_size % PAGE_SIZE || wanted.block_size > INT32_MAX || wanted.frame_size < network_at(it, 0) - LEAST_MAC || wanted.frame_size % ALIGN) return -EINVAL;
    uint32_t each = wanted.block_size / wanted.frame_size;
    if (!each || wanted.block_count > UINT32_MAX / each || each * wanted.block_count != wanted.frame_count) return -EINVAL;
    uint64_t count = (uint64_t)wanted.block_count * (wanted.block_size / PAGE_SIZE);
    if (count > memory_total() / RING_SHARE / PAGE_SIZE || count > PAGE_LIST_MOST) return -ENOMEM;
    uint8_t **pages = kmalloc(count * sizeof *pages);
    for (uint32_t i = 0; pages && i < count; i++)
        if (!(pages[i] = page_alloc_zeroed())) {
            free_pages(pages, i);
            pages = NULL;
        }
    if (!pages) return -ENOMEM;
    it->ring = (struct packet_ring){.pages = pages, .page_count = (uint32_t)count, .block_size = wanted.block_size, .frame_size = wanted.frame_size, .frames = wanted.frame_count, .frames_per_block = each};
    /* A socket with a ring can be mapped: it has the operations of sockets, and one more. */
    static struct file_ops mapped;
    struct file *file = it->socket.file;
    if (!file->ops->get_page) {
        mapped = *file->ops;
        mapped.get_page = get_page;
        file->ops = &mapped;
    }
    packet_drop_all(it);
    return 0;
}

static uint64_t offset_of(const struct packet_ring *ring, uint32_t frame) {
    return (uint64_t)(frame / ring->frames_per_block) * ring->block_size + (uint64_t)(frame % ring->frames_per_block) * ring->frame_size;
}

/* Status words are aligned and lie in one page. */
static uint32_t *status_at(const struct packet_ring *ring, uint32_t frame) {
    uint64_t at = offset_of(ring, frame);
    return (uint32_t *)(void *)(ring->pages[at / PAGE_SIZE] + at % PAGE_SIZE);
}

static void put(const struct packet_ring *ring, uint64_t at, const void *bytes, uint32_t size) {
    while (size) {
        uint32_t room = (uint32_t)(PAGE_SIZE - at % PAGE_SIZE), piece = size < room ? size : room;
        memcpy(ring->pages[at / PAGE_SIZE] + at % PAGE_SIZE, bytes, piece);
        bytes = (const uint8_t *)bytes + piece;
        at += piece;
        size -= piece;
    }
}

void packet_ring_put(struct packet_socket *it, const struct packet_view *view) {
    struct packet_ring *ring = &it->ring;
    uint32_t network = network_at(it, view->header), link = network - view->header, kept = view->kept;
    it->packets++;
    volatile uint32_t *status = status_at(ring, ring->head);
    if (*status != STATUS_KERNEL || network > 0xffff || link > ring->frame_size) {
        it->drops++;
        return;
    }
    if (kept > ring->frame_size - link) kept = ring->frame_size - link;
    uint32_t said = STATUS_USER | view->status | (it->drops ? STATUS_LOSING : 0);
    uint64_t at = offset_of(ring, ring->head);
    put(ring, at + link, view->bytes, kept);
    put(ring, at + align(HEADER_V2), &view->from, sizeof view->from);
    if (it->version == TPACKET_V2) {
        struct tpacket_header2 header = {.size = view->size, .kept = kept, .link = (uint16_t)link, .network = (uint16_t)network, .seconds = (uint32_t)(view->time / 1000000000),
                                         .nanoseconds = (uint32_t)(view->time % 1000000000)};
        put(ring, at, &header, sizeof header);
    } else {
        struct tpacket_header1 header = {.size = view->size, .kept = kept, .link = (uint16_t)link, .network = (uint16_t)network, .seconds = (uint32_t)(view->time / 1000000000),
                                         .microseconds = (uint32_t)(view->time % 1000000000 / 1000)};
        put(ring, at, &header, sizeof header);
    }
    __atomic_store_n(status, said, __ATOMIC_RELEASE);
    ring->head = ring->head + 1 == ring->frames ? 0 : ring->head + 1;
    wait_queue_wake(&it->readers, -1);
}

bool packet_ring_has(const struct packet_socket *it) {
    const struct packet_ring *ring = &it->ring;
    return ring->pages && *status_at(ring, ring->head ? ring->head - 1 : ring->frames - 1) != STATUS_KERNEL;
}
