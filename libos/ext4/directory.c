/*
 * Directories. On disk: linear blocks of entries; Linux's hash trees (dir_index) are read as the linear blocks that they also are, and given up by the first
 * name that is added (the flag goes, the index blocks become empty ones), which every reader understands. In memory: a table from a name's hash to its place,
 * made at the first look, so that large directories are fast.
 */
#include "ext4/internal.h"

enum { NO_PLACE = 0, GONE = 1 }; /* of a slot: its place is that of an entry, in bytes; "." lies at 0 */
struct names {
    uint32_t *hashes, *places, room, used; /* room: a power of two; used: with those that are gone */
    uint16_t *gaps;                        /* of each block: its largest gap */
    uint32_t blocks, gaps_room;
};

static uint32_t hash_of(const char *name, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t space_for(size_t length) { return (uint32_t)(8 + length + 3) & ~3u; }
static bool is_dot(const struct disk_entry *entry) { return entry->name[0] == '.' && (entry->length == 1 || (entry->length == 2 && entry->name[1] == '.')); }

uint64_t ext4_near(struct ext4 *fs, const struct node *node, uint32_t block) {
    uint32_t at = ext4_extent_at(node, block);
    if (at) return node->extents[at - 1].start + node->extents[at - 1].length;
    if (at < node->extent_count) return node->extents[at].start;
    return fs->first_data + 1 + (uint64_t)((node->ino - 1) / fs->group_inodes) * fs->group_blocks;
}

/* The entry at `offset`, or NULL: damaged. */
static struct disk_entry *entry_at(struct ext4 *fs, const uint8_t *data, uint32_t offset) {
    struct disk_entry *entry = (struct disk_entry *)(data + offset);
    if (offset + 8 > fs->block_size || entry->size < 8 || entry->size & 3 || entry->size > fs->block_size - offset) return NULL;
    if (entry->inode && (entry->size < space_for(entry->length) || !entry->length)) return NULL;
    return entry;
}

static bool is_tail(struct ext4 *fs, const struct disk_entry *entry, uint32_t offset) {
    return !entry->inode && entry->type == ENTRY_TAIL_TYPE && !entry->length && entry->size == 12 && offset + 12 == fs->block_size;
}

static int read_block(struct ext4 *fs, struct node *node, uint32_t block, struct buffer **out) {
    uint32_t run;
    bool unwritten;
    uint64_t place = ext4_map(node, block, &run, &unwritten);
    if (!place || unwritten) return ext4_damaged(fs, "a hole in directory", node->ino);
    int error = ext4_read(fs, place, out);
    if (error || ((*out)->kind == BUFFER_DIRECTORY && (*out)->seed == ext4_inode_seed(fs, node))) return error;
    const struct disk_tail *tail = (const void *)((*out)->data + fs->block_size - sizeof *tail);
    (*out)->kind = BUFFER_DIRECTORY;
    (*out)->seed = ext4_inode_seed(fs, node);
    if (!fs->checksums || tail->inode || tail->size != 12 || tail->length || tail->type != ENTRY_TAIL_TYPE) return 0; /* an index block has none */
    if (tail->checksum == ext4_crc32c((*out)->seed, (*out)->data, fs->block_size - sizeof *tail)) return 0;
    (*out)->kind = BUFFER_PLAIN;
    ext4_release_buffer(*out);
    return ext4_damaged(fs, "the checksum of a block of directory", node->ino);
}

static uint32_t gap_of(struct ext4 *fs, const struct disk_entry *entry, uint32_t offset) {
    if (is_tail(fs, entry, offset)) return 0;
    return entry->inode ? entry->size - space_for(entry->length) : entry->size;
}

/* ---- The table ---- */
void ext4_names_drop(struct node *node) {
    if (!node->names) return;
    kfree(node->names->hashes);
    kfree(node->names->places);
    kfree(node->names->gaps);
    kfree(node->names);
    node->names = NULL;
}

static int resize(struct names *names, uint32_t room) {
    uint32_t *hashes = kmalloc(room * sizeof *hashes), *places = kzalloc(room * sizeof *places), used = 0;
    if (!hashes || !places) {
        kfree(hashes);
        kfree(places);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < names->room; i++) {
        if (names->places[i] <= GONE) continue;
        uint32_t at = names->hashes[i] & (room - 1);
        while (places[at]) at = (at + 1) & (room - 1);
        hashes[at] = names->hashes[i];
        places[at] = names->places[i];
        used++;
    }
    kfree(names->hashes);
    kfree(names->places);
    names->hashes = hashes, names->places = places, names->room = room, names->used = used;
    return 0;
}

static int remember(struct names *names, uint32_t hash, uint32_t place) {
    if (names->used + 1 > names->room / 4 * 3) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < names->room; i++) live += names->places[i] > GONE;
        int error = resize(names, live > names->room / 3 ? names->room * 2 : names->room);
        if (error) return error;
    }
    uint32_t at = hash & (names->room - 1);
    while (names->places[at]) at = (at + 1) & (names->room - 1);
    names->hashes[at] = hash;
    names->places[at] = place;
    names->used++;
    return 0;
}

