/*
 * Extents: where a file's blocks are. Owns a node's sorted list of them in memory, and the tree on disk, which is written from the list at a commit: packed
 * leaves, at most two levels of index blocks. The tree's blocks are taken when the list grows, so that a commit needs no room.
 */
#include "ext4/internal.h"

#define MOST_DEPTH 5

static uint32_t entries_in(const struct ext4 *fs) { return (fs->block_size - 12 - 4) / 12; } /* room for the checksum in any case */
static bool checked(const struct ext4 *fs) { return fs->checksums; }

uint32_t ext4_inode_seed(const struct ext4 *fs, const struct node *node) {
    return ext4_crc32c(ext4_crc32c(fs->seed, &node->ino, 4), &node->generation, 4);
}

static int grow(struct node *node, uint32_t more) {
    if (node->extent_count + more <= node->extent_room) return 0;
    uint32_t room = node->extent_room ? node->extent_room * 2 : 4;
    struct extent *larger = kmalloc(room * sizeof *larger);
    if (!larger) return -ENOMEM;
    if (node->extent_count) memcpy(larger, node->extents, node->extent_count * sizeof *larger);
    kfree(node->extents);
    node->extents = larger;
    node->extent_room = room;
    return 0;
}

static int tree_add(struct node *node, uint64_t block) {
    if (node->tree_count == node->tree_room) {
        uint32_t room = node->tree_room ? node->tree_room * 2 : 4;
        uint64_t *larger = kmalloc(room * sizeof *larger);
        if (!larger) return -ENOMEM;
        if (node->tree_count) memcpy(larger, node->tree, node->tree_count * sizeof *larger);
        kfree(node->tree);
        node->tree = larger;
        node->tree_room = room;
    }
    node->tree[node->tree_count++] = block;
    return 0;
}

static int load(struct ext4 *fs, struct node *node, const uint8_t *bytes, size_t room, int depth) {
    const struct disk_extent_header *header = (const void *)bytes;
    if (header->magic != EXTENT_MAGIC || header->depth != depth || header->entries > header->most || 12u + 12u * header->most > room)
        return ext4_damaged(fs, "the extents of inode", node->ino);
    if (!header->entries && node->tree_count) return ext4_damaged(fs, "an empty extent block of inode", node->ino);
    for (unsigned i = 0; i < header->entries; i++) {
        if (!depth) {
            const struct disk_extent *entry = (const void *)(bytes + 12 + 12 * i);
            uint32_t length = entry->length > EXTENT_MOST ? entry->length - EXTENT_MOST : entry->length;
            uint64_t start = entry->start | (uint64_t)entry->start_high << 32;
            const struct extent *last = node->extent_count ? &node->extents[node->extent_count - 1] : NULL;
            if (!length || !ext4_blocks_valid(fs, start, length) || length > NO_EXTENT - entry->first || (last && entry->first < last->first + last->length))
                return ext4_damaged(fs, "an extent of inode", node->ino);
            int error = grow(node, 1);
            if (error) return error;
            node->extents[node->extent_count++] = (struct extent){ entry->first, length, start, entry->length > EXTENT_MOST };
            continue;
        }
        const struct disk_index *entry = (const void *)(bytes + 12 + 12 * i);
        uint64_t leaf = entry->leaf | (uint64_t)entry->leaf_high << 32;
        struct buffer *buffer;
        if (!ext4_blocks_valid(fs, leaf, 1)) return ext4_damaged(fs, "an extent block of inode", node->ino);
        int error = tree_add(node, leaf);
        if (!error) error = ext4_read(fs, leaf, &buffer);
        if (error) return error;
        const struct disk_extent_header *below = (const void *)buffer->data;
        size_t used = 12 + 12ul * below->most;
        if (used + 4 <= fs->block_size && checked(fs)) {
            uint32_t crc;
            memcpy(&crc, buffer->data + used, 4);
            if (crc != ext4_crc32c(ext4_inode_seed(fs, node), buffer->data, used)) error = ext4_damaged(fs, "the checksum of an extent block of inode", node->ino);
        }
        if (!error) error = load(fs, node, buffer->data, fs->block_size, depth - 1);
        ext4_release_buffer(buffer);
        if (error) return error;
    }
    return 0;
}

int ext4_extents_load(struct ext4 *fs, struct node *node, const uint8_t *root) {
    uint16_t depth = ((const struct disk_extent_header *)root)->depth;
    if (depth > MOST_DEPTH) return ext4_damaged(fs, "the extents of inode", node->ino);
    return load(fs, node, root, 60, depth);
}

