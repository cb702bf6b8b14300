/* The file system as a whole: what of its features is known here, mounting, its lock, statfs. */
#include "ext4/internal.h"
#include "init/init.h"

struct ext4 *ext4_first;

static uint64_t reclaim(uint64_t wanted) {
    uint64_t freed = 0;
    for (struct ext4 *fs = ext4_first; fs && freed < wanted; fs = fs->next_system) freed += ext4_reclaim(fs, wanted - freed);
    return freed;
}
static struct block_reclaimer reclaimer = { .reclaim = reclaim };

void ext4_lock(struct ext4 *fs) {
    if (fs->turn.owner == current_thread()) fs->depth++;
    else turn_take(&fs->turn);
}

void ext4_unlock(struct ext4 *fs) {
    if (fs->depth) {
        fs->depth--;
        return;
    }
    if (fs->dying) ext4_bury(fs);
    turn_end(&fs->turn);
}

/* So much is kept back at most: of pages an eighth of the memory, of metadata a quarter of the journal. */
static bool is_large(const struct ext4 *fs) {
    uint64_t most = memory_total() / 8 / PAGE_SIZE;
    if (fs->dirty_pages > (most < 8192 ? most : 8192)) return true;
    return fs->dirty_count > (fs->journal.present ? fs->journal.length / 8 : 2048);
}

int ext4_begin(struct ext4 *fs) {
    ext4_lock(fs);
    int error = fs->failed || fs->super.read_only ? -EROFS : 0;
    if (!error && !fs->depth) {
        ext4_flusher_start();
        if (fs->dirty_pages && is_large(fs)) error = ext4_write_dirty(fs, false);
        if (!error && is_large(fs)) error = ext4_commit(fs);
    }
    if (error) ext4_unlock(fs);
    return error;
}

int ext4_damaged(struct ext4 *fs, const char *what, uint64_t where) {
    static unsigned said;
    (void)fs;
    if (said++ < 8) log_line("ext4: %s %lu is damaged: run e2fsck on the volume", what, (unsigned long)where);
    return -EIO;
}

static void statfs(struct superblock *super, struct linux_statfs *out) {
    struct ext4 *fs = super->data;
    uint64_t kept = fs->disk->reserved_blocks | (uint64_t)(fs->disk->incompatible & INCOMPAT_64BIT ? fs->disk->reserved_blocks_high : 0) << 32;
    out->type = EXT4_MAGIC;
    out->bsize = out->frsize = fs->block_size;
    out->blocks = fs->blocks;
    out->bfree = fs->free_blocks > fs->reserved ? fs->free_blocks - fs->reserved : 0;
    out->bavail = out->bfree > kept ? out->bfree - kept : 0;
    out->files = fs->inodes;
    out->ffree = fs->free_inodes;
    out->namelen = 255;
}

static int super_sync(struct superblock *super) {
    struct ext4 *fs = super->data;
    if (super->read_only) return 0;
    ext4_lock(fs);
    int error = ext4_sync_all(fs);
    ext4_unlock(fs);
    return error;
}

static int super_hold(struct superblock *super) { return ext4_begin(super->data); }
static void super_settle(struct superblock *super) { ext4_unlock(super->data); }

static void free_system(struct ext4 *fs) {
    struct ext4 **at = &ext4_first;
    while (*at && *at != fs) at = &(*at)->next_system;
    if (*at) *at = fs->next_system;
    ext4_drop_buffers(fs);
    for (uint32_t i = 0; fs->before && i < fs->groups; i++) kfree(fs->before[i]);
    kfree(fs->before);
    kfree(fs->journal.runs);
    if (fs->journal.block) pages_free(fs->journal.block, 1);
    kfree(fs);
}

static void super_release(struct superblock *super) {
    struct ext4 *fs = super->data;
    if (!super->read_only) {
        ext4_lock(fs);
        ext4_sync_all(fs);
        ext4_unlock(fs);
    }
    free_system(fs);
}

const struct super_ops ext4_super_ops = { .statfs = statfs, .whiteouts = true, .sync = super_sync, .hold = super_hold, .settle = super_settle, .release = super_release };

void ext4_close(struct superblock *super) {
    super_sync(super);
    inode_put(super->root);
    super_release(super);
}

