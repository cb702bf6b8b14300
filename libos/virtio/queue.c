/*
 * Split virtqueues (VIRTIO 1.2, section 2.7). Owns the rings' memory and the free list.
 *
 * Trust: the device can write all ring memory. So the free list, each chain's length and its token live in slots[], which
 * is never shared, and a used entry counts only when it names the head of a chain that is out. Others are dropped and counted.
 */
#include "virtio/virtio.h"
#include "arch/arch.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, AVAILABLE_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };
struct virtq_descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };
struct virtq_available { uint16_t flags, index, ring[]; };
struct virtq_used { uint16_t flags, index; struct { uint32_t id, length; } ring[]; };
#define NONE 0xffff

/* One block: descriptors, available ring, used ring (4-aligned, with room for the event fields), then the private slots. */
static size_t available_offset(unsigned size) { return size * sizeof(struct virtq_descriptor); }
static size_t used_offset(unsigned size) { return (available_offset(size) + 6 + 2 * size + 3) & ~3ul; }
static size_t slots_offset(unsigned size) { return (used_offset(size) + 6 + 8 * size + 15) & ~15ul; }

size_t virtqueue_bytes(unsigned size) {
    return slots_offset(size) + size * sizeof(struct virtqueue_slot);
}

void virtqueue_place(struct virtqueue *queue, unsigned size, void *memory) {
    uint8_t *base = memory;
    queue->size = (uint16_t)size;
    queue->descriptors = (struct virtq_descriptor *)base;
    queue->available_ring = (struct virtq_available *)(base + available_offset(size));
    queue->used_ring = (struct virtq_used *)(base + used_offset(size));
    queue->slots = (struct virtqueue_slot *)(base + slots_offset(size));
    for (unsigned i = 0; i < size; i++) queue->slots[i].next = (uint16_t)(i + 1 < size ? i + 1 : NONE);
    queue->free_head = 0;
    queue->free_count = (uint16_t)size;
    queue->event_index = queue->device && queue->device->features & VIRTIO_F_EVENT_INDEX;
}

int virtqueue_create(struct virtio_device *device, struct virtqueue *queue, unsigned index, unsigned wanted) {
    unsigned room = device->transport->queue_room(device, index), size = wanted;
    if (!room) return -ENOENT;
    while (size > room) size /= 2;
    if (!size) return -ENOENT;
    unsigned pages = (unsigned)((virtqueue_bytes(size) + PAGE_SIZE - 1) / PAGE_SIZE);
    void *memory = pages_alloc(pages);
    if (!memory) return -ENOMEM;
    memset(memory, 0, pages * PAGE_SIZE);
    queue->device = device;
    queue->index = (uint16_t)index;
    virtqueue_place(queue, size, memory);
    return device->transport->queue_enable(device, queue);
}

int virtqueue_add(struct virtqueue *queue, const struct virtio_buffer *buffers, unsigned out, unsigned in, void *token) {
    unsigned total = out + in;
    if (total == 0 || total > queue->free_count) return -ENOSPC;
    uint16_t head = queue->free_head, at = head, last = head;
    uint32_t writable = 0;
    for (unsigned i = 0; i < total; i++) {
        struct virtq_descriptor *descriptor = &queue->descriptors[at];
        descriptor->address = virt_to_phys(buffers[i].data);
        descriptor->length = buffers[i].size;
        descriptor->flags = (uint16_t)((i >= out ? DESCRIPTOR_WRITE : 0) | (i + 1 < total ? DESCRIPTOR_NEXT : 0));
        descriptor->next = queue->slots[at].next;
        if (i >= out) writable += buffers[i].size;
        last = at;
        at = queue->slots[at].next;
    }
    queue->slots[head].token = token;
    queue->slots[head].writable = writable;
    queue->slots[head].count = (uint16_t)total;
    queue->slots[last].next = NONE;
    queue->free_head = at;
    queue->free_count = (uint16_t)(queue->free_count - total);
    queue->available_ring->ring[queue->available++ & (queue->size - 1)] = head;
    /* The chain before its index (2.7.13.2). */
    __atomic_store_n(&queue->available_ring->index, queue->available, __ATOMIC_RELEASE);
    return 0;
}

/* Section 2.7.10: who moves an index from `before` to `now` tells when it passes `event`. */
static bool passes(uint16_t event, uint16_t now, uint16_t before) {
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

void virtqueue_notify(struct virtqueue *queue) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the index before the flag is read (2.7.13.4) */
    if (queue->event_index) {
        uint16_t before = queue->notified, event = *(volatile uint16_t *)&queue->used_ring->ring[queue->size];
        queue->notified = queue->available;
        if (!passes(event, queue->available, before)) return;
    } else if (queue->used_ring->flags & USED_NO_NOTIFY) {
        return;
    }
    if (queue->notify_size == 4)
        *(volatile uint32_t *)queue->notify_address = queue->index;
    else
        *(volatile uint16_t *)queue->notify_address = queue->index;
}

void *virtqueue_take(struct virtqueue *queue, uint32_t *written) {
    for (;;) {
        uint16_t ahead = (uint16_t)(__atomic_load_n(&queue->used_ring->index, __ATOMIC_ACQUIRE) - queue->used);
        if (ahead == 0) return NULL;
        if (ahead > queue->size) { /* an index that cannot be: skip to where it claims to be, believe nothing between */
            queue->refused++;
            queue->used = (uint16_t)(queue->used + ahead);
            return NULL;
        }
        unsigned at = queue->used++ & (queue->size - 1);
        uint32_t id = queue->used_ring->ring[at].id, length = queue->used_ring->ring[at].length;
        if (id >= queue->size || !queue->slots[id].token) {
            queue->refused++;
            continue;
        }
        struct virtqueue_slot *slot = &queue->slots[id];
        void *token = slot->token;
        slot->token = NULL;
        if (written) *written = length < slot->writable ? length : slot->writable;
        unsigned last = id;
        while (queue->slots[last].next != NONE) last = queue->slots[last].next;
        queue->slots[last].next = queue->free_head;
        queue->free_head = (uint16_t)id;
        queue->free_count = (uint16_t)(queue->free_count + slot->count);
        return token;
    }
}

void virtqueue_forget(struct virtqueue *queue) {
    for (unsigned i = 0; i < queue->size; i++) {
        queue->slots[i].token = NULL;
        queue->slots[i].next = (uint16_t)(i + 1 < queue->size ? i + 1 : NONE);
    }
    queue->free_head = 0;
    queue->free_count = queue->size;
}

bool virtqueue_pending(const struct virtqueue *queue) {
    return __atomic_load_n(&queue->used_ring->index, __ATOMIC_ACQUIRE) != queue->used;
}

void virtqueue_interrupts(struct virtqueue *queue, bool on) {
    if (queue->event_index) return virtqueue_interrupt_after(queue, on ? 1 : 0);
    queue->available_ring->flags = on ? 0 : AVAILABLE_NO_INTERRUPT;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void virtqueue_interrupt_after(struct virtqueue *queue, unsigned count) {
    if (!queue->event_index) return virtqueue_interrupts(queue, count > 0);
    *(volatile uint16_t *)&queue->available_ring->ring[queue->size] = (uint16_t)(queue->used + count - 1); /* 0: as far away as can be */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
