/* Private to ext4: the file system, its buffers (metadata blocks), its nodes (what an inode of it is). */
#ifndef HULL_EXT4_INTERNAL_H
#define HULL_EXT4_INTERNAL_H
#include "arch/arch.h"
#include "channel/channel.h"
#include "clock/clock.h"
#include "ext4/ext4.h"
#include "ext4/format.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "tmpfs/content.h"
#include "wait/wait.h"

enum buffer_kind { BUFFER_PLAIN, BUFFER_GROUPS, BUFFER_DIRECTORY, BUFFER_SUPER };
/* A metadata block in memory. dirty: belongs to the running transaction. Clean ones that nobody pins may go at any allocation. */
struct buffer {
    struct buffer *next;             /* in its bucket */
    struct buffer *dirty_next, **dirty_link;
    struct buffer *clean_next, *clean_previous; /* by last use */
    uint64_t block;
    uint8_t *data;
    uint32_t pins, seed;             /* seed: a directory's, for its checksum */
    enum buffer_kind kind;
    bool dirty;
};
#define BUFFER_BUCKETS 512u

struct extent { uint32_t first, length; uint64_t start; bool unwritten; };
#define NO_EXTENT 0xffffffffu

struct journal {
    struct extent *runs;             /* where its blocks are */
    uint32_t run_count, length, first, head, sequence, features, seed;
    uint8_t *block;                  /* the superblock's */
    bool present, clean;             /* clean: there is nothing to replay, and the device says so */
};

struct ext4 {
    struct superblock super;
    struct block_device *device;
    struct turn turn;                /* the lock */
    unsigned depth;                  /* how many times more its owner has it: what is done within is one transaction */
    unsigned still;                  /* above 0: a tree is being changed, nothing may be taken out of it */
    uint32_t block_size, block_bits, groups, group_blocks, group_inodes, inodes, group_size, groups_in_block, inode_size, first_data, seed;
    uint64_t blocks, free_blocks, free_inodes, reserved; /* reserved: promised to pages that have no block yet */
    bool checksums, group_checksums, failed, sparse_super;
    struct buffer *super_buffer;
    struct disk_super *disk;         /* in it */
    uint32_t super_offset;
    struct journal journal;
    struct buffer *buckets[BUFFER_BUCKETS], *dirty, *clean_first, *clean_last;
    uint32_t dirty_count, buffers;
    uint8_t **before;                /* for each group: its block bitmap as last committed, where blocks were freed since */
    uint64_t transaction, opened_ns; /* number of the running one; when its first change came (clock_monotonic_ns), 0: it has none */
    uint64_t dirty_ns, lent_ns;      /* since when there are dirty pages; when the lent ones were looked at */
    uint64_t lent_pages;
    struct node *nodes[256], *first_node, *hand, *touched, *dying, *orphans;
    uint64_t dirty_pages;
    bool wrote;                      /* to the device since its last flush */
    struct ext4 *next_system;
};

/* Flags of pages (struct page). */
enum { PAGE_USED = 1, PAGE_DIRTY = 2, PAGE_RESERVED = 4, PAGE_LENT = 8 };
struct node {
    struct inode *inode;
    struct node *hash_next, *next, **link; /* next: of all */
    struct node *touched_next, **touched_link;
    struct node *dying_next;
    struct node *orphan_next, *orphan_previous;
    uint32_t ino, flags, generation, orphan_after; /* orphan_after: what the inode on disk says follows it */
    uint64_t xattr_block;
    uint64_t disk_blocks;            /* of the file system, all that it has */
    struct extent *extents;          /* by place; loaded with the inode */
    uint32_t extent_count, extent_room;
    uint64_t *tree;                  /* blocks of the extent tree, leaves first */
    uint32_t tree_count, tree_room;
    bool extents_changed, xattrs_changed, xattrs_counted, is_touched, is_dying, is_orphan, is_new, gone;
    uint64_t transaction;            /* the last one that has a change of it that fdatasync must have */
    int64_t disk_size;               /* as last encoded */
    struct content pages, marks;     /* marks: 512 to a page: what a lent page hashed to when it was last written */
    uint64_t dirty_first, dirty_end, lent_first, lent_end, expected;
    uint32_t dirty_count, lent_count, reserved_pages;
    struct names *names;             /* of a directory: where each is */
    char text[60];                   /* a short symbolic link's */
};
static inline struct node *node_of(const struct inode *inode) { return inode->data; }
static inline struct ext4 *ext4_of(const struct inode *inode) { return inode->super->data; }
static inline bool is_kind(const struct inode *inode, uint32_t kind) { return (inode->mode & S_IFMT) == kind; }
extern const struct inode_ops ext4_directory_ops, ext4_file_ops, ext4_link_ops, ext4_node_ops;
extern const struct super_ops ext4_super_ops;

