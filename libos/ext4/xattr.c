/*
 * Extended attributes on disk: what fits lies in the inode behind its fields, the rest in one block of its own. They are read with the inode; the VFS keeps
 * them. Blocks that several inodes share (Linux makes such) are left to the others when one changes.
 */
#include "ext4/internal.h"

static const char *const prefixes[] = { "", "user.", "system.posix_acl_access", "system.posix_acl_default", "trusted.", "", "security.", "system.", "system.richacl" };
#define PREFIXES (sizeof prefixes / sizeof *prefixes)
#define END_MARK 4u
static size_t padded(size_t size) { return (size + 3) & ~(size_t)3; }

/* Entries from `first` on; values at offsets from `base`, all before `end`. */
static int load(struct ext4 *fs, struct node *node, const uint8_t *first, const uint8_t *base, const uint8_t *end) {
    char name[256 + 24];
    for (const uint8_t *at = first;;) {
        const struct disk_xattr *entry = (const void *)at;
        uint32_t mark;
        if ((size_t)(end - at) < END_MARK) break;
        memcpy(&mark, at, 4);
        if (!mark) return 0;
        if ((size_t)(end - at) < sizeof *entry || (size_t)(end - at) < sizeof *entry + padded(entry->length)) break;
        size_t room = (size_t)(end - base);
        if (entry->inode || entry->index >= PREFIXES || entry->offset > room || entry->size > room - entry->offset) break;
        size_t prefix = strlen(prefixes[entry->index]);
        memcpy(name, prefixes[entry->index], prefix);
        memcpy(name + prefix, entry->name, entry->length);
        size_t length = prefix + entry->length;
        for (size_t i = 0; i < length; i++)
            if (!name[i]) return ext4_damaged(fs, "an extended attribute of inode", node->ino);
        if (length && length <= 255) {
            int error = inode_xattr_set(node->inode, name, length, base + entry->offset, entry->size);
            if (error) return error;
        }
        at += sizeof *entry + padded(entry->length);
    }
    return ext4_damaged(fs, "the extended attributes of inode", node->ino);
}

/* The place for attributes in an inode. */
static uint8_t *within(struct ext4 *fs, const struct disk_inode *raw, size_t *room) {
    *room = 0;
    if (fs->inode_size <= 128) return NULL;
    size_t start = 128 + raw->extra_size;
    if (raw->extra_size < 4 || raw->extra_size & 3 || start + 4 + END_MARK + sizeof(struct disk_xattr) > fs->inode_size) return NULL;
    *room = fs->inode_size - start - 4;
    return (uint8_t *)raw + start;
}

static uint32_t checksum_of(struct ext4 *fs, const struct buffer *buffer) {
    const uint32_t none = 0, place = __builtin_offsetof(struct disk_xattr_header, checksum);
    uint32_t crc = ext4_crc32c(fs->seed, &buffer->block, 8);
    crc = ext4_crc32c(ext4_crc32c(crc, buffer->data, place), &none, 4);
    return ext4_crc32c(crc, buffer->data + place + 4, fs->block_size - place - 4);
}

static int read_block(struct ext4 *fs, struct node *node, struct buffer **out) {
    if (!ext4_blocks_valid(fs, node->xattr_block, 1)) return ext4_damaged(fs, "the attribute block of inode", node->ino);
    int error = ext4_read(fs, node->xattr_block, out);
    if (error) return error;
    const struct disk_xattr_header *header = (const void *)(*out)->data;
    if (header->magic == XATTR_MAGIC && header->blocks == 1 && header->references && (!fs->checksums || (*out)->dirty || header->checksum == checksum_of(fs, *out))) return 0;
    ext4_release_buffer(*out);
    return ext4_damaged(fs, "the attribute block of inode", node->ino);
}

int ext4_xattrs_load(struct ext4 *fs, struct node *node, const struct disk_inode *raw) {
    size_t room;
    uint8_t *at = node->is_new ? NULL : within(fs, raw, &room);
    uint32_t magic = 0;
    int error = 0;
    if (at) memcpy(&magic, at, 4);
    if (magic == XATTR_MAGIC) error = load(fs, node, at + 4, at + 4, at + 4 + room);
    if (error || !node->xattr_block) return error;
    struct buffer *buffer;
    error = read_block(fs, node, &buffer);
    if (error) return error;
    if (!node->xattrs_counted) node->disk_blocks++;
    node->xattrs_counted = true;
    error = load(fs, node, buffer->data + sizeof(struct disk_xattr_header), buffer->data, buffer->data + fs->block_size);
    ext4_release_buffer(buffer);
    return error;
}

/* Which entry of `prefixes` a name begins with. */
static unsigned index_of(const char *name, size_t length, size_t *prefix) {
    unsigned found = 0;
    *prefix = 0;
    for (unsigned i = 1; i < PREFIXES; i++) {
        size_t size = strlen(prefixes[i]);
        if (size > *prefix && size <= length && !memcmp(name, prefixes[i], size)) found = i, *prefix = size;
    }
    return found;
}

static uint32_t hash_of(const struct disk_xattr *entry, const uint8_t *value) {
    uint32_t hash = 0;
    for (unsigned i = 0; i < entry->length; i++) hash = hash << 5 ^ hash >> 27 ^ (uint8_t)entry->name[i];
    for (size_t at = 0; at < padded(entry->size); at += 4) {
        uint32_t word;
        memcpy(&word, value + at, 4);
        hash = hash << 16 ^ hash >> 16 ^ word;
    }
    return hash;
}

/* A table that is being written: entries grow up from `at`, values down from `end`; offsets count from `base`. */
struct table { uint8_t *base, *first, *at, *end; };