/* What may be there. The others change how things lie, or what a writer has to keep. */
#define KNOWN_INCOMPAT (INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_EXTENTS | INCOMPAT_64BIT | INCOMPAT_FLEX_GROUPS | INCOMPAT_SEED)
#define KNOWN_RO (RO_SPARSE_SUPER | RO_LARGE_FILE | RO_HUGE_FILE | RO_GROUP_CHECKSUM | RO_DIR_NLINK | RO_EXTRA_SIZE | RO_METADATA_CHECKSUM)

static const char *unknown_feature(const struct disk_super *disk, bool read_only) {
    static const struct { uint8_t bit; const char *text; } incompatible[] = {
        { 0, "it has the feature compression" }, { 3, "it is an external journal (feature journal_dev)" }, { 4, "it has the feature meta_bg" },
        { 8, "it has the feature mmp" }, { 10, "it has the feature ea_inode" }, { 12, "it has the feature dirdata" }, { 14, "it has the feature large_dir" },
        { 15, "it has the feature inline_data" }, { 16, "it has the feature encrypt" }, { 17, "it has the feature casefold" } };
    static const struct { uint8_t bit; const char *text; } writing[] = {
        { 8, "it has the feature quota" }, { 9, "it has the feature bigalloc" }, { 12, "it has the feature read-only" }, { 13, "it has the feature project" },
        { 15, "it has the feature verity" }, { 16, "it has the feature orphan_file with files in it" } };
    uint32_t other = disk->incompatible & ~(uint32_t)KNOWN_INCOMPAT;
    for (unsigned i = 0; i < sizeof incompatible / sizeof *incompatible; i++)
        if (other >> incompatible[i].bit & 1) return incompatible[i].text;
    if (other) return "it has an incompatible feature that is not known here";
    if (!(disk->incompatible & INCOMPAT_EXTENTS)) return "it has not the feature extent (is it ext2 or ext3?)";
    if (!(disk->incompatible & INCOMPAT_FILETYPE)) return "it has not the feature filetype";
    other = disk->ro_compatible & ~(uint32_t)KNOWN_RO;
    if (other >> 9 & 1) return "it has the feature bigalloc";
    if (read_only) return NULL;
    for (unsigned i = 0; i < sizeof writing / sizeof *writing; i++)
        if (other >> writing[i].bit & 1) return writing[i].text;
    return other ? "it has a feature for writers that is not known here" : NULL;
}

/* Numbers that everything else relies on. */
static bool take_geometry(struct ext4 *fs, const struct disk_super *disk) {
    if (disk->log_block_size > 2) return false;
    fs->block_bits = 10 + disk->log_block_size;
    fs->block_size = 1u << fs->block_bits;
    fs->blocks = disk->blocks | (disk->incompatible & INCOMPAT_64BIT ? (uint64_t)disk->blocks_high << 32 : 0);
    fs->first_data = disk->first_data_block;
    fs->group_blocks = disk->blocks_per_group;
    fs->group_inodes = disk->inodes_per_group;
    fs->inodes = disk->inodes;
    fs->inode_size = disk->revision ? disk->inode_size : 128;
    fs->group_size = disk->incompatible & INCOMPAT_64BIT ? disk->descriptor_size : 32;
    if (fs->group_size != 32 && fs->group_size != 64) return false;
    fs->groups_in_block = fs->block_size / fs->group_size;
    if (!fs->group_blocks || fs->group_blocks > fs->block_size * 8 || fs->group_blocks % 8 || !fs->group_inodes || fs->group_inodes > fs->block_size * 8 || fs->group_inodes % 8) return false;
    if (fs->first_data != (fs->block_size == 1024) || fs->blocks < 16 || fs->blocks >> (52 - fs->block_bits)) return false;
    if (fs->inode_size < 128 || fs->inode_size > fs->block_size || fs->inode_size & (fs->inode_size - 1)) return false;
    uint64_t groups = (fs->blocks - fs->first_data + fs->group_blocks - 1) / fs->group_blocks;
    if (groups > 1u << 20 || fs->inodes != groups * fs->group_inodes) return false;
    fs->groups = (uint32_t)groups;
    return fs->blocks <= fs->device->sectors / (fs->block_size / 512) && disk->first_inode >= 11 && disk->first_inode <= fs->group_inodes;
}

