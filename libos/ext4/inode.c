/*
 * Inodes: one for each that is in use, however many names it has. The one in memory counts; it goes into its table at a commit, when it is touched, and when it
 * goes. An inode without names is on the list of orphans, which the device has, too: what a crash leaves is freed at the next mount.
 */
#include "ext4/internal.h"

static struct node **bucket_of(struct ext4 *fs, uint32_t ino) { return &fs->nodes[(ino ^ ino >> 8) & 255]; }

static const struct inode_ops *ops_of(uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR: return &ext4_directory_ops;
    case S_IFREG: return &ext4_file_ops;
    case S_IFLNK: return &ext4_link_ops;
    default: return &ext4_node_ops;
    }
}

/* The block of its table, pinned, and its place there. */
static int find_raw(struct ext4 *fs, uint32_t ino, struct buffer **out, struct disk_inode **raw) {
    struct buffer *holder;
    struct disk_group *group = ext4_group(fs, (ino - 1) / fs->group_inodes, &holder);
    if (!group) return -EIO;
    uint64_t offset = (uint64_t)((ino - 1) % fs->group_inodes) * fs->inode_size;
    int error = ext4_read(fs, ext4_inode_table(fs, group) + (offset >> fs->block_bits), out);
    ext4_release_buffer(holder);
    if (!error) *raw = (struct disk_inode *)((*out)->data + (offset & (fs->block_size - 1)));
    return error;
}

static bool has_extra(const struct ext4 *fs, const struct disk_inode *raw, size_t end) {
    return fs->inode_size > 128 && raw->extra_size + 128u >= end && raw->extra_size + 128u <= fs->inode_size;
}
#define HAS(field) has_extra(fs, raw, __builtin_offsetof(struct disk_inode, field) + sizeof raw->field)

static uint32_t checksum_of(struct ext4 *fs, const struct node *node, const struct disk_inode *raw) {
    const uint8_t *bytes = (const uint8_t *)raw;
    const uint16_t none = 0;
    const size_t low = __builtin_offsetof(struct disk_inode, checksum), high = __builtin_offsetof(struct disk_inode, checksum_high);
    uint32_t crc = ext4_crc32c(ext4_inode_seed(fs, node), bytes, low);
    crc = ext4_crc32c(crc, &none, 2);
    if (fs->inode_size == 128) return ext4_crc32c(crc, bytes + low + 2, 128 - low - 2) & 0xffff;
    if (!HAS(checksum_high)) return ext4_crc32c(crc, bytes + low + 2, fs->inode_size - low - 2) & 0xffff;
    crc = ext4_crc32c(crc, bytes + low + 2, high - low - 2);
    crc = ext4_crc32c(crc, &none, 2);
    return ext4_crc32c(crc, bytes + high + 2, fs->inode_size - high - 2);
}

static struct linux_timespec read_time(uint32_t seconds, uint32_t extra) {
    uint32_t nanoseconds = extra >> 2;
    return (struct linux_timespec){ (int64_t)(int32_t)seconds + ((int64_t)(extra & 3) << 32), nanoseconds < 1000000000 ? nanoseconds : 0 };
}

static uint32_t extra_time(struct linux_timespec time) {
    return (uint32_t)(((time.seconds - (int32_t)time.seconds) >> 32) & 3) | (uint32_t)time.nanoseconds << 2;
}

static bool has_extents(const struct disk_inode *raw) {
    uint32_t kind = raw->mode & S_IFMT;
    return kind == S_IFREG || kind == S_IFDIR || (kind == S_IFLNK && (raw->size >= 60 || raw->flags & INODE_EXTENTS));
}

