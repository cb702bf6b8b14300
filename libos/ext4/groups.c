/*
 * Block groups: which blocks and inodes are in use. Owns descriptors and bitmaps, and the count of what is free.
 *
 * A block that was freed is not given to anybody before the transaction that freed it is on the device: until then a crash would bring its old owner back.
 * `before` has, for groups where that matters, the bitmap as it was at the last commit; a block is free when both say so.
 */
#include "ext4/internal.h"

static bool bit(const uint8_t *map, uint32_t at) { return map[at >> 3] >> (at & 7) & 1; }
static void set_bit(uint8_t *map, uint32_t at) { map[at >> 3] |= (uint8_t)(1u << (at & 7)); }
static void clear_bit(uint8_t *map, uint32_t at) { map[at >> 3] &= (uint8_t)~(1u << (at & 7)); }

static bool wide(const struct ext4 *fs) { return fs->group_size >= 64; }
static uint64_t joined(uint32_t low, uint32_t high, const struct ext4 *fs) { return low | (wide(fs) ? (uint64_t)high << 32 : 0); }
static uint64_t group_start(const struct ext4 *fs, uint32_t group) { return fs->first_data + (uint64_t)group * fs->group_blocks; }
static uint32_t blocks_in(const struct ext4 *fs, uint32_t group) {
    uint64_t left = fs->blocks - group_start(fs, group);
    return left < fs->group_blocks ? (uint32_t)left : fs->group_blocks;
}
uint64_t ext4_inode_table(struct ext4 *fs, const struct disk_group *group) { return joined(group->inode_table, group->inode_table_high, fs); }

bool ext4_blocks_valid(const struct ext4 *fs, uint64_t start, uint64_t count) {
    return start > fs->first_data && start < fs->blocks && count <= fs->blocks - start;
}

struct disk_group *ext4_group(struct ext4 *fs, uint32_t group, struct buffer **out) {
    if (ext4_read(fs, fs->first_data + 1 + group / fs->groups_in_block, out)) return NULL;
    (*out)->kind = BUFFER_GROUPS;
    return (struct disk_group *)((*out)->data + group % fs->groups_in_block * fs->group_size);
}

static uint16_t checksum_of(struct ext4 *fs, uint32_t number, const struct disk_group *group) {
    const uint8_t *bytes = (const uint8_t *)group;
    const unsigned place = __builtin_offsetof(struct disk_group, checksum);
    const uint16_t none = 0;
    if (fs->checksums) {
        uint32_t crc = ext4_crc32c(fs->seed, &number, 4);
        crc = ext4_crc32c(crc, bytes, place);
        crc = ext4_crc32c(crc, &none, 2);
        return (uint16_t)ext4_crc32c(crc, bytes + place + 2, fs->group_size - place - 2);
    }
    uint16_t crc = ext4_crc16(0xffff, fs->disk->uuid, 16);
    crc = ext4_crc16(crc, &number, 4);
    crc = ext4_crc16(crc, bytes, place);
    return wide(fs) ? ext4_crc16(crc, bytes + place + 2, fs->group_size - place - 2) : crc;
}

void ext4_group_seal(struct ext4 *fs, uint32_t number, struct disk_group *group) {
    if (fs->checksums || fs->group_checksums) group->checksum = checksum_of(fs, number, group);
}

static bool has_super(const struct ext4 *fs, uint32_t group) {
    if (!fs->sparse_super || group <= 1) return true;
    for (uint32_t base = 3; base <= 7; base += 2)
        for (uint64_t power = base; power <= group; power *= base)
            if (power == group) return true;
    return false;
}

/* A bitmap that was never written: what its own group's structures take. */
static void make_up_blocks(struct ext4 *fs, uint32_t number, const struct disk_group *group, uint8_t *map) {
    uint64_t start = group_start(fs, number), tables = ((uint64_t)fs->group_inodes * fs->inode_size + fs->block_size - 1) >> fs->block_bits;
    uint64_t places[][2] = { { joined(group->block_bitmap, group->block_bitmap_high, fs), 1 }, { joined(group->inode_bitmap, group->inode_bitmap_high, fs), 1 },
                             { ext4_inode_table(fs, group), tables } };
    uint32_t head = has_super(fs, number) ? 1 + (fs->groups + fs->groups_in_block - 1) / fs->groups_in_block + fs->disk->reserved_table_blocks : 0;
    memset(map, 0, fs->block_size);
    for (uint32_t i = 0; i < head && i < fs->group_blocks; i++) set_bit(map, i);
    for (unsigned i = 0; i < 3; i++)
        for (uint64_t at = places[i][0]; at < places[i][0] + places[i][1]; at++)
            if (at >= start && at - start < fs->group_blocks) set_bit(map, (uint32_t)(at - start));
    for (uint32_t i = blocks_in(fs, number); i < fs->block_size * 8; i++) set_bit(map, i);
}

