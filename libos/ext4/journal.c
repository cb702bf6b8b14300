/*
 * The journal (jbd2's format). A transaction is written to it, made durable with its commit block, and then put at its places at once: so the journal never
 * has more than one transaction that may have to be replayed, and no revoke records are written (Linux's are obeyed when replaying).
 *
 * Order: blocks into the journal; flush (that also ends the last transaction's own places); commit block and the journal's superblock, which names this
 * transaction as the first; flush; the places. Without a journal only the last step is left.
 */
#include "ext4/internal.h"

static uint32_t big32(uint32_t value) { return __builtin_bswap32(value); }
static uint64_t big64(uint64_t value) { return __builtin_bswap64(value); }
static struct journal_super *super_of(struct ext4 *fs) { return (struct journal_super *)fs->journal.block; }
static bool summed(const struct ext4 *fs) { return fs->journal.features & JOURNAL_HAS_CHECKSUM_3; }
static uint32_t tag_size(const struct ext4 *fs) { return summed(fs) ? 16 : fs->journal.features & JOURNAL_HAS_64BIT ? 12 : 8; }

/* The file system's block of a journal's; 0: none. */
static uint64_t place_of(struct ext4 *fs, uint32_t at) {
    struct journal *journal = &fs->journal;
    for (uint32_t i = 0; i < journal->run_count; i++)
        if (at >= journal->runs[i].first && at - journal->runs[i].first < journal->runs[i].length) return journal->runs[i].start + (at - journal->runs[i].first);
    return 0;
}

static int transfer(struct ext4 *fs, bool write, uint32_t at, void *data) {
    uint64_t place = place_of(fs, at);
    return place ? ext4_transfer(fs, write, place, data, 1) : -EIO;
}

static uint32_t after(const struct journal *journal, uint32_t at) { return at + 1 < journal->length ? at + 1 : journal->first; }

static int write_super(struct ext4 *fs, uint32_t start, uint32_t sequence) {
    struct journal_super *super = super_of(fs);
    super->start = big32(start);
    super->sequence = big32(sequence);
    if (summed(fs)) {
        super->checksum = 0;
        super->checksum = big32(ext4_crc32c(~0u, super, 1024));
    }
    return transfer(fs, true, 0, super);
}

/* The file system's own superblock says whether there is something to replay, at its place and beside the journal. */
static int mark(struct ext4 *fs, bool replay) {
    uint8_t *copy = fs->block_size == PAGE_SIZE ? page_alloc() : kmalloc(fs->block_size);
    if (!copy) return -ENOMEM;
    int error = ext4_transfer(fs, false, fs->super_buffer->block, copy, 1);
    struct disk_super *super = (struct disk_super *)(copy + fs->super_offset);
    super->incompatible = replay ? super->incompatible | INCOMPAT_RECOVER : super->incompatible & ~(uint32_t)INCOMPAT_RECOVER;
    if (fs->checksums) super->checksum = ext4_crc32c(~0u, super, 1020);
    if (!error) error = ext4_transfer(fs, true, fs->super_buffer->block, copy, 1);
    if (fs->block_size == PAGE_SIZE) page_put(virt_to_phys(copy));
    else kfree(copy);
    return error;
}

/* ---- Replay ---- */
struct revoked { uint64_t block; uint32_t sequence; };
struct replay { struct revoked *list; uint32_t count, room; };

static int revoke(struct replay *replay, uint64_t block, uint32_t sequence) {
    if (replay->count == replay->room) {
        uint32_t room = replay->room ? replay->room * 2 : 64;
        struct revoked *larger = kmalloc(room * sizeof *larger);
        if (!larger) return -ENOMEM;
        if (replay->count) memcpy(larger, replay->list, replay->count * sizeof *larger);
        kfree(replay->list);
        replay->list = larger;
        replay->room = room;
    }
    replay->list[replay->count++] = (struct revoked){ block, sequence };
    return 0;
}

static bool is_revoked(const struct replay *replay, uint64_t block, uint32_t sequence) {
    for (uint32_t i = 0; i < replay->count; i++)
        if (replay->list[i].block == block && (int32_t)(replay->list[i].sequence - sequence) >= 0) return true;
    return false;
}

struct tag { uint64_t block; uint32_t flags, checksum; };
static struct tag read_tag(struct ext4 *fs, const uint8_t *at) {
    uint32_t words[4] = { 0 };
    memcpy(words, at, tag_size(fs));
    struct tag tag = { big32(words[0]), summed(fs) ? big32(words[1]) : big32(words[1]) & 0xffff, big32(words[3]) };
    if (fs->journal.features & JOURNAL_HAS_64BIT || summed(fs)) tag.block |= (uint64_t)big32(words[2]) << 32;
    return tag;
}