static void forget(struct names *names, uint32_t hash, uint32_t place) {
    for (uint32_t at = hash & (names->room - 1); names->places[at]; at = (at + 1) & (names->room - 1))
        if (names->places[at] == place) {
            names->places[at] = GONE;
            return;
        }
}

static int set_gap(struct names *names, uint32_t block, uint32_t gap) {
    if (block >= names->gaps_room) {
        uint32_t room = names->gaps_room ? names->gaps_room * 2 : 4;
        while (room <= block) room *= 2;
        uint16_t *larger = kzalloc(room * sizeof *larger);
        if (!larger) return -ENOMEM;
        if (names->blocks) memcpy(larger, names->gaps, names->blocks * sizeof *larger);
        kfree(names->gaps);
        names->gaps = larger;
        names->gaps_room = room;
    }
    if (block >= names->blocks) names->blocks = block + 1;
    names->gaps[block] = (uint16_t)gap;
    return 0;
}

static int scan_block(struct ext4 *fs, struct node *node, struct names *names, uint32_t block) {
    struct buffer *buffer;
    int error = read_block(fs, node, block, &buffer);
    if (error) return error;
    uint32_t gap = 0;
    for (uint32_t offset = 0; offset < fs->block_size && !error;) {
        struct disk_entry *entry = entry_at(fs, buffer->data, offset);
        if (!entry) {
            error = ext4_damaged(fs, "directory", node->ino);
            break;
        }
        if (gap_of(fs, entry, offset) > gap) gap = gap_of(fs, entry, offset);
        if (entry->inode && !is_dot(entry)) error = remember(names, hash_of(entry->name, entry->length), block * fs->block_size + offset);
        offset += entry->size;
    }
    ext4_release_buffer(buffer);
    return error ? error : set_gap(names, block, gap);
}

static int load_names(struct ext4 *fs, struct node *node) {
    if (node->names) return 0;
    uint64_t blocks = (uint64_t)node->inode->size >> fs->block_bits;
    if (blocks << fs->block_bits >> 31) return -EFBIG;
    struct names *names = kzalloc(sizeof *names);
    if (!names) return -ENOMEM;
    int error = resize(names, 16);
    for (uint32_t block = 0; block < blocks && !error; block++) error = scan_block(fs, node, names, block);
    node->names = names;
    if (error) ext4_names_drop(node);
    return error;
}

/* The entry of a name: its block, pinned, and its place in it. */
static int find(struct ext4 *fs, struct node *node, const char *name, size_t length, struct buffer **out, uint32_t *place) {
    int error = load_names(fs, node);
    if (error) return error;
    struct names *names = node->names;
    uint32_t hash = hash_of(name, length);
    for (uint32_t at = hash & (names->room - 1); names->places[at]; at = (at + 1) & (names->room - 1)) {
        if (names->places[at] == GONE || names->hashes[at] != hash) continue;
        error = read_block(fs, node, names->places[at] >> fs->block_bits, out);
        if (error) return error;
        uint32_t offset = names->places[at] & (fs->block_size - 1);
        struct disk_entry *entry = entry_at(fs, (*out)->data, offset);
        if (entry && entry->inode && entry->length == length && !memcmp(entry->name, name, length)) {
            *place = names->places[at];
            return 0;
        }
        ext4_release_buffer(*out);
    }
    return -ENOENT;
}
static struct disk_entry *found(struct ext4 *fs, struct buffer *buffer, uint32_t place) { return (struct disk_entry *)(buffer->data + (place & (fs->block_size - 1))); }

static uint8_t type_of(uint32_t mode) {
    static const uint8_t types[16] = { [1] = 5, [2] = 3, [4] = 2, [6] = 4, [8] = 1, [10] = 7, [12] = 6 };
    return types[mode >> 12 & 15];
}
static uint32_t mode_of(uint8_t type) {
    static const uint32_t modes[8] = { 0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK };
    return modes[type & 7];
}