/* Blocks of a tree for this many extents. */
static uint32_t tree_size(const struct ext4 *fs, uint32_t count) {
    uint32_t total = 0, each = entries_in(fs);
    while (count > 4) total += count = (count + each - 1) / each;
    return total;
}

/* Room on the device for a tree of as many extents as there are. */
static int tree_fit(struct ext4 *fs, struct node *node) {
    uint32_t wanted = tree_size(fs, node->extent_count);
    while (node->tree_count < wanted) {
        uint64_t start;
        uint32_t count;
        int error = ext4_blocks_take(fs, ext4_near(fs, node, 0), 1, &start, &count);
        if (!error && (error = tree_add(node, start))) ext4_blocks_give(fs, start, 1);
        if (error) return error;
        node->disk_blocks++;
    }
    while (node->tree_count > wanted) {
        int error = ext4_blocks_give(fs, node->tree[--node->tree_count], 1);
        node->disk_blocks--;
        if (error) return error;
    }
    return 0;
}

static void put_header(uint8_t *at, uint32_t entries, uint32_t most, uint32_t depth) {
    *(struct disk_extent_header *)at = (struct disk_extent_header){ EXTENT_MAGIC, (uint16_t)entries, (uint16_t)most, (uint16_t)depth, 0 };
}

static void put_extent(uint8_t *at, const struct extent *from) {
    *(struct disk_extent *)at = (struct disk_extent){ from->first, (uint16_t)(from->length + (from->unwritten ? EXTENT_MOST : 0)), (uint16_t)(from->start >> 32), (uint32_t)from->start };
}

/* One level: `count` entries in blocks tree[*used…]. The entries of the level above are (first block, place): firsts and *used say them. */
static int store_level(struct ext4 *fs, struct node *node, uint32_t depth, uint32_t count, uint32_t below, uint32_t *firsts) {
    uint32_t each = entries_in(fs), blocks = (count + each - 1) / each, here = below + (depth ? count : 0);
    uint8_t *bytes = kmalloc(fs->block_size);
    if (!bytes) return -ENOMEM;
    int error = 0;
    for (uint32_t i = 0; i < blocks && !error; i++) {
        uint32_t from = i * each, many = count - from < each ? count - from : each;
        memset(bytes, 0, fs->block_size);
        put_header(bytes, many, each, depth);
        uint32_t first = depth ? firsts[from] : node->extents[from].first;
        for (uint32_t k = 0; k < many; k++) {
            uint64_t leaf = depth ? node->tree[below + from + k] : 0;
            if (!depth) put_extent(bytes + 12 + 12 * k, &node->extents[from + k]);
            else *(struct disk_index *)(bytes + 12 + 12 * k) = (struct disk_index){ firsts[from + k], (uint32_t)leaf, (uint16_t)(leaf >> 32), 0 };
        }
        if (checked(fs)) {
            uint32_t crc = ext4_crc32c(ext4_inode_seed(fs, node), bytes, 12 + 12 * each);
            memcpy(bytes + 12 + 12 * each, &crc, 4);
        }
        struct buffer *buffer;
        error = ext4_read(fs, node->tree[here + i], &buffer);
        if (error) break;
        if (memcmp(buffer->data, bytes, fs->block_size)) {
            memcpy(buffer->data, bytes, fs->block_size);
            ext4_change(fs, buffer);
        }
        ext4_release_buffer(buffer);
        firsts[i] = first; /* behind what is still to be read */
    }
    kfree(bytes);
    return error;
}

int ext4_extents_store(struct ext4 *fs, struct node *node, uint8_t *root) {
    memset(root, 0, 60);
    uint32_t count = node->extent_count, depth = 0, below = 0, each = entries_in(fs);
    if (count <= 4) {
        put_header(root, count, 4, 0);
        for (uint32_t i = 0; i < count; i++) put_extent(root + 12 + 12 * i, &node->extents[i]);
        return 0;
    }
    uint32_t *firsts = kmalloc((count / each + 2) * sizeof *firsts);
    if (!firsts) return -ENOMEM;
    int error = 0;
    for (; count > 4 && !error; depth++) {
        error = store_level(fs, node, depth, count, below, firsts);
        if (depth) below += count;
        count = (count + each - 1) / each;
    }
    put_header(root, count, 4, depth);
    for (uint32_t i = 0; i < count && !error; i++) {
        uint64_t leaf = node->tree[below + i];
        *(struct disk_index *)(root + 12 + 12 * i) = (struct disk_index){ firsts[i], (uint32_t)leaf, (uint16_t)(leaf >> 32), 0 };
    }
    kfree(firsts);
    return error;
}