static int read_revokes(struct ext4 *fs, const uint8_t *block, uint32_t sequence, struct replay *replay) {
    uint32_t used, step = fs->journal.features & JOURNAL_HAS_64BIT ? 8 : 4;
    memcpy(&used, block + 12, 4);
    used = big32(used);
    if (used > fs->block_size) return -EIO;
    for (uint32_t at = 16; at + step <= used; at += step) {
        uint64_t value = 0;
        if (step == 8) memcpy(&value, block + at, 8), value = big64(value);
        else { uint32_t half; memcpy(&half, block + at, 4); value = big32(half); }
        int error = revoke(replay, value, sequence);
        if (error) return error;
    }
    return 0;
}

static uint32_t data_checksum(struct ext4 *fs, uint32_t sequence, const uint8_t *data) {
    uint32_t number = big32(sequence);
    return ext4_crc32c(ext4_crc32c(fs->journal.seed, &number, 4), data, fs->block_size);
}

/* One descriptor's blocks, from *at on. place: written home, else only passed over. */
static int read_descriptor(struct ext4 *fs, const uint8_t *block, uint32_t sequence, uint32_t *at, const struct replay *replay, uint8_t *data) {
    uint32_t end = fs->block_size - (summed(fs) ? 4 : 0), size = tag_size(fs);
    for (uint32_t offset = 12; offset + size <= end;) {
        struct tag tag = read_tag(fs, block + offset);
        offset += size + (tag.flags & TAG_SAME_UUID ? 0 : 16);
        if (replay) {
            int error = transfer(fs, false, *at, data);
            if (error) return error;
            if (tag.block >= fs->blocks || (!tag.block && fs->block_size == 1024)) return -EIO;
            if (summed(fs) && data_checksum(fs, sequence, data) != tag.checksum) return -EIO;
            if (!is_revoked(replay, tag.block, sequence)) {
                const uint32_t magic = big32(JOURNAL_MAGIC);
                if (tag.flags & TAG_ESCAPED) memcpy(data, &magic, 4);
                if ((error = ext4_transfer(fs, true, tag.block, data, 1))) return error;
            }
        }
        *at = after(&fs->journal, *at);
        if (tag.flags & TAG_LAST) return 0;
    }
    return 0;
}

/* Walks the transactions that are whole: first pass finds their end and what they revoke, second writes. */
static int walk(struct ext4 *fs, uint32_t *end, struct replay *replay, bool write, uint8_t *block, uint8_t *data) {
    struct journal *journal = &fs->journal;
    uint32_t at = big32(super_of(fs)->start), sequence = big32(super_of(fs)->sequence), steps = 0;
    while (steps++ < journal->length && (!write || sequence != *end)) {
        struct journal_header header;
        int error = transfer(fs, false, at, block);
        if (error) return error;
        memcpy(&header, block, sizeof header);
        if (big32(header.magic) != JOURNAL_MAGIC || big32(header.sequence) != sequence) break;
        at = after(journal, at);
        uint32_t type = big32(header.type);
        if (type == JOURNAL_DESCRIPTOR) error = read_descriptor(fs, block, sequence, &at, write ? replay : NULL, data);
        else if (type == JOURNAL_REVOKE) error = write ? 0 : read_revokes(fs, block, sequence, replay);
        else if (type == JOURNAL_COMMIT) sequence++;
        else break;
        if (error) return error;
    }
    if (!write) *end = sequence;
    return 0;
}

static int replay_all(struct ext4 *fs) {
    struct replay replay = { NULL, 0, 0 };
    uint32_t end = 0;
    uint8_t *block = pages_alloc(2), *data = block ? block + PAGE_SIZE : NULL;
    if (!block) return -ENOMEM;
    int error = walk(fs, &end, &replay, false, block, data);
    /* Revokes of a transaction that is not whole do not count. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < replay.count; i++)
        if ((int32_t)(end - replay.list[i].sequence) > 0) replay.list[kept++] = replay.list[i];
    replay.count = kept;
    if (!error) error = walk(fs, &end, &replay, true, block, data);
    if (!error) error = fs->device->flush(fs->device);
    fs->journal.sequence = end + 1; /* a piece of a transaction with the next number may lie there */
    kfree(replay.list);
    pages_free(block, 2);
    return error;
}

