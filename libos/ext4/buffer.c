/*
 * Metadata blocks in memory. Owns the table of them, the list of those that the running transaction changed, and the order in which the others were used.
 * A changed block goes to the device by the journal only (journal.c). Clean ones are given back when memory runs short.
 */
#include "ext4/internal.h"

#define SECTOR 512u

int ext4_transfer(struct ext4 *fs, bool write, uint64_t block, void *data, uint32_t blocks) {
    struct block_piece piece = { data, blocks * fs->block_size };
    if (write) fs->wrote = true;
    return fs->device->transfer(fs->device, write, block * (fs->block_size / SECTOR), &piece, 1);
}

static struct buffer **bucket_of(struct ext4 *fs, uint64_t block) { return &fs->buckets[(block ^ block >> 9) % BUFFER_BUCKETS]; }

static void clean_out(struct ext4 *fs, struct buffer *buffer) {
    *(buffer->clean_previous ? &buffer->clean_previous->clean_next : &fs->clean_first) = buffer->clean_next;
    *(buffer->clean_next ? &buffer->clean_next->clean_previous : &fs->clean_last) = buffer->clean_previous;
    buffer->clean_next = buffer->clean_previous = NULL;
}

static void clean_in(struct ext4 *fs, struct buffer *buffer) { /* as the last used */
    buffer->clean_previous = fs->clean_last;
    buffer->clean_next = NULL;
    *(fs->clean_last ? &fs->clean_last->clean_next : &fs->clean_first) = buffer;
    fs->clean_last = buffer;
}

static void dirty_out(struct ext4 *fs, struct buffer *buffer) {
    *buffer->dirty_link = buffer->dirty_next;
    if (buffer->dirty_next) buffer->dirty_next->dirty_link = buffer->dirty_link;
    buffer->dirty = false;
    fs->dirty_count--;
}

static void *data_alloc(struct ext4 *fs) { return fs->block_size == PAGE_SIZE ? page_alloc() : kmalloc(fs->block_size); }
static void data_free(struct ext4 *fs, void *data) {
    if (fs->block_size == PAGE_SIZE) page_put(virt_to_phys(data));
    else kfree(data);
}

/* Out of everything; it is not pinned. */
static void discard(struct ext4 *fs, struct buffer *buffer) {
    struct buffer **at = bucket_of(fs, buffer->block);
    while (*at != buffer) at = &(*at)->next;
    *at = buffer->next;
    if (buffer->dirty) dirty_out(fs, buffer);
    else clean_out(fs, buffer);
    data_free(fs, buffer->data);
    kfree(buffer);
    fs->buffers--;
}

static struct buffer *find(struct ext4 *fs, uint64_t block) {
    struct buffer *at = *bucket_of(fs, block);
    while (at && at->block != block) at = at->next;
    if (at && !at->dirty) clean_out(fs, at), clean_in(fs, at);
    return at;
}

static struct buffer *make(struct ext4 *fs, uint64_t block) {
    struct buffer *buffer = kzalloc(sizeof *buffer);
    uint8_t *data = buffer ? data_alloc(fs) : NULL;
    if (!data) {
        kfree(buffer);
        return NULL;
    }
    *buffer = (struct buffer){ .block = block, .data = data, .pins = 1, .next = *bucket_of(fs, block) };
    *bucket_of(fs, block) = buffer;
    clean_in(fs, buffer);
    fs->buffers++;
    return buffer;
}

int ext4_read(struct ext4 *fs, uint64_t block, struct buffer **out) {
    if (!block || block >= fs->blocks) {
        if (block || fs->block_size == 1024) return ext4_damaged(fs, "a block beyond the end", block);
    }
    struct buffer *buffer = find(fs, block);
    if (buffer) {
        buffer->pins++;
        *out = buffer;
        return 0;
    }
    if (!(buffer = make(fs, block))) return -ENOMEM;
    int error = ext4_transfer(fs, false, block, buffer->data, 1);
    if (error) {
        buffer->pins = 0;
        discard(fs, buffer);
        return error;
    }
    *out = buffer;
    return 0;
}

int ext4_fresh(struct ext4 *fs, uint64_t block, struct buffer **out) {
    struct buffer *buffer = find(fs, block);
    if (buffer) buffer->pins++;
    else if (!(buffer = make(fs, block))) return -ENOMEM;
    memset(buffer->data, 0, fs->block_size);
    buffer->kind = BUFFER_PLAIN;
    *out = buffer;
    return 0;
}

void ext4_change(struct ext4 *fs, struct buffer *buffer) {
    if (buffer->dirty) return;
    clean_out(fs, buffer);
    buffer->dirty = true;
    buffer->dirty_next = fs->dirty;
    buffer->dirty_link = &fs->dirty;
    if (fs->dirty) fs->dirty->dirty_link = &buffer->dirty_next;
    fs->dirty = buffer;
    if (!fs->dirty_count++) ext4_opened(fs);
}

void ext4_release_buffer(struct buffer *buffer) {
    if (buffer) buffer->pins--;
}

void ext4_buffer_cleaned(struct ext4 *fs, struct buffer *buffer) {
    dirty_out(fs, buffer);
    clean_in(fs, buffer);
}

void ext4_forget(struct ext4 *fs, uint64_t block) {
    struct buffer *buffer = find(fs, block);
    if (!buffer) return;
    if (!buffer->pins) discard(fs, buffer);
    else if (buffer->dirty) ext4_buffer_cleaned(fs, buffer); /* somebody still looks at it; it goes later */
}

void ext4_drop_buffers(struct ext4 *fs) {
    for (unsigned i = 0; i < BUFFER_BUCKETS; i++)
        while (fs->buckets[i]) fs->buckets[i]->pins = 0, discard(fs, fs->buckets[i]);
}

/* Pages of files first, by turns (second chance), then buffers, the longest unused ones. Neither waits for anything. */
static uint64_t reclaim_pages(struct ext4 *fs, uint64_t wanted) {
    uint64_t freed = 0;
    unsigned nodes = 0;
    for (struct node *node = fs->first_node; node; node = node->next) nodes++;
    for (unsigned rounds = 2 * nodes; rounds && freed < wanted; rounds--) {
        struct node *node = fs->hand ? fs->hand : fs->first_node;
        if (!node) break;
        fs->hand = node->next;
        for (uint64_t index = content_next(&node->pages, 0, false); index != ~0ull && freed < wanted; index = content_next(&node->pages, index + 1, false)) {
            struct page *page = page_of(content_find(&node->pages, index));
            if (page->references > 1 || page->flags & (PAGE_DIRTY | PAGE_RESERVED | PAGE_LENT)) continue;
            if (page->flags & PAGE_USED) {
                page->flags &= ~(uint32_t)PAGE_USED;
                continue;
            }
            content_drop(&node->pages, index, index + 1);
            freed++;
        }
    }
    return freed;
}

uint64_t ext4_reclaim(struct ext4 *fs, uint64_t wanted) {
    if (fs->still) return 0;
    fs->still++;
    uint64_t freed = reclaim_pages(fs, wanted);
    for (struct buffer *at = fs->clean_first, *next; at && freed < wanted; at = next) {
        next = at->clean_next;
        if (at->pins) continue;
        discard(fs, at);
        freed++;
    }
    fs->still--;
    return freed;
}