static int open_super(struct ext4 *fs, bool read_only, const char **why) {
    uint8_t *first = page_alloc();
    if (!first) return -ENOMEM;
    struct block_piece piece = { first, PAGE_SIZE };
    int error = fs->device->sectors < 8 ? -EIO : fs->device->transfer(fs->device, false, 0, &piece, 1);
    struct disk_super *disk = (struct disk_super *)(first + 1024);
    *why = "it cannot be read";
    if (!error && disk->magic != EXT4_MAGIC) *why = "there is no ext4 file system on it", error = -EINVAL;
    fs->checksums = disk->ro_compatible & RO_METADATA_CHECKSUM;
    fs->group_checksums = disk->ro_compatible & RO_GROUP_CHECKSUM;
    fs->sparse_super = disk->ro_compatible & RO_SPARSE_SUPER;
    if (!error && fs->checksums && disk->checksum != ext4_crc32c(~0u, disk, 1020)) *why = "its superblock is damaged (checksum)", error = -EIO;
    if (!error && (*why = unknown_feature(disk, read_only))) error = -EOPNOTSUPP;
    if (!error && !take_geometry(fs, disk)) *why = "its superblock is damaged, or larger than the device", error = -EIO;
    fs->seed = disk->incompatible & INCOMPAT_SEED ? disk->checksum_seed : ext4_crc32c(~0u, disk->uuid, 16);
    page_put(virt_to_phys(first));
    if (error) return error;
    fs->super_offset = fs->block_size == 1024 ? 0 : 1024;
    error = ext4_read(fs, fs->block_size == 1024, &fs->super_buffer);
    if (!error) fs->super_buffer->kind = BUFFER_SUPER;
    if (!error) fs->disk = (struct disk_super *)(fs->super_buffer->data + fs->super_offset);
    return error;
}

static int open_system(struct ext4 *fs, bool read_only, const char **why) {
    int error = open_super(fs, read_only, why);
    if (!error) error = ext4_journal_open(fs, read_only, why);
    if (!error && fs->journal.present) { /* what was replayed may be anything that is known by now */
        uint32_t super = fs->block_size == 1024;
        ext4_release_buffer(fs->super_buffer);
        ext4_drop_buffers(fs);
        error = ext4_read(fs, super, &fs->super_buffer);
        if (!error) fs->disk = (struct disk_super *)(fs->super_buffer->data + fs->super_offset);
        if (!error && (fs->disk->magic != EXT4_MAGIC || !take_geometry(fs, fs->disk))) error = -EIO;
    }
    if (!error) error = ext4_groups_open(fs, why);
    if (!error && !fs->journal.present && fs->disk->incompatible & INCOMPAT_RECOVER) *why = "its journal is missing", error = -EIO;
    if (error) return error;
    *why = "its root directory is damaged";
    error = ext4_inode(fs, EXT4_ROOT, &fs->super.root);
    if (!error && !is_kind(fs->super.root, S_IFDIR)) error = -EIO;
    if (!error && !read_only) error = ext4_orphans_open(fs);
    return error;
}

int ext4_open(struct block_device *device, uint64_t number, bool read_only, struct superblock **out, const char **why) {
    static bool started;
    *why = "there is no memory for it";
    struct ext4 *fs = kzalloc(sizeof *fs);
    if (!fs) return -ENOMEM;
    if (!started) {
        ext4_checksum_start();
        block_add_reclaimer(&reclaimer);
        started = true;
    }
    *why = "the device cannot do it";
    read_only |= device->read_only;
    fs->device = device;
    fs->transaction = 1;
    fs->super = (struct superblock){ .ops = &ext4_super_ops, .kind = "ext4", .device = number, .read_only = read_only, .data = fs };
    fs->next_system = ext4_first;
    ext4_first = fs;
    ext4_lock(fs);
    int error = device->transfer ? open_system(fs, read_only, why) : -ENODEV;
    ext4_unlock(fs);
    if (error) {
        fs->failed = true; /* nothing is written any more */
        if (fs->super.root) inode_put(fs->super.root);
        free_system(fs);
        return error;
    }
    *out = &fs->super;
    return 0;
}