/* A group's bitmap, pinned, fit to be changed: made up when it never was. */
static int bitmap(struct ext4 *fs, uint32_t number, bool inodes, struct disk_group *group, struct buffer *holder, struct buffer **out) {
    uint64_t block = inodes ? joined(group->inode_bitmap, group->inode_bitmap_high, fs) : joined(group->block_bitmap, group->block_bitmap_high, fs);
    uint16_t never = inodes ? GROUP_NO_INODES : GROUP_NO_BLOCKS;
    if (!ext4_blocks_valid(fs, block, 1)) return ext4_damaged(fs, "the bitmap of group", number);
    if (!(group->flags & never) || !(fs->checksums || fs->group_checksums)) {
        int error = ext4_read(fs, block, out);
        if (error || !fs->checksums || (*out)->dirty) return error;
        uint32_t crc = ext4_crc32c(fs->seed, (*out)->data, (inodes ? fs->group_inodes : fs->group_blocks) / 8);
        uint32_t wanted = inodes ? group->inode_checksum | (wide(fs) ? (uint32_t)group->inode_checksum_high << 16 : 0)
                                 : group->block_checksum | (wide(fs) ? (uint32_t)group->block_checksum_high << 16 : 0);
        if ((wide(fs) ? crc : crc & 0xffff) == wanted) return 0;
        ext4_release_buffer(*out);
        *out = NULL;
        return ext4_damaged(fs, "the checksum of a bitmap of group", number);
    }
    int error = ext4_fresh(fs, block, out);
    if (error) return error;
    if (!inodes) make_up_blocks(fs, number, group, (*out)->data);
    else memset((*out)->data + fs->group_inodes / 8, 0xff, fs->block_size - fs->group_inodes / 8);
    group->flags &= (uint16_t)~never;
    ext4_change(fs, *out);
    ext4_change(fs, holder);
    return 0;
}

static uint32_t free_in(const struct ext4 *fs, const struct disk_group *group) { return group->free_blocks | (wide(fs) ? (uint32_t)group->free_blocks_high << 16 : 0); }
static void set_free(const struct ext4 *fs, struct disk_group *group, uint32_t count) {
    group->free_blocks = (uint16_t)count;
    if (wide(fs)) group->free_blocks_high = (uint16_t)(count >> 16);
}
static uint32_t free_inodes_in(const struct ext4 *fs, const struct disk_group *group) { return group->free_inodes | (wide(fs) ? (uint32_t)group->free_inodes_high << 16 : 0); }
static void set_free_inodes(const struct ext4 *fs, struct disk_group *group, uint32_t count) {
    group->free_inodes = (uint16_t)count;
    if (wide(fs)) group->free_inodes_high = (uint16_t)(count >> 16);
}

/* After a bitmap changed: its checksum and the descriptor's. */
static void seal(struct ext4 *fs, uint32_t number, struct disk_group *group, struct buffer *holder, struct buffer *map, bool inodes) {
    if (fs->checksums) {
        uint32_t crc = ext4_crc32c(fs->seed, map->data, (inodes ? fs->group_inodes : fs->group_blocks) / 8);
        if (inodes) group->inode_checksum = (uint16_t)crc;
        else group->block_checksum = (uint16_t)crc;
        if (wide(fs) && inodes) group->inode_checksum_high = (uint16_t)(crc >> 16);
        if (wide(fs) && !inodes) group->block_checksum_high = (uint16_t)(crc >> 16);
    }
    ext4_group_seal(fs, number, group);
    ext4_change(fs, map);
    ext4_change(fs, holder);
}

/* The first run of free blocks at or behind `from`, of at most `most`, the first one that has `least` of them; 0: none. */
static uint32_t find_run(const uint8_t *now, const uint8_t *before, uint32_t from, uint32_t end, uint32_t least, uint32_t most, uint32_t *start) {
    for (uint32_t at = from; at < end;) {
        if (!(at & 7) && now[at >> 3] == 0xff) {
            at += 8;
            continue;
        }
        uint32_t length = 0;
        while (at + length < end && length < most && !bit(now, at + length) && (!before || !bit(before, at + length))) length++;
        if (length && length >= least) {
            *start = at;
            return length;
        }
        at += length + 1;
    }
    return 0;
}