/* ---- Opening ---- */
static int find_runs(struct ext4 *fs) {
    struct node node = { .ino = fs->disk->journal_inode };
    struct buffer *holder, *buffer;
    if (node.ino < 1 || node.ino > fs->inodes) return -EIO;
    struct disk_group *group = ext4_group(fs, (node.ino - 1) / fs->group_inodes, &holder);
    if (!group) return -EIO;
    uint64_t offset = (uint64_t)((node.ino - 1) % fs->group_inodes) * fs->inode_size;
    int error = ext4_read(fs, ext4_inode_table(fs, group) + (offset >> fs->block_bits), &buffer);
    ext4_release_buffer(holder);
    if (error) return error;
    const struct disk_inode *inode = (const void *)(buffer->data + (offset & (fs->block_size - 1)));
    node.generation = inode->generation;
    if (inode->flags & INODE_EXTENTS) error = ext4_extents_load(fs, &node, inode->block);
    else error = -EIO;
    ext4_release_buffer(buffer);
    kfree(node.tree);
    if (error) kfree(node.extents);
    else fs->journal.runs = node.extents, fs->journal.run_count = node.extent_count;
    return error;
}

int ext4_journal_open(struct ext4 *fs, bool read_only, const char **why) {
    struct journal *journal = &fs->journal;
    if (!(fs->disk->compatible & COMPAT_JOURNAL)) return 0;
    *why = "its journal is damaged";
    int error = find_runs(fs);
    if (error) return error;
    if (!(journal->block = pages_alloc(1))) return -ENOMEM;
    if ((error = transfer(fs, false, 0, journal->block))) return error;
    struct journal_super *super = super_of(fs);
    uint32_t type = big32(super->header.type);
    journal->features = type == JOURNAL_SUPER_2 ? big32(super->incompatible) : 0;
    journal->length = big32(super->length);
    journal->first = big32(super->first);
    journal->seed = ext4_crc32c(~0u, super->uuid, 16);
    journal->sequence = big32(super->sequence);
    uint32_t known = JOURNAL_HAS_REVOKES | JOURNAL_HAS_64BIT | JOURNAL_HAS_ASYNC | JOURNAL_HAS_CHECKSUM_3;
    if (big32(super->header.magic) != JOURNAL_MAGIC || (type != JOURNAL_SUPER_1 && type != JOURNAL_SUPER_2) || big32(super->block_size) != fs->block_size ||
        !journal->first || journal->length < journal->first + 16 || journal->length > 1u << 24 || !place_of(fs, journal->length - 1)) return -EIO;
    if (journal->features & ~known) {
        *why = "its journal has a feature that is not known here (fast_commit?)";
        return -EOPNOTSUPP;
    }
    if (summed(fs)) {
        uint32_t sum = super->checksum;
        super->checksum = 0;
        if (big32(sum) != ext4_crc32c(~0u, super, 1024)) return -EIO;
    }
    journal->present = true;
    journal->head = journal->first;
    journal->clean = !super->start && !(fs->disk->incompatible & INCOMPAT_RECOVER);
    if (super->start) {
        if (read_only && fs->device->read_only) {
            *why = "its journal has to be replayed, which a read-only device does not let one do";
            return -EROFS;
        }
        if (big32(super->start) < journal->first || big32(super->start) >= journal->length) return -EIO;
        if ((error = replay_all(fs))) return error;
        if ((error = write_super(fs, 0, journal->sequence))) return error;
    }
    return 0;
}

int ext4_journal_clean(struct ext4 *fs) {
    struct journal *journal = &fs->journal;
    if (!journal->present || journal->clean) return 0;
    int error = ext4_flush(fs);
    if (!error) error = write_super(fs, 0, journal->sequence);
    if (!error) error = mark(fs, false);
    if (!error) error = ext4_flush(fs);
    if (error) return error;
    fs->disk->incompatible &= ~(uint32_t)INCOMPAT_RECOVER;
    if (fs->checksums) fs->disk->checksum = ext4_crc32c(~0u, fs->disk, 1020);
    journal->clean = true;
    return 0;
}

/* ---- Writing ---- */
static int seal_descriptor(struct ext4 *fs, uint8_t *block, uint32_t at, uint8_t *last) {
    uint32_t flags;
    memcpy(&flags, last + 4, 4);
    flags |= summed(fs) ? big32(TAG_LAST) : 0;
    memcpy(last + 4, &flags, 4);
    if (!summed(fs)) last[7] |= TAG_LAST; /* checksum and flags share the word */
    if (summed(fs)) {
        uint32_t sum = big32(ext4_crc32c(fs->journal.seed, block, fs->block_size));
        memcpy(block + fs->block_size - 4, &sum, 4);
    }
    return transfer(fs, true, at, block);
}