static uint32_t tail_size(const struct ext4 *fs) { return fs->checksums ? 12 : 0; }
static void put_tail(struct ext4 *fs, uint8_t *data) {
    if (fs->checksums) *(struct disk_tail *)(data + fs->block_size - 12) = (struct disk_tail){ 0, 12, 0, ENTRY_TAIL_TYPE, 0 };
}

/* The hash tree's blocks become empty linear ones. */
static int give_up_index(struct ext4 *fs, struct node *node) {
    struct buffer *root, *buffer;
    if (!(node->flags & INODE_INDEXED)) return 0;
    int error = read_block(fs, node, 0, &root);
    if (error) return error;
    uint8_t levels = root->data[30];
    uint16_t limit, count;
    memcpy(&limit, root->data + 32, 2);
    memcpy(&count, root->data + 34, 2);
    if (levels > 1 || count > limit || 32u + 8u * limit > fs->block_size) error = ext4_damaged(fs, "the index of directory", node->ino);
    for (uint32_t i = 0; i < count && levels && !error; i++) {
        uint32_t block;
        memcpy(&block, root->data + 32 + 8 * i + 4, 4);
        block &= 0x0fffffff;
        if ((uint64_t)block << fs->block_bits >= (uint64_t)node->inode->size || !block) error = ext4_damaged(fs, "the index of directory", node->ino);
        else if (!(error = read_block(fs, node, block, &buffer))) {
            memset(buffer->data, 0, fs->block_size);
            ((struct disk_entry *)buffer->data)->size = (uint16_t)(fs->block_size - tail_size(fs));
            put_tail(fs, buffer->data);
            ext4_change(fs, buffer);
            ext4_release_buffer(buffer);
        }
    }
    struct disk_entry *dots = (struct disk_entry *)(root->data + 12);
    if (!error && (dots->length != 2 || ((struct disk_entry *)root->data)->size != 12)) error = ext4_damaged(fs, "directory", node->ino);
    if (!error) {
        dots->size = (uint16_t)(fs->block_size - 12 - tail_size(fs));
        memset(root->data + 24, 0, fs->block_size - 24);
        put_tail(fs, root->data);
        ext4_change(fs, root);
        node->flags &= ~(uint32_t)INODE_INDEXED;
        ext4_touch(fs, node, true);
        ext4_names_drop(node); /* it has other gaps now */
        error = load_names(fs, node);
    }
    ext4_release_buffer(root);
    return error;
}

static int append_block(struct ext4 *fs, struct node *node, uint32_t *block) {
    struct buffer *buffer;
    uint32_t run, at = *block = (uint32_t)((uint64_t)node->inode->size >> fs->block_bits);
    bool unwritten;
    if (!ext4_room(fs, 8)) return -ENOSPC;
    int error = ext4_map_new(fs, node, at, 1, false);
    if (!error) error = ext4_fresh(fs, ext4_map(node, at, &run, &unwritten), &buffer);
    if (error) return error;
    buffer->kind = BUFFER_DIRECTORY;
    buffer->seed = ext4_inode_seed(fs, node);
    ((struct disk_entry *)buffer->data)->size = (uint16_t)(fs->block_size - tail_size(fs));
    put_tail(fs, buffer->data);
    ext4_change(fs, buffer);
    ext4_release_buffer(buffer);
    node->inode->size += fs->block_size;
    ext4_touch(fs, node, true);
    return node->names ? set_gap(node->names, at, fs->block_size - tail_size(fs)) : 0;
}

static int largest_gap(struct ext4 *fs, struct node *node, const struct buffer *buffer, uint32_t block) {
    uint32_t gap = 0;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        struct disk_entry *entry = entry_at(fs, buffer->data, offset);
        if (!entry) return ext4_damaged(fs, "directory", node->ino);
        if (gap_of(fs, entry, offset) > gap) gap = gap_of(fs, entry, offset);
        offset += entry->size;
    }
    return set_gap(node->names, block, gap);
}

