/*
 * Ending a transaction. Content first: what new blocks and a larger size would show has to be on the device before they are. Then the inodes that changed
 * go into their table, checksums into their blocks, and the journal writes all of it.
 */
#include "ext4/internal.h"

int ext4_flush(struct ext4 *fs) {
    if (!fs->wrote) return 0;
    fs->wrote = false;
    int error = fs->device->flush(fs->device);
    if (error) fs->wrote = true;
    return error;
}

static void seal_directory(struct ext4 *fs, struct buffer *buffer) {
    struct disk_tail *tail = (struct disk_tail *)(buffer->data + fs->block_size - sizeof *tail);
    if (fs->checksums && tail->type == ENTRY_TAIL_TYPE && !tail->inode && tail->size == sizeof *tail)
        tail->checksum = ext4_crc32c(buffer->seed, buffer->data, fs->block_size - sizeof *tail);
}

static void seal_super(struct ext4 *fs) {
    struct disk_super *disk = fs->disk;
    disk->free_blocks = (uint32_t)fs->free_blocks;
    if (disk->incompatible & INCOMPAT_64BIT) disk->free_blocks_high = (uint32_t)(fs->free_blocks >> 32);
    disk->free_inodes = (uint32_t)fs->free_inodes;
    disk->last_orphan = fs->orphans ? fs->orphans->ino : 0;
    disk->write_time = (uint32_t)(clock_realtime_ns() / 1000000000);
    if (fs->journal.present) disk->incompatible |= INCOMPAT_RECOVER;
    if (fs->checksums) disk->checksum = ext4_crc32c(~0u, disk, 1020);
    ext4_change(fs, fs->super_buffer);
}

/* Nothing that was not committed may reach the device any more. */
static int fail(struct ext4 *fs, int error) {
    if (!fs->failed) log_line("ext4: cannot write to the volume (error %d): it is read-only from now on", -error);
    fs->failed = fs->super.read_only = true;
    return error;
}

void ext4_opened(struct ext4 *fs) {
    if (fs->opened_ns) return;
    fs->opened_ns = clock_monotonic_ns();
    ext4_flusher_expect();
}

int ext4_commit(struct ext4 *fs) {
    int error = 0;
    if (fs->failed) return -EIO;
    for (struct node *node = fs->touched, *next; node && !error; node = next) {
        next = node->touched_next; /* writing back touches only what is touched */
        if (node->dirty_count && (node->reserved_pages || node->inode->size != node->disk_size) && node->inode->nlink) error = ext4_write_back(fs, node->inode);
    }
    while (fs->touched && !error) {
        struct node *node = fs->touched;
        error = ext4_encode(fs, node);
        ext4_untouch(fs, node);
    }
    if (error) return error == -ENOMEM ? error : fail(fs, error);
    fs->opened_ns = 0;
    if (!fs->dirty_count) return ext4_flush(fs);
    seal_super(fs);
    for (struct buffer *buffer = fs->dirty; buffer; buffer = buffer->dirty_next)
        if (buffer->kind == BUFFER_DIRECTORY) seal_directory(fs, buffer);
    if ((error = ext4_journal_write(fs))) {
        ext4_opened(fs);
        return error == -ENOMEM ? error : fail(fs, error); /* nothing is lost for want of memory: it is tried again */
    }
    ext4_groups_committed(fs);
    fs->transaction++;
    return fs->journal.present ? 0 : ext4_flush(fs);
}

int ext4_write_dirty(struct ext4 *fs, bool lent) {
    int result = 0;
    for (struct node *node = fs->first_node; node; node = node->next) {
        int error = node->dirty_count || (lent && node->lent_count) ? ext4_write_back(fs, node->inode) : 0;
        if (!result) result = error;
    }
    fs->dirty_ns = clock_monotonic_ns();
    return result;
}

int ext4_sync_all(struct ext4 *fs) {
    if (fs->failed) return -EIO;
    int result = ext4_write_dirty(fs, true);
    for (struct node *node = fs->first_node; node; node = node->next)
        if (node->inode->nlink && !node->gone) ext4_touch(fs, node, false);
    int error = ext4_commit(fs);
    if (!error) error = ext4_journal_clean(fs);
    return result ? result : error;
}