static bool put(struct table *table, const struct xattr_view *view) {
    size_t prefix, need;
    unsigned index = index_of(view->name, view->length, &prefix);
    size_t length = view->length - prefix;
    if (!index || length > 255) return false;
    need = sizeof(struct disk_xattr) + padded(length) + padded(view->size) + END_MARK;
    if ((size_t)(table->end - table->at) < need) return false;
    uint8_t *place = table->first; /* in the order in which Linux searches: index, length, name */
    while (place < table->at) {
        const struct disk_xattr *entry = (const void *)place;
        int order = (int)entry->index - (int)index;
        if (!order) order = (int)entry->length - (int)length;
        if (!order) order = memcmp(entry->name, view->name + prefix, length);
        if (order > 0) break;
        place += sizeof *entry + padded(entry->length);
    }
    size_t size = sizeof(struct disk_xattr) + padded(length);
    memmove(place + size, place, (size_t)(table->at - place));
    memset(place, 0, size);
    table->at += size;
    table->end -= padded(view->size);
    memset(table->end, 0, padded(view->size));
    memcpy(table->end, view->value, view->size);
    struct disk_xattr *entry = (struct disk_xattr *)place;
    entry->length = (uint8_t)length;
    entry->index = (uint8_t)index;
    entry->offset = view->size ? (uint16_t)(table->end - table->base) : 0;
    entry->size = (uint32_t)view->size;
    memcpy(entry->name, view->name + prefix, length);
    entry->hash = hash_of(entry, table->end);
    return true;
}

int ext4_xattrs_drop(struct ext4 *fs, struct node *node) {
    struct buffer *buffer;
    if (!node->xattr_block) return 0;
    int error = read_block(fs, node, &buffer);
    if (error) return error;
    struct disk_xattr_header *header = (struct disk_xattr_header *)buffer->data;
    uint64_t block = node->xattr_block;
    bool shared = header->references > 1;
    if (shared) {
        header->references--;
        header->checksum = fs->checksums ? checksum_of(fs, buffer) : 0;
        ext4_change(fs, buffer);
    }
    ext4_release_buffer(buffer);
    node->xattr_block = 0;
    node->disk_blocks--;
    node->xattrs_counted = false;
    return shared ? 0 : ext4_blocks_give(fs, block, 1);
}

static int store_block(struct ext4 *fs, struct node *node, const uint8_t *bytes) {
    uint64_t block = node->xattr_block;
    struct buffer *buffer = NULL;
    uint32_t count;
    int error = block ? read_block(fs, node, &buffer) : 0;
    if (error) return error;
    if (buffer && ((struct disk_xattr_header *)buffer->data)->references > 1) {
        ext4_release_buffer(buffer);
        if ((error = ext4_xattrs_drop(fs, node))) return error;
        buffer = NULL;
    }
    if (!buffer) {
        if (!ext4_room(fs, 1)) return -ENOSPC;
        error = ext4_blocks_take(fs, ext4_near(fs, node, 0), 1, &block, &count);
        if (!error) error = ext4_fresh(fs, block, &buffer);
        if (error) return error;
        node->xattr_block = block;
        node->disk_blocks++;
        node->xattrs_counted = true;
    }
    memcpy(buffer->data, bytes, fs->block_size);
    struct disk_xattr_header *header = (struct disk_xattr_header *)buffer->data;
    *header = (struct disk_xattr_header){ .magic = XATTR_MAGIC, .references = 1, .blocks = 1 };
    for (const uint8_t *at = buffer->data + sizeof *header; *(const uint32_t *)(const void *)at;) {
        const struct disk_xattr *entry = (const void *)at;
        header->hash = header->hash << 16 ^ header->hash >> 16 ^ entry->hash;
        at += sizeof *entry + padded(entry->length);
    }
    if (fs->checksums) header->checksum = checksum_of(fs, buffer);
    ext4_change(fs, buffer);
    ext4_release_buffer(buffer);
    return 0;
}

int ext4_xattrs_store(struct ext4 *fs, struct node *node, struct disk_inode *raw) {
    size_t room;
    uint8_t *inner = within(fs, raw, &room), *bytes = kzalloc(fs->block_size);
    if (!bytes) return -ENOMEM;
    struct table outside = { bytes, bytes + sizeof(struct disk_xattr_header), bytes + sizeof(struct disk_xattr_header), bytes + fs->block_size };
    struct table inside = inner ? (struct table){ inner + 4, inner + 4, inner + 4, inner + 4 + room } : outside;
    bool any_inside = false, any_outside = false;
    struct xattr_view view;
    int error = 0;
    if (inner) memset(inner, 0, room + 4);
    for (const struct extended *at = inode_xattr_next(node->inode, NULL, &view); at; at = inode_xattr_next(node->inode, at, &view)) {
        if (inner && put(&inside, &view)) any_inside = true;
        else if (put(&outside, &view)) any_outside = true;
        else error = -ENOSPC;
    }
    const uint32_t magic = XATTR_MAGIC;
    if (any_inside) memcpy(inner, &magic, 4);
    if (!error) error = any_outside ? store_block(fs, node, bytes) : ext4_xattrs_drop(fs, node);
    kfree(bytes);
    return error;
}

int ext4_attributes_changed(struct inode *inode) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    int error = ext4_begin(fs);
    if (error) return error;
    node->xattrs_changed = true;
    error = ext4_encode(fs, node);
    node->xattrs_changed = false;
    if (!error) ext4_touch(fs, node, true);
    ext4_unlock(fs);
    return error;
}