static int add(struct ext4 *fs, struct node *node, const char *name, size_t length, uint32_t ino, uint32_t mode) {
    uint32_t need = space_for(length), block;
    int error = load_names(fs, node);
    if (!error) error = give_up_index(fs, node);
    if (error) return error;
    for (block = 0; block < node->names->blocks && node->names->gaps[block] < need; block++) {}
    if (block == node->names->blocks && (error = append_block(fs, node, &block))) return error;
    struct buffer *buffer;
    if ((error = read_block(fs, node, block, &buffer))) return error;
    error = -EIO;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        struct disk_entry *entry = entry_at(fs, buffer->data, offset);
        if (!entry) break;
        if (gap_of(fs, entry, offset) < need) {
            offset += entry->size;
            continue;
        }
        if ((error = remember(node->names, hash_of(name, length), block * fs->block_size + offset + (entry->inode ? space_for(entry->length) : 0)))) break;
        if (entry->inode) {
            uint16_t used = (uint16_t)space_for(entry->length), rest = (uint16_t)(entry->size - used);
            entry->size = used;
            entry = (struct disk_entry *)((uint8_t *)entry + used);
            entry->size = rest;
        }
        entry->inode = ino;
        entry->length = (uint8_t)length;
        entry->type = type_of(mode);
        memcpy(entry->name, name, length);
        ext4_change(fs, buffer);
        error = largest_gap(fs, node, buffer, block);
        break;
    }
    ext4_release_buffer(buffer);
    ext4_touch(fs, node, true);
    return error;
}

static int take_out(struct ext4 *fs, struct node *node, const char *name, size_t length, struct buffer *buffer, uint32_t place) {
    uint32_t wanted = place & (fs->block_size - 1), before = 0;
    struct disk_entry *entry = found(fs, buffer, place);
    for (uint32_t offset = 0; offset < wanted;) {
        struct disk_entry *at = entry_at(fs, buffer->data, offset);
        if (!at) return ext4_damaged(fs, "directory", node->ino);
        before = offset;
        offset += at->size;
    }
    forget(node->names, hash_of(name, length), place);
    entry->inode = 0;
    if (wanted) ((struct disk_entry *)(buffer->data + before))->size += entry->size;
    ext4_change(fs, buffer);
    ext4_touch(fs, node, true);
    return largest_gap(fs, node, buffer, place >> fs->block_bits);
}

/* ---- What the VFS asks for ---- */
static int directory_lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    struct ext4 *fs = ext4_of(directory);
    struct buffer *buffer;
    uint32_t place;
    ext4_lock(fs);
    int error = find(fs, node_of(directory), name, length, &buffer, &place);
    if (!error) {
        uint32_t ino = found(fs, buffer, place)->inode;
        ext4_release_buffer(buffer);
        error = ext4_inode(fs, ino, out);
        if (!error && !(*out)->nlink) {
            inode_put(*out);
            error = ext4_damaged(fs, "a name's inode", ino);
        }
    }
    ext4_unlock(fs);
    return error;
}

/* "." and ".." of a new directory. */
static int make_dots(struct ext4 *fs, struct node *node, uint32_t parent) {
    uint32_t block, run;
    bool unwritten;
    struct buffer *buffer;
    int error = append_block(fs, node, &block);
    if (!error) error = ext4_read(fs, ext4_map(node, 0, &run, &unwritten), &buffer);
    if (error) return error;
    struct disk_entry *dot = (struct disk_entry *)buffer->data, *dots = (struct disk_entry *)(buffer->data + 12);
    *dot = (struct disk_entry){ node->ino, 12, 1, 2 };
    dot->name[0] = '.';
    *dots = (struct disk_entry){ parent, (uint16_t)(fs->block_size - 12 - tail_size(fs)), 2, 2 };
    dots->name[0] = dots->name[1] = '.';
    ext4_release_buffer(buffer);
    return 0;
}

static int set_parent(struct ext4 *fs, struct node *node, uint32_t parent) {
    struct buffer *buffer;
    int error = read_block(fs, node, 0, &buffer);
    if (error) return error;
    struct disk_entry *dots = (struct disk_entry *)(buffer->data + 12);
    if (((struct disk_entry *)buffer->data)->size == 12 && dots->length == 2) dots->inode = parent;
    else error = ext4_damaged(fs, "directory", node->ino);
    ext4_change(fs, buffer);
    ext4_release_buffer(buffer);
    return error;
}

static void count_folder(struct inode *directory, int change) {
    if (directory->nlink > 1) directory->nlink += (uint32_t)change; /* 1: too many to count */
}

/* A new inode gets its name; a failure gives it up. */
static int enter(struct ext4 *fs, struct inode *directory, const char *name, size_t length, struct inode *inode) {
    int error = is_kind(inode, S_IFDIR) ? make_dots(fs, node_of(inode), node_of(directory)->ino) : 0;
    if (!error) error = add(fs, node_of(directory), name, length, node_of(inode)->ino, inode->mode);
    if (error) {
        inode_put(inode);
        return error;
    }
    inode->nlink = is_kind(inode, S_IFDIR) ? 2 : 1;
    if (is_kind(inode, S_IFDIR)) count_folder(directory, 1);
    return 0;
}