static int take_in(struct ext4 *fs, uint32_t number, uint32_t from, uint32_t least, uint32_t most, uint64_t *start, uint32_t *count) {
    struct buffer *holder, *map;
    struct disk_group *group = ext4_group(fs, number, &holder);
    if (!group) return -EIO;
    int error = -ENOSPC;
    if (!free_in(fs, group) || free_in(fs, group) < least) goto out;
    error = bitmap(fs, number, false, group, holder, &map);
    if (error) goto out;
    uint32_t at, end = blocks_in(fs, number);
    *count = from < end ? find_run(map->data, fs->before[number], from, end, least, most, &at) : 0;
    if (!*count && from) *count = find_run(map->data, fs->before[number], 0, end, least, most, &at);
    error = *count ? 0 : -ENOSPC;
    if (*count) {
        for (uint32_t i = 0; i < *count; i++) set_bit(map->data, at + i);
        *start = group_start(fs, number) + at;
        uint32_t left = free_in(fs, group);
        set_free(fs, group, left > *count ? left - *count : 0);
        fs->free_blocks -= fs->free_blocks < *count ? fs->free_blocks : *count;
        seal(fs, number, group, holder, map, false);
        if (!ext4_blocks_valid(fs, *start, *count)) error = ext4_damaged(fs, "a free block in group", number);
    }
    ext4_release_buffer(map);
out:
    ext4_release_buffer(holder);
    return error;
}

int ext4_blocks_take(struct ext4 *fs, uint64_t near, uint32_t most, uint64_t *start, uint32_t *count) {
    if (near <= fs->first_data || near >= fs->blocks) near = fs->first_data + 1;
    uint32_t home = (uint32_t)((near - fs->first_data) / fs->group_blocks), within = (uint32_t)((near - fs->first_data) % fs->group_blocks);
    if (most > EXTENT_MOST - 1) most = EXTENT_MOST - 1;
    uint32_t least = most < 64 ? most : 64;
    for (int hard = 0; hard < 2; hard++) { /* first a good run, then any */
        for (uint32_t i = 0; i < fs->groups; i++) {
            uint32_t number = (home + i) % fs->groups;
            int error = take_in(fs, number, i ? 0 : within, hard ? 1 : least, most, start, count);
            if (error != -ENOSPC) return error;
        }
        if (least == 1) break;
    }
    return -ENOSPC;
}

int ext4_blocks_give(struct ext4 *fs, uint64_t start, uint64_t count) {
    if (!ext4_blocks_valid(fs, start, count)) return ext4_damaged(fs, "blocks to be freed", start);
    while (count) {
        uint32_t number = (uint32_t)((start - fs->first_data) / fs->group_blocks), within = (uint32_t)((start - fs->first_data) % fs->group_blocks);
        uint32_t here = fs->group_blocks - within < count ? fs->group_blocks - within : (uint32_t)count, freed = 0;
        struct buffer *holder, *map = NULL;
        struct disk_group *group = ext4_group(fs, number, &holder);
        if (!group) return -EIO;
        int error = bitmap(fs, number, false, group, holder, &map);
        if (!error && !fs->before[number]) {
            if ((fs->before[number] = kmalloc(fs->block_size))) memcpy(fs->before[number], map->data, fs->block_size);
            else error = -ENOMEM;
        }
        for (uint32_t i = 0; i < here && !error; i++) {
            if (bit(map->data, within + i)) clear_bit(map->data, within + i), freed++;
            ext4_forget(fs, start + i);
        }
        if (!error) {
            set_free(fs, group, free_in(fs, group) + freed);
            fs->free_blocks += freed;
            seal(fs, number, group, holder, map, false);
            if (freed != here) ext4_damaged(fs, "a block that was freed before, in group", number);
        }
        ext4_release_buffer(map);
        ext4_release_buffer(holder);
        if (error) return error;
        start += here;
        count -= here;
    }
    return 0;
}

void ext4_groups_committed(struct ext4 *fs) {
    for (uint32_t i = 0; i < fs->groups; i++) {
        kfree(fs->before[i]);
        fs->before[i] = NULL;
    }
}