uint32_t ext4_extent_at(const struct node *node, uint32_t block) {
    uint32_t low = 0, high = node->extent_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (node->extents[middle].first + node->extents[middle].length <= block) low = middle + 1;
        else high = middle;
    }
    return low;
}

uint64_t ext4_map(const struct node *node, uint32_t block, uint32_t *run, bool *unwritten) {
    uint32_t at = ext4_extent_at(node, block);
    const struct extent *extent = at < node->extent_count ? &node->extents[at] : NULL;
    *unwritten = false;
    if (!extent || extent->first > block) {
        *run = (extent ? extent->first : NO_EXTENT) - block;
        return 0;
    }
    *run = extent->first + extent->length - block;
    *unwritten = extent->unwritten;
    return extent->start + (block - extent->first);
}

static void insert(struct node *node, uint32_t at, struct extent extent) { /* there is room */
    memmove(&node->extents[at + 1], &node->extents[at], (node->extent_count - at) * sizeof extent);
    node->extents[at] = extent;
    node->extent_count++;
}

static void erase(struct node *node, uint32_t at) {
    memmove(&node->extents[at], &node->extents[at + 1], (node->extent_count - at - 1) * sizeof *node->extents);
    node->extent_count--;
}

/* Extents begin or end at `block`; there is room for one more. */
static void split(struct node *node, uint32_t block) {
    uint32_t at = ext4_extent_at(node, block);
    if (at == node->extent_count || node->extents[at].first >= block) return;
    struct extent *one = &node->extents[at], rest = *one;
    rest.first = block;
    rest.length -= block - one->first;
    rest.start += block - one->first;
    one->length = block - one->first;
    insert(node, at + 1, rest);
}

static bool joins(const struct extent *one, const struct extent *next) {
    return one->unwritten == next->unwritten && one->first + one->length == next->first && one->start + one->length == next->start && one->length + next->length < EXTENT_MOST;
}

static void join(struct node *node, uint32_t at) { /* with its neighbours */
    if (at + 1 < node->extent_count && joins(&node->extents[at], &node->extents[at + 1])) {
        node->extents[at].length += node->extents[at + 1].length;
        erase(node, at + 1);
    }
    if (at && at < node->extent_count && joins(&node->extents[at - 1], &node->extents[at])) {
        node->extents[at - 1].length += node->extents[at].length;
        erase(node, at);
    }
}

int ext4_map_set(struct ext4 *fs, struct node *node, uint32_t first, uint32_t length, uint64_t start, bool unwritten) {
    int error = grow(node, 3);
    if (error) return error;
    uint32_t at = ext4_extent_at(node, first);
    if (at < node->extent_count && node->extents[at].first < first + length) { /* over unwritten blocks */
        split(node, first);
        split(node, first + length);
        at = ext4_extent_at(node, first);
        node->extents[at].unwritten = unwritten;
    } else {
        insert(node, at, (struct extent){ first, length, start, unwritten });
    }
    join(node, at);
    node->extents_changed = true;
    return tree_fit(fs, node);
}

int ext4_map_remove(struct ext4 *fs, struct node *node, uint32_t first, uint32_t end) {
    if (first >= end) return 0;
    int error = grow(node, 2);
    if (error) return error;
    split(node, first);
    if (end != NO_EXTENT) split(node, end);
    uint32_t at = ext4_extent_at(node, first), stop = at;
    while (stop < node->extent_count && node->extents[stop].first < end) {
        struct extent *gone = &node->extents[stop++];
        node->disk_blocks -= gone->length;
        int failed = ext4_blocks_give(fs, gone->start, gone->length);
        if (!error) error = failed;
    }
    if (stop == at && node->tree_count == tree_size(fs, node->extent_count)) return error;
    memmove(&node->extents[at], &node->extents[stop], (node->extent_count - stop) * sizeof *node->extents);
    node->extent_count -= stop - at;
    node->extents_changed = true;
    int failed = tree_fit(fs, node);
    return error ? error : failed;
}

int ext4_map_new(struct ext4 *fs, struct node *node, uint32_t first, uint32_t length, bool unwritten) {
    while (length) {
        uint32_t run, count;
        bool was_unwritten;
        uint64_t start, there = ext4_map(node, first, &run, &was_unwritten);
        if (run > length) run = length;
        int error = 0;
        if (there) {
            count = run;
            if (was_unwritten && !unwritten) error = ext4_map_set(fs, node, first, run, there, false);
        } else {
            error = ext4_blocks_take(fs, ext4_near(fs, node, first), run, &start, &count);
            if (!error) {
                node->disk_blocks += count;
                error = ext4_map_set(fs, node, first, count, start, unwritten);
            }
        }
        if (error) return error;
        first += count;
        length -= count;
    }
    return 0;
}