static int directory_create(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev, struct inode **out) {
    struct ext4 *fs = ext4_of(directory);
    int error = ext4_begin(fs);
    if (error) return error;
    error = ext4_inode_new(fs, directory, mode, out);
    if (!error) {
        (*out)->rdev = rdev;
        error = enter(fs, directory, name, length, *out);
    }
    ext4_unlock(fs);
    return error;
}

static int directory_symlink(struct inode *directory, const char *name, size_t length, const char *target, struct inode **out) {
    struct ext4 *fs = ext4_of(directory);
    size_t size = strlen(target);
    uint64_t physical;
    if (size >= fs->block_size || size >= PAGE_SIZE) return -ENAMETOOLONG;
    int error = ext4_begin(fs);
    if (error) return error;
    error = ext4_inode_new(fs, directory, S_IFLNK | 0777, out);
    if (!error) {
        struct node *node = node_of(*out);
        (*out)->size = (int64_t)size;
        if (size < sizeof node->text) {
            memcpy(node->text, target, size);
        } else {
            node->flags |= INODE_EXTENTS;
            error = ext4_page(fs, *out, 0, true, &physical);
            if (!error) memcpy(phys_to_virt(physical), target, size);
            if (!error) error = ext4_page_dirty(fs, node, 0, physical);
        }
        if (error) inode_put(*out);
        else error = enter(fs, directory, name, length, *out);
    }
    ext4_unlock(fs);
    return error;
}

static int directory_temporary(struct inode *directory, uint32_t mode, struct inode **out) {
    struct ext4 *fs = ext4_of(directory);
    int error = ext4_begin(fs);
    if (error) return error;
    error = ext4_inode_new(fs, directory, mode, out);
    if (!error) ext4_orphan_add(fs, node_of(*out));
    ext4_unlock(fs);
    return error;
}

static int directory_link(struct inode *directory, const char *name, size_t length, struct inode *target) {
    struct ext4 *fs = ext4_of(directory);
    if (target->nlink >= 65000) return -EMLINK;
    int error = ext4_begin(fs);
    if (error) return error;
    error = add(fs, node_of(directory), name, length, node_of(target)->ino, target->mode);
    if (!error) {
        target->nlink++;
        ext4_orphan_remove(fs, node_of(target));
        ext4_touch(fs, node_of(target), true);
    }
    ext4_unlock(fs);
    return error;
}

static bool is_empty(struct ext4 *fs, struct node *node, int *error) {
    *error = load_names(fs, node);
    for (uint32_t i = 0; !*error && i < node->names->room; i++)
        if (node->names->places[i] > GONE) return false;
    return true;
}

/* One name of it is gone. */
static void drop_name(struct ext4 *fs, struct inode *directory, struct inode *victim) {
    if (is_kind(victim, S_IFDIR)) {
        victim->nlink = 0;
        count_folder(directory, -1);
    } else if (victim->nlink) {
        victim->nlink--;
    }
    if (!victim->nlink) ext4_orphan_add(fs, node_of(victim));
    ext4_touch(fs, node_of(victim), true);
    ext4_touch(fs, node_of(directory), true);
}

static int directory_unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    struct ext4 *fs = ext4_of(directory);
    struct buffer *buffer;
    uint32_t place;
    int error = ext4_begin(fs);
    if (error) return error;
    if (is_kind(victim, S_IFDIR) && !is_empty(fs, node_of(victim), &error)) error = -ENOTEMPTY;
    if (!error) error = find(fs, node_of(directory), name, length, &buffer, &place);
    if (!error) {
        error = found(fs, buffer, place)->inode == node_of(victim)->ino ? take_out(fs, node_of(directory), name, length, buffer, place) : -ENOENT;
        ext4_release_buffer(buffer);
        if (!error) drop_name(fs, directory, victim);
    }
    ext4_unlock(fs);
    return error;
}

static int point_to(struct ext4 *fs, struct node *directory, const char *name, size_t length, struct inode *inode) {
    struct buffer *buffer;
    uint32_t place;
    int error = find(fs, directory, name, length, &buffer, &place);
    if (error) return error;
    found(fs, buffer, place)->inode = node_of(inode)->ino;
    found(fs, buffer, place)->type = type_of(inode->mode);
    ext4_change(fs, buffer);
    ext4_release_buffer(buffer);
    ext4_touch(fs, directory, true);
    ext4_touch(fs, node_of(inode), true);
    return 0;
}