static int decode(struct ext4 *fs, struct node *node, const struct disk_inode *raw) {
    struct inode *inode = node->inode;
    uint32_t kind = raw->mode & S_IFMT;
    node->generation = raw->generation;
    if (fs->checksums) {
        uint32_t sum = raw->checksum | (HAS(checksum_high) ? (uint32_t)raw->checksum_high << 16 : 0);
        if (sum != checksum_of(fs, node, raw)) return ext4_damaged(fs, "the checksum of inode", node->ino);
    }
    if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFLNK && kind != S_IFCHR && kind != S_IFBLK && kind != S_IFIFO && kind != S_IFSOCK) return ext4_damaged(fs, "inode", node->ino);
    if (fs->inode_size > 128 && raw->extra_size > fs->inode_size - 128) return ext4_damaged(fs, "inode", node->ino);
    node->flags = raw->flags;
    inode->ino = node->ino;
    inode->mode = raw->mode;
    inode->uid = raw->uid | (uint32_t)raw->uid_high << 16;
    inode->gid = raw->gid | (uint32_t)raw->gid_high << 16;
    inode->nlink = raw->links;
    inode->size = (int64_t)(raw->size | (kind == S_IFREG ? (uint64_t)raw->size_high << 32 : 0));
    inode->atime = read_time(raw->atime, HAS(atime_extra) ? raw->atime_extra : 0);
    inode->mtime = read_time(raw->mtime, HAS(mtime_extra) ? raw->mtime_extra : 0);
    inode->ctime = read_time(raw->ctime, HAS(ctime_extra) ? raw->ctime_extra : 0);
    inode->btime = HAS(birth_extra) ? read_time(raw->birth, raw->birth_extra) : inode->ctime;
    node->disk_size = inode->size;
    node->orphan_after = raw->dtime;
    node->xattr_block = raw->xattr_block | (uint64_t)(fs->disk->incompatible & INCOMPAT_64BIT ? raw->xattr_block_high : 0) << 32;
    if (kind == S_IFCHR || kind == S_IFBLK) {
        uint32_t words[2];
        memcpy(words, raw->block, sizeof words);
        inode->rdev = words[0] ? (words[0] & 0xff) | (words[0] >> 8 & 0xff) << 8 : words[1];
    }
    if (inode->size < 0 || (uint64_t)inode->size > (uint64_t)NO_EXTENT << fs->block_bits) return ext4_damaged(fs, "the size of inode", node->ino);
    if (kind == S_IFLNK && inode->size >= 4096) return ext4_damaged(fs, "the symbolic link", node->ino);
    if (kind == S_IFDIR && (inode->size & (fs->block_size - 1) || !inode->size)) return ext4_damaged(fs, "the size of directory", node->ino);
    if (!has_extents(raw)) {
        memcpy(node->text, raw->block, sizeof node->text);
        return 0;
    }
    if (raw->flags & (INODE_INLINE | INODE_ENCRYPTED | INODE_COMPRESSED | INODE_VERITY | INODE_CASEFOLD) || !(raw->flags & INODE_EXTENTS)) {
        log_line("ext4: inode %u has no extents, as files of ext2 and ext3: copy it on Linux", (unsigned)node->ino);
        return -EOPNOTSUPP;
    }
    int error = ext4_extents_load(fs, node, raw->block);
    for (uint32_t i = 0; i < node->extent_count; i++) node->disk_blocks += node->extents[i].length;
    node->disk_blocks += node->tree_count;
    return error;
}

static void free_node(struct ext4 *fs, struct node *node) {
    if (fs->hand == node) fs->hand = node->next;
    struct node **at = bucket_of(fs, node->ino);
    while (*at && *at != node) at = &(*at)->hash_next;
    if (*at) *at = node->hash_next;
    if (node->link) {
        *node->link = node->next;
        if (node->next) node->next->link = node->link;
    }
    ext4_untouch(fs, node);
    ext4_names_drop(node);
    kfree(node->extents);
    kfree(node->tree);
    kfree(node->inode);
    kfree(node);
}

static struct node *make_node(struct ext4 *fs, uint32_t ino, uint32_t mode) {
    struct node *node = kzalloc(sizeof *node);
    struct inode *inode = node ? inode_create(ops_of(mode), &fs->super, mode) : NULL;
    if (!inode) {
        kfree(node);
        return NULL;
    }
    inode->data = node;
    inode->ino = ino;
    *node = (struct node){ .inode = inode, .ino = ino, .next = fs->first_node, .link = &fs->first_node, .hash_next = *bucket_of(fs, ino) };
    if (fs->first_node) fs->first_node->link = &node->next;
    fs->first_node = *bucket_of(fs, ino) = node;
    return node;
}