/* super.c */
void ext4_lock(struct ext4 *);
void ext4_unlock(struct ext4 *);
int ext4_begin(struct ext4 *); /* lock, for a change: -EROFS; commits first where the transaction is large */
extern struct ext4 *ext4_first;
int ext4_damaged(struct ext4 *, const char *what, uint64_t where); /* says so once in a while; -EIO */
/* checksum.c */
uint32_t ext4_crc32c(uint32_t crc, const void *bytes, size_t size);
uint16_t ext4_crc16(uint16_t crc, const void *bytes, size_t size);
void ext4_checksum_start(void);
/* buffer.c: all with the lock. A buffer that is returned is pinned. */
int ext4_transfer(struct ext4 *, bool write, uint64_t block, void *data, uint32_t blocks); /* contiguous memory */
int ext4_read(struct ext4 *, uint64_t block, struct buffer **out);
int ext4_fresh(struct ext4 *, uint64_t block, struct buffer **out); /* zeroed, not read */
void ext4_change(struct ext4 *, struct buffer *); /* is, or is about to be, changed */
void ext4_release_buffer(struct buffer *);
void ext4_buffer_cleaned(struct ext4 *, struct buffer *); /* it is at its place on the device */
void ext4_forget(struct ext4 *, uint64_t block); /* it is no metadata any more */
uint64_t ext4_reclaim(struct ext4 *, uint64_t wanted);
void ext4_drop_buffers(struct ext4 *);
/* journal.c */
int ext4_journal_open(struct ext4 *, bool read_only, const char **why);
int ext4_journal_write(struct ext4 *);  /* the dirty buffers, at their places in the end */
int ext4_journal_clean(struct ext4 *);  /* the device needs no replay any more */
/* commit.c */
void ext4_opened(struct ext4 *);        /* the running transaction has a change */
int ext4_commit(struct ext4 *);
int ext4_sync_all(struct ext4 *);       /* everything, also what the VFS changed unseen; then clean */
int ext4_write_dirty(struct ext4 *, bool lent); /* all pages that changed, the lent ones too */
int ext4_flush(struct ext4 *);
/* flusher.c */
void ext4_flusher_start(void);          /* it is called from now on, if memory allows */
void ext4_flusher_expect(void);         /* something changed */
uint64_t ext4_flusher_pass(void);       /* writes what is old; when to come again, 0: not before something changes */
/* groups.c */
int ext4_groups_open(struct ext4 *, const char **why);
struct disk_group *ext4_group(struct ext4 *, uint32_t group, struct buffer **out); /* NULL: it cannot be read */
void ext4_group_seal(struct ext4 *, uint32_t group, struct disk_group *);
uint64_t ext4_inode_table(struct ext4 *, const struct disk_group *);
int ext4_blocks_take(struct ext4 *, uint64_t near, uint32_t most, uint64_t *start, uint32_t *count);
int ext4_blocks_give(struct ext4 *, uint64_t start, uint64_t count);
int ext4_inode_take(struct ext4 *, uint32_t near, bool directory, uint32_t *ino);
int ext4_inode_give(struct ext4 *, uint32_t ino, bool directory);
void ext4_groups_committed(struct ext4 *);
bool ext4_room(struct ext4 *, uint64_t blocks); /* beside what is promised */
bool ext4_blocks_valid(const struct ext4 *, uint64_t start, uint64_t count);
/* extents.c */
int ext4_extents_load(struct ext4 *, struct node *, const uint8_t *root);
int ext4_extents_store(struct ext4 *, struct node *, uint8_t *root);
uint32_t ext4_extent_at(const struct node *, uint32_t block); /* the one that has it, or the first behind it */
uint64_t ext4_map(const struct node *, uint32_t block, uint32_t *run, bool *unwritten); /* 0: a hole; run: for how many blocks that holds */
int ext4_map_set(struct ext4 *, struct node *, uint32_t first, uint32_t length, uint64_t start, bool unwritten); /* in a hole, or over unwritten blocks that are these */
int ext4_map_remove(struct ext4 *, struct node *, uint32_t first, uint32_t end); /* and gives the blocks back */
int ext4_map_new(struct ext4 *, struct node *, uint32_t first, uint32_t length, bool unwritten); /* fills holes; a part may be done when it fails */
uint32_t ext4_inode_seed(const struct ext4 *, const struct node *);
/* inode.c */
int ext4_inode(struct ext4 *, uint32_t ino, struct inode **out);
int ext4_inode_new(struct ext4 *, struct inode *directory, uint32_t mode, struct inode **out); /* nlink 0 */
int ext4_encode(struct ext4 *, struct node *);
void ext4_touch(struct ext4 *, struct node *, bool needed); /* needed: fdatasync must have it */
void ext4_untouch(struct ext4 *, struct node *);
void ext4_orphan_add(struct ext4 *, struct node *);
void ext4_orphan_remove(struct ext4 *, struct node *);
void ext4_release(struct inode *);
void ext4_bury(struct ext4 *); /* those that were released */
int ext4_orphans_open(struct ext4 *);
int ext4_changed(struct inode *);
int ext4_sync(struct inode *, bool data_only);
uint64_t ext4_blocks(struct inode *);
int ext4_attribute_holder(struct inode *, bool changes, struct inode **out);
/* xattr.c */
int ext4_xattrs_load(struct ext4 *, struct node *, const struct disk_inode *);
int ext4_xattrs_store(struct ext4 *, struct node *, struct disk_inode *); /* into the inode and its block */
int ext4_xattrs_drop(struct ext4 *, struct node *);
int ext4_attributes_changed(struct inode *);
/* pages.c */
int ext4_get_page(struct inode *, uint64_t index, int how, uint64_t *physical);
int ext4_page(struct ext4 *, struct inode *, uint64_t index, bool whole, uint64_t *physical); /* with the lock: in the cache; whole: all of it will be written */
int ext4_page_dirty(struct ext4 *, struct node *, uint64_t index, uint64_t physical); /* promises blocks: -ENOSPC */
int ext4_write_back(struct ext4 *, struct inode *);
void ext4_pages_drop(struct ext4 *, struct node *, uint64_t first, uint64_t end);
void ext4_pages_zero(struct ext4 *, struct node *, uint64_t from, uint64_t to); /* within one page, when it is there */
/* directory.c */
void ext4_names_drop(struct node *);
uint64_t ext4_near(struct ext4 *, const struct node *, uint32_t block); /* where a block of it would lie well */
#endif