static int move(struct ext4 *fs, struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to, const char *new_name, size_t new_length,
                struct inode *replaced) {
    struct buffer *buffer;
    uint32_t place;
    int error = 0;
    if (replaced && is_kind(replaced, S_IFDIR) && !is_empty(fs, node_of(replaced), &error)) return -ENOTEMPTY;
    if (error) return error;
    error = replaced ? point_to(fs, node_of(to), new_name, new_length, moved) : add(fs, node_of(to), new_name, new_length, node_of(moved)->ino, moved->mode);
    if (!error) error = find(fs, node_of(from), name, length, &buffer, &place);
    if (error) return error;
    error = take_out(fs, node_of(from), name, length, buffer, place);
    ext4_release_buffer(buffer);
    if (error) return error;
    if (replaced) drop_name(fs, to, replaced);
    ext4_touch(fs, node_of(moved), true);
    if (!is_kind(moved, S_IFDIR) || from == to) return 0;
    count_folder(from, -1);
    count_folder(to, 1);
    return set_parent(fs, node_of(moved), node_of(to)->ino);
}

static int directory_rename(struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to, const char *new_name, size_t new_length,
                            struct inode *replaced, bool exchange) {
    struct ext4 *fs = ext4_of(from);
    int error = ext4_begin(fs);
    if (error) return error;
    if (!exchange) {
        error = move(fs, from, name, length, moved, to, new_name, new_length, replaced);
    } else {
        error = point_to(fs, node_of(to), new_name, new_length, moved);
        if (!error) error = point_to(fs, node_of(from), name, length, replaced);
        if (!error && is_kind(moved, S_IFDIR) && from != to) error = set_parent(fs, node_of(moved), node_of(to)->ino);
        if (!error && is_kind(replaced, S_IFDIR) && from != to) error = set_parent(fs, node_of(replaced), node_of(from)->ino);
        int change = is_kind(replaced, S_IFDIR) - is_kind(moved, S_IFDIR);
        count_folder(from, change);
        count_folder(to, -change);
    }
    ext4_unlock(fs);
    return error;
}

/* A block's names go out of a copy: the sink may look for them here, or fault. */
static int pass_on(struct ext4 *fs, struct node *node, const uint8_t *data, uint32_t block, int64_t position, struct dirent_sink *sink) {
    for (uint32_t offset = 0; offset < fs->block_size;) {
        const struct disk_entry *entry = entry_at(fs, data, offset);
        int64_t at = (int64_t)block * fs->block_size + offset;
        if (!entry) return ext4_damaged(fs, "directory", node->ino);
        for (unsigned i = 0; entry->inode && i < entry->length; i++)
            if (!entry->name[i] || entry->name[i] == '/') return ext4_damaged(fs, "directory", node->ino);
        if (entry->inode && at >= position && !sink->add(sink, entry->name, entry->length, entry->inode, mode_of(entry->type), at + entry->size)) return 1;
        offset += entry->size;
    }
    return 0;
}

static int directory_iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    struct ext4 *fs = ext4_of(directory);
    struct node *node = node_of(directory);
    uint8_t *copy = kmalloc(fs->block_size);
    int error = copy ? 0 : -ENOMEM;
    if (!directory->nlink) position = directory->size; /* it was removed */
    for (int64_t at = position < 0 ? 0 : position; at < directory->size && !error; at = ((at >> fs->block_bits) + 1) << fs->block_bits) {
        struct buffer *buffer;
        uint32_t block = (uint32_t)(at >> fs->block_bits);
        ext4_lock(fs);
        error = read_block(fs, node, block, &buffer);
        if (!error) {
            memcpy(copy, buffer->data, fs->block_size);
            ext4_release_buffer(buffer);
        }
        ext4_unlock(fs);
        if (!error) error = pass_on(fs, node, copy, block, position, sink);
    }
    kfree(copy);
    return error < 0 ? error : 0;
}

const struct inode_ops ext4_directory_ops = {
    .lookup = directory_lookup, .create = directory_create, .symlink = directory_symlink, .link = directory_link, .unlink = directory_unlink,
    .rename = directory_rename, .iterate = directory_iterate, .temporary = directory_temporary, .changed = ext4_changed, .sync = ext4_sync, .blocks = ext4_blocks,
    .attribute_holder = ext4_attribute_holder, .attributes_changed = ext4_attributes_changed, .release = ext4_release,
};