/* Descriptors and blocks from the head on. */
static int write_blocks(struct ext4 *fs, uint8_t *block, uint8_t *copy) {
    struct journal *journal = &fs->journal;
    uint32_t offset = 0, descriptor = 0, size = tag_size(fs), end = fs->block_size - (summed(fs) ? 4 : 0);
    const uint32_t magic = big32(JOURNAL_MAGIC);
    uint8_t *last = NULL;
    int error = 0;
    for (struct buffer *buffer = fs->dirty; buffer && !error; buffer = buffer->dirty_next) {
        if (last && offset + size > end) {
            error = seal_descriptor(fs, block, descriptor, last);
            last = NULL;
        }
        if (!last) {
            memset(block, 0, fs->block_size);
            *(struct journal_header *)block = (struct journal_header){ magic, big32(JOURNAL_DESCRIPTOR), big32(journal->sequence) };
            descriptor = journal->head;
            journal->head = after(journal, journal->head);
            offset = 12;
        }
        uint32_t flags = last ? TAG_SAME_UUID : 0;
        const uint8_t *data = buffer->data;
        if (!memcmp(data, &magic, 4)) {
            memcpy(copy, data, fs->block_size);
            memset(copy, 0, 4);
            data = copy;
            flags |= TAG_ESCAPED;
        }
        uint32_t words[4] = { big32((uint32_t)buffer->block), big32(flags), big32((uint32_t)(buffer->block >> 32)), 0 };
        if (summed(fs)) words[3] = big32(data_checksum(fs, journal->sequence, data));
        last = block + offset;
        memcpy(last, words, size);
        offset += size;
        if (!(flags & TAG_SAME_UUID)) {
            memcpy(block + offset, super_of(fs)->uuid, 16);
            offset += 16;
        }
        if (!error) error = transfer(fs, true, journal->head, (void *)data);
        journal->head = after(journal, journal->head);
    }
    return error || !last ? error : seal_descriptor(fs, block, descriptor, last);
}

static int write_commit(struct ext4 *fs, uint8_t *block) {
    struct journal *journal = &fs->journal;
    uint64_t now = clock_realtime_ns();
    memset(block, 0, fs->block_size);
    struct journal_commit *commit = (struct journal_commit *)block;
    commit->header = (struct journal_header){ big32(JOURNAL_MAGIC), big32(JOURNAL_COMMIT), big32(journal->sequence) };
    commit->seconds = big64(now / 1000000000);
    commit->nanoseconds = big32((uint32_t)(now % 1000000000));
    if (summed(fs)) commit->checksum[0] = big32(ext4_crc32c(journal->seed, block, fs->block_size));
    int error = transfer(fs, true, journal->head, block);
    journal->head = after(journal, journal->head);
    return error;
}

static int write_log(struct ext4 *fs) {
    struct journal *journal = &fs->journal;
    uint8_t *block = pages_alloc(2);
    if (!block) return -ENOMEM;
    uint32_t start = journal->head;
    int error = journal->clean ? mark(fs, true) : 0;
    if (!error) error = write_blocks(fs, block, block + PAGE_SIZE);
    if (!error) error = ext4_flush(fs);
    if (!error) error = write_commit(fs, block);
    if (!error) error = write_super(fs, start, journal->sequence);
    if (!error) error = ext4_flush(fs);
    if (!error) {
        journal->sequence++;
        journal->clean = false;
    }
    pages_free(block, 2);
    return error;
}

int ext4_journal_write(struct ext4 *fs) {
    struct journal *journal = &fs->journal;
    int error = 0;
    if (journal->present) {
        uint32_t most = journal->length - journal->first, needed = fs->dirty_count + fs->dirty_count / ((fs->block_size - 32) / 16) + 3;
        if (needed > most / 2) { /* cannot be undone any more: the one way left is the plain one */
            log_line("ext4: a change of %u blocks does not fit into a journal of %u: written without it", (unsigned)fs->dirty_count, (unsigned)most);
        } else {
            error = write_log(fs);
        }
    }
    while (fs->dirty && !error) {
        struct buffer *buffer = fs->dirty;
        error = ext4_transfer(fs, true, buffer->block, buffer->data, 1);
        if (!error) ext4_buffer_cleaned(fs, buffer);
    }
    return error;
}