bool ext4_room(struct ext4 *fs, uint64_t blocks) {
    return fs->free_blocks >= fs->reserved && fs->free_blocks - fs->reserved >= blocks;
}

static int inode_in(struct ext4 *fs, uint32_t number, bool directory, uint32_t *ino) {
    struct buffer *holder, *map;
    struct disk_group *group = ext4_group(fs, number, &holder);
    if (!group) return -EIO;
    int error = -ENOSPC;
    if (!free_inodes_in(fs, group)) goto out;
    if (group->flags & GROUP_NO_BLOCKS) { /* what lives in a group makes all of it known */
        if ((error = bitmap(fs, number, false, group, holder, &map))) goto out;
        seal(fs, number, group, holder, map, false);
        ext4_release_buffer(map);
    }
    error = bitmap(fs, number, true, group, holder, &map);
    if (error) goto out;
    uint32_t at = 0, first = number ? 0 : fs->disk->first_inode - 1;
    error = -ENOSPC;
    for (at = first; at < fs->group_inodes; at++)
        if (!bit(map->data, at)) break;
    if (at < fs->group_inodes) {
        set_bit(map->data, at);
        set_free_inodes(fs, group, free_inodes_in(fs, group) - 1);
        if (fs->free_inodes) fs->free_inodes--;
        if (fs->checksums || fs->group_checksums) {
            uint32_t unused = group->unused_inodes | (wide(fs) ? (uint32_t)group->unused_inodes_high << 16 : 0), left = fs->group_inodes - at - 1;
            if (unused > left) {
                group->unused_inodes = (uint16_t)left;
                if (wide(fs)) group->unused_inodes_high = (uint16_t)(left >> 16);
            }
        }
        if (directory && !++group->directories && wide(fs)) group->directories_high++;
        *ino = number * fs->group_inodes + at + 1;
        seal(fs, number, group, holder, map, true);
        error = 0;
    }
    ext4_release_buffer(map);
out:
    ext4_release_buffer(holder);
    return error;
}

int ext4_inode_take(struct ext4 *fs, uint32_t near, bool directory, uint32_t *ino) {
    uint32_t home = near ? (near - 1) / fs->group_inodes : 0;
    for (uint32_t i = 0; i < fs->groups; i++) {
        int error = inode_in(fs, (home + i) % fs->groups, directory, ino);
        if (error != -ENOSPC) return error;
    }
    return -ENOSPC;
}

int ext4_inode_give(struct ext4 *fs, uint32_t ino, bool directory) {
    uint32_t number = (ino - 1) / fs->group_inodes, within = (ino - 1) % fs->group_inodes;
    struct buffer *holder, *map;
    struct disk_group *group = ext4_group(fs, number, &holder);
    if (!group) return -EIO;
    int error = bitmap(fs, number, true, group, holder, &map);
    if (!error) {
        if (bit(map->data, within)) {
            clear_bit(map->data, within);
            set_free_inodes(fs, group, free_inodes_in(fs, group) + 1);
            fs->free_inodes++;
            if (directory && !group->directories-- && wide(fs)) group->directories_high--;
        } else ext4_damaged(fs, "an inode that was freed before", ino);
        seal(fs, number, group, holder, map, true);
        ext4_release_buffer(map);
    }
    ext4_release_buffer(holder);
    return error;
}

int ext4_groups_open(struct ext4 *fs, const char **why) {
    fs->free_blocks = fs->free_inodes = 0;
    if (!fs->before && !(fs->before = kzalloc(fs->groups * sizeof *fs->before))) return -ENOMEM;
    for (uint32_t i = 0; i < fs->groups; i++) {
        struct buffer *holder;
        struct disk_group *group = ext4_group(fs, i, &holder);
        *why = "its group descriptors cannot be read";
        if (!group) return -EIO;
        uint64_t tables = ((uint64_t)fs->group_inodes * fs->inode_size + fs->block_size - 1) >> fs->block_bits;
        bool good = (!fs->checksums && !fs->group_checksums) || group->checksum == checksum_of(fs, i, group);
        good = good && ext4_blocks_valid(fs, ext4_inode_table(fs, group), tables) && free_in(fs, group) <= fs->group_blocks && free_inodes_in(fs, group) <= fs->group_inodes;
        fs->free_blocks += free_in(fs, group);
        fs->free_inodes += free_inodes_in(fs, group);
        ext4_release_buffer(holder);
        *why = "a group descriptor is damaged";
        if (!good) return -EIO;
    }
    return 0;
}
