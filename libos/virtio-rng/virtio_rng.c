/*
 * Entropy from a virtio device (VIRTIO 1.2, section 5.4), for machines whose CPU has no source of its own. Asked once, at the start.
 */
#include "arch/arch.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

/* Mixes bytes into the pool; absent where nothing in the image wants randomness. */
void entropy_add(const void *bytes, size_t size) __attribute__((weak));

#define SEED_SIZE 32
static struct virtqueue queue;
static bool done;

static int start(struct virtio_device *device) {
    if (done) return -EBUSY;
    return virtqueue_create(device, &queue, 0, 4);
}

static void ready(struct virtio_device *device) {
    (void)device;
    uint64_t ignored;
    if (!entropy_add || arch_random64(&ignored)) return;
    uint8_t *seed = page_alloc_zeroed();
    if (!seed) return;
    virtqueue_interrupts(&queue, false);
    for (unsigned have = 0; have < SEED_SIZE;) {
        uint32_t got = 0;
        if (virtqueue_add(&queue, &(struct virtio_buffer){ seed, SEED_SIZE - have }, 0, 1, seed)) break;
        virtqueue_notify(&queue);
        while (!virtqueue_take(&queue, &got)) arch_pause();
        if (!got) break; /* it answers with nothing: do not ask for ever */
        entropy_add(seed, got);
        have += got;
        done = true;
    }
    memset(seed, 0, SEED_SIZE);
    page_put(virt_to_phys(seed));
}

HULL_VIRTIO_DRIVER(2, virtio_rng) = { .device_id = VIRTIO_ID_ENTROPY, .start = start, .ready = ready };