int ext4_inode(struct ext4 *fs, uint32_t ino, struct inode **out) {
    struct buffer *buffer;
    struct disk_inode *raw;
    if (ino < 1 || ino > fs->inodes || (ino < fs->disk->first_inode && ino != EXT4_ROOT)) return ext4_damaged(fs, "a name's inode", ino);
    struct node *node = *bucket_of(fs, ino);
    while (node && node->ino != ino) node = node->hash_next;
    if (node && node->inode->references++) {
        *out = node->inode;
        return 0;
    }
    int error = find_raw(fs, ino, &buffer, &raw);
    if (node) { /* it was on its way out: only its attributes left it */
        if (!error) error = ext4_xattrs_load(fs, node, raw);
        if (error) node->inode->references = 0;
        else *out = node->inode;
    } else if (!error && !(node = make_node(fs, ino, raw->mode))) {
        error = -ENOMEM;
    } else if (!error) {
        error = decode(fs, node, raw);
        if (!error) error = ext4_xattrs_load(fs, node, raw);
        if (!error) *out = node->inode;
        else {
            node->gone = true;
            *bucket_of(fs, ino) = node->hash_next; /* it was put there first */
            inode_put(node->inode); /* this frees it */
        }
    }
    ext4_release_buffer(buffer);
    return error;
}

int ext4_inode_new(struct ext4 *fs, struct inode *directory, uint32_t mode, struct inode **out) {
    uint32_t ino;
    bool is_folder = (mode & S_IFMT) == S_IFDIR;
    int error = ext4_inode_take(fs, node_of(directory)->ino, is_folder, &ino);
    if (error) return error;
    struct node *node = make_node(fs, ino, mode);
    if (!node) {
        ext4_inode_give(fs, ino, is_folder);
        return -ENOMEM;
    }
    struct inode *inode = *out = node->inode;
    inode->nlink = 0;
    node->is_new = true;
    node->generation = (uint32_t)clock_realtime_ns() ^ ino * 2654435761u;
    if (directory->mode & S_ISGID) {
        inode->gid = directory->gid;
        if (is_folder) inode->mode |= S_ISGID;
    }
    uint32_t kind = mode & S_IFMT;
    node->flags = kind == S_IFREG || kind == S_IFDIR ? INODE_EXTENTS : 0;
    node->disk_size = -1;
    ext4_touch(fs, node, true);
    return 0;
}

static void fill(struct ext4 *fs, struct node *node, struct disk_inode *raw) {
    const struct inode *inode = node->inode;
    bool is_folder = is_kind(inode, S_IFDIR);
    uint64_t blocks = node->disk_blocks * (fs->block_size / 512);
    raw->mode = (uint16_t)inode->mode;
    raw->uid = (uint16_t)inode->uid, raw->uid_high = (uint16_t)(inode->uid >> 16);
    raw->gid = (uint16_t)inode->gid, raw->gid_high = (uint16_t)(inode->gid >> 16);
    raw->size = (uint32_t)inode->size;
    if (is_kind(inode, S_IFREG)) raw->size_high = (uint32_t)((uint64_t)inode->size >> 32);
    raw->links = (uint16_t)(is_folder && inode->nlink > 65000 ? 1 : inode->nlink);
    raw->dtime = node->gone ? (uint32_t)(clock_realtime_ns() / 1000000000) : node->is_orphan && node->orphan_next ? node->orphan_next->ino : 0;
    raw->flags = node->flags & ~(uint32_t)INODE_HUGE;
    if (blocks >> 48) blocks = node->disk_blocks, raw->flags |= INODE_HUGE;
    raw->blocks = (uint32_t)blocks, raw->blocks_high = (uint16_t)(blocks >> 32);
    raw->generation = node->generation;
    raw->xattr_block = (uint32_t)node->xattr_block;
    if (fs->disk->incompatible & INCOMPAT_64BIT) raw->xattr_block_high = (uint16_t)(node->xattr_block >> 32);
    raw->atime = (uint32_t)inode->atime.seconds, raw->mtime = (uint32_t)inode->mtime.seconds, raw->ctime = (uint32_t)inode->ctime.seconds;
    if (HAS(atime_extra)) raw->atime_extra = extra_time(inode->atime);
    if (HAS(mtime_extra)) raw->mtime_extra = extra_time(inode->mtime);
    if (HAS(ctime_extra)) raw->ctime_extra = extra_time(inode->ctime);
    if (HAS(birth_extra)) raw->birth = (uint32_t)inode->btime.seconds, raw->birth_extra = extra_time(inode->btime);
}

int ext4_encode(struct ext4 *fs, struct node *node) {
    struct buffer *buffer;
    struct disk_inode *place, *raw;
    int error = find_raw(fs, node->ino, &buffer, &place);
    if (error) return error;
    if (!(raw = kmalloc(fs->inode_size))) {
        ext4_release_buffer(buffer);
        return -ENOMEM;
    }
    memcpy(raw, place, fs->inode_size);
    if (node->is_new) {
        memset(raw, 0, fs->inode_size);
        uint32_t extra = fs->disk->wanted_extra >= 32 && fs->disk->wanted_extra <= fs->inode_size - 128 && !(fs->disk->wanted_extra & 3) ? fs->disk->wanted_extra : 32;
        if (fs->inode_size > 128) raw->extra_size = (uint16_t)extra;
    }
    if (node->xattrs_changed) error = ext4_xattrs_store(fs, node, raw);
    if (!error) {
        node->xattrs_changed = false;
        fill(fs, node, raw);
        uint32_t kind = raw->mode & S_IFMT;
        if (kind == S_IFCHR || kind == S_IFBLK) {
            uint32_t words[2] = { 0, (uint32_t)node->inode->rdev };
            if (words[1] < 65536) words[0] = words[1], words[1] = 0; /* the short form, where it fits */
            memset(raw->block, 0, sizeof raw->block);
            memcpy(raw->block, words, sizeof words);
        } else if (!has_extents(raw)) {
            memcpy(raw->block, node->text, sizeof raw->block);
        } else if (node->extents_changed || node->is_new) {
            error = ext4_extents_store(fs, node, raw->block);
            if (!error) node->extents_changed = false;
        }
    }
    if (!error) {
        if (fs->checksums) {
            uint32_t sum = checksum_of(fs, node, raw);
            raw->checksum = (uint16_t)sum;
            if (HAS(checksum_high)) raw->checksum_high = (uint16_t)(sum >> 16);
        }
        node->is_new = false;
        node->disk_size = node->inode->size;
        if (memcmp(place, raw, fs->inode_size)) {
            memcpy(place, raw, fs->inode_size);
            ext4_change(fs, buffer);
        }
    }
    kfree(raw);
    ext4_release_buffer(buffer);
    return error;
}

void ext4_touch(struct ext4 *fs, struct node *node, bool needed) {
    if (needed) node->transaction = fs->transaction;
    if (node->is_touched) return;
    node->is_touched = true;
    node->touched_next = fs->touched;
    node->touched_link = &fs->touched;
    if (fs->touched) fs->touched->touched_link = &node->touched_next;
    fs->touched = node;
    ext4_opened(fs);
}

void ext4_untouch(struct ext4 *fs, struct node *node) {
    (void)fs;
    if (!node->is_touched) return;
    *node->touched_link = node->touched_next;
    if (node->touched_next) node->touched_next->touched_link = node->touched_link;
    node->is_touched = false;
}

void ext4_orphan_add(struct ext4 *fs, struct node *node) {
    if (node->is_orphan) return;
    node->is_orphan = true;
    node->orphan_previous = NULL;
    node->orphan_next = fs->orphans;
    if (fs->orphans) fs->orphans->orphan_previous = node;
    fs->orphans = node;
    ext4_touch(fs, node, true);
    ext4_change(fs, fs->super_buffer);
}

void ext4_orphan_remove(struct ext4 *fs, struct node *node) {
    if (!node->is_orphan) return;
    node->is_orphan = false;
    *(node->orphan_previous ? &node->orphan_previous->orphan_next : &fs->orphans) = node->orphan_next;
    if (node->orphan_next) node->orphan_next->orphan_previous = node->orphan_previous;
    if (node->orphan_previous) ext4_touch(fs, node->orphan_previous, true);
    ext4_touch(fs, node, true);
    ext4_change(fs, fs->super_buffer);
}

void ext4_release(struct inode *inode) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    if (!node->is_dying) {
        node->is_dying = true;
        node->dying_next = fs->dying;
        fs->dying = node;
    }
    if (fs->turn.owner) return; /* who has the lock does it at its end */
    ext4_lock(fs);
    ext4_unlock(fs);
}

/* It has no names and no users: its blocks and its number are free. */
static int destroy(struct ext4 *fs, struct node *node) {
    bool is_folder = is_kind(node->inode, S_IFDIR);
    ext4_orphan_remove(fs, node);
    node->inode->size = 0;
    int error = ext4_map_remove(fs, node, 0, NO_EXTENT);
    int failed = ext4_xattrs_drop(fs, node);
    if (!error) error = failed;
    node->gone = true;
    failed = ext4_encode(fs, node);
    if (!error) error = failed;
    failed = ext4_inode_give(fs, node->ino, is_folder);
    return error ? error : failed;
}

void ext4_bury(struct ext4 *fs) {
    while (fs->dying) {
        struct node *node = fs->dying;
        fs->dying = node->dying_next;
        node->is_dying = false;
        if (node->inode->references) continue; /* found again meanwhile */
        int error = 0;
        bool writes = !node->gone && !fs->failed && !fs->super.read_only;
        if (writes && node->inode->nlink) {
            if (node->dirty_count || node->lent_count) error = ext4_write_back(fs, node->inode);
            if (!error) error = ext4_encode(fs, node);
        }
        ext4_pages_drop(fs, node, 0, ~0ull);
        if (writes && !node->inode->nlink) error = destroy(fs, node);
        if (error) log_line("ext4: inode %u was not written as it should be (error %d)", (unsigned)node->ino, -error);
        if (node->is_orphan) ext4_orphan_remove(fs, node);
        free_node(fs, node);
    }
}

int ext4_orphans_open(struct ext4 *fs) {
    uint32_t ino = fs->disk->last_orphan;
    for (uint32_t i = 0; ino && i < fs->inodes; i++) {
        struct inode *inode;
        if (ext4_inode(fs, ino, &inode)) break; /* what cannot be read stays as it is: e2fsck knows more */
        struct node *node = node_of(inode);
        ino = node->orphan_after;
        if (!inode->nlink) ext4_orphan_add(fs, node);
        else if (is_kind(inode, S_IFREG)) { /* it was being cut off */
            ext4_map_remove(fs, node, (uint32_t)(((uint64_t)inode->size + fs->block_size - 1) >> fs->block_bits), NO_EXTENT);
            ext4_touch(fs, node, true);
        }
        inode_put(inode);
    }
    return 0;
}

/*
 * A time beyond what 34 bits of seconds from 1901 hold (32 in small inodes; kernel.org, ext4, "Inode Timestamps") becomes the last or first of these, as on
 * Linux, instead of another time after the next mount.
 */
static void limit_time(const struct ext4 *fs, struct linux_timespec *time) {
    const int64_t first = INT32_MIN, last = fs->inode_size > 128 ? 0x37fffffff : INT32_MAX;
    if (time->seconds < first || time->seconds >= last) *time = (struct linux_timespec){ time->seconds < first ? first : last, 0 };
}

int ext4_changed(struct inode *inode) {
    limit_time(ext4_of(inode), &inode->atime);
    limit_time(ext4_of(inode), &inode->mtime);
    struct ext4 *fs = ext4_of(inode);
    int error = ext4_begin(fs);
    if (error) return error;
    ext4_touch(fs, node_of(inode), false);
    ext4_unlock(fs);
    return 0;
}

int ext4_sync(struct inode *inode, bool data_only) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    ext4_lock(fs);
    int error = fs->failed ? -EIO : 0;
    if (!error && !fs->super.read_only) {
        if (!data_only) ext4_touch(fs, node, false);
        if (node->dirty_count || node->lent_count) error = ext4_write_back(fs, inode);
        bool needed = !data_only || node->transaction == fs->transaction || node->reserved_pages || inode->size != node->disk_size;
        if (!error) error = needed ? ext4_commit(fs) : ext4_flush(fs);
    }
    ext4_unlock(fs);
    return error;
}

uint64_t ext4_blocks(struct inode *inode) {
    const struct ext4 *fs = ext4_of(inode);
    const struct node *node = node_of(inode);
    return node->disk_blocks * (fs->block_size / 512) + node->reserved_pages * (PAGE_SIZE / 512);
}

int ext4_attribute_holder(struct inode *inode, bool changes, struct inode **out) {
    (void)changes;
    *out = inode;
    return 0;
}

const struct inode_ops ext4_node_ops = {
    .changed = ext4_changed, .sync = ext4_sync, .blocks = ext4_blocks, .attribute_holder = ext4_attribute_holder, .attributes_changed = ext4_attributes_changed,
    .release = ext4_release,
};
