/* ext4 on disk (Linux Documentation/filesystems/ext4: super, group_descr, inodes, extents, directory, attributes, journal). Little-endian, as this machine is. */
#ifndef HULL_EXT4_FORMAT_H
#define HULL_EXT4_FORMAT_H
#include <stdint.h>

#define EXT4_MAGIC 0xef53
#define EXT4_ROOT 2u
#define EXT4_JOURNAL 8u
enum { COMPAT_JOURNAL = 4 };
enum { INCOMPAT_FILETYPE = 2, INCOMPAT_RECOVER = 4, INCOMPAT_EXTENTS = 0x40, INCOMPAT_64BIT = 0x80, INCOMPAT_FLEX_GROUPS = 0x200, INCOMPAT_SEED = 0x2000 };
enum { RO_SPARSE_SUPER = 1, RO_LARGE_FILE = 2, RO_HUGE_FILE = 8, RO_GROUP_CHECKSUM = 0x10, RO_DIR_NLINK = 0x20, RO_EXTRA_SIZE = 0x40, RO_METADATA_CHECKSUM = 0x400 };
struct disk_super { /* at byte 1024 */
    uint32_t inodes, blocks, reserved_blocks, free_blocks, free_inodes, first_data_block, log_block_size, log_cluster_size;
    uint32_t blocks_per_group, clusters_per_group, inodes_per_group, mount_time, write_time;
    uint16_t mounts, most_mounts, magic, state, errors, minor;
    uint32_t last_check, check_interval, creator, revision;
    uint16_t reserved_uid, reserved_gid;
    uint32_t first_inode;
    uint16_t inode_size, group;
    uint32_t compatible, incompatible, ro_compatible;
    uint8_t uuid[16], name[16], last_mounted[64];
    uint32_t compression;
    uint8_t preallocate, preallocate_directories;
    uint16_t reserved_table_blocks;
    uint8_t journal_uuid[16];
    uint32_t journal_inode, journal_device, last_orphan, hash_seed[4];
    uint8_t hash_version, journal_backup;
    uint16_t descriptor_size;
    uint32_t mount_options, first_meta_group, made, journal_blocks[17];
    uint32_t blocks_high, reserved_blocks_high, free_blocks_high;
    uint16_t least_extra, wanted_extra;
    uint32_t flags;
    uint8_t rest[0x270 - 0x164];
    uint32_t checksum_seed;
    uint8_t rest2[0x3fc - 0x274];
    uint32_t checksum;
} __attribute__((packed));
enum { STATE_CLEAN = 1, STATE_ERRORS = 2 };
struct disk_group {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint16_t free_blocks, free_inodes, directories, flags;
    uint32_t exclude;
    uint16_t block_checksum, inode_checksum, unused_inodes, checksum;
    /* with 64-bit descriptors: */
    uint32_t block_bitmap_high, inode_bitmap_high, inode_table_high;
    uint16_t free_blocks_high, free_inodes_high, directories_high, unused_inodes_high;
    uint32_t exclude_high;
    uint16_t block_checksum_high, inode_checksum_high;
    uint32_t reserved;
} __attribute__((packed));
enum { GROUP_NO_INODES = 1, GROUP_NO_BLOCKS = 2 }; /* not initialised: the bitmap is to be made up */

struct disk_inode {
    uint16_t mode, uid;
    uint32_t size, atime, ctime, mtime, dtime;
    uint16_t gid, links;
    uint32_t blocks, flags, version;
    uint8_t block[60];
    uint32_t generation, xattr_block, size_high, fragment;
    uint16_t blocks_high, xattr_block_high, uid_high, gid_high, checksum, reserved;
    uint16_t extra_size, checksum_high; /* from here on only in inodes of more than 128 bytes */
    uint32_t ctime_extra, mtime_extra, atime_extra, birth, birth_extra, version_high, project;
} __attribute__((packed));
enum { INODE_INDEXED = 0x1000, INODE_HUGE = 0x40000, INODE_EXTENTS = 0x80000, INODE_INLINE = 0x10000000, INODE_ENCRYPTED = 0x800, INODE_VERITY = 0x100000,
       INODE_CASEFOLD = 0x40000000, INODE_XATTR = 0x200000, INODE_IMMUTABLE = 0x10, INODE_APPEND = 0x20, INODE_COMPRESSED = 4 };

struct disk_extent_header { uint16_t magic, entries, most, depth; uint32_t generation; };
struct disk_extent { uint32_t first; uint16_t length, start_high; uint32_t start; };
struct disk_index { uint32_t first, leaf; uint16_t leaf_high, unused; };
#define EXTENT_MAGIC 0xf30a
#define EXTENT_MOST 32768u /* a length above it: unwritten, and that much less */

struct disk_entry { uint32_t inode; uint16_t size; uint8_t length, type; char name[]; };
#define ENTRY_TAIL_TYPE 0xde
struct disk_tail { uint32_t inode; uint16_t size; uint8_t length, type; uint32_t checksum; };

#define XATTR_MAGIC 0xea020000u
struct disk_xattr_header { uint32_t magic, references, blocks, hash, checksum, reserved[3]; };
struct disk_xattr { uint8_t length, index; uint16_t offset; uint32_t inode, size, hash; char name[]; };

/* The journal, big-endian. */
#define JOURNAL_MAGIC 0xc03b3998u
enum { JOURNAL_DESCRIPTOR = 1, JOURNAL_COMMIT = 2, JOURNAL_SUPER_1 = 3, JOURNAL_SUPER_2 = 4, JOURNAL_REVOKE = 5 };
enum { JOURNAL_HAS_REVOKES = 1, JOURNAL_HAS_64BIT = 2, JOURNAL_HAS_ASYNC = 4, JOURNAL_HAS_CHECKSUM_3 = 0x10 };
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_DELETED = 4, TAG_LAST = 8 };
struct journal_header { uint32_t magic, type, sequence; };
struct journal_super {
    struct journal_header header;
    uint32_t block_size, length, first, sequence, start, error, compatible, incompatible, ro_compatible;
    uint8_t uuid[16];
    uint32_t users, dynamic, most_transaction, most_data;
    uint8_t checksum_type, padding[3];
    uint32_t rest[42], checksum;
};
struct journal_commit { struct journal_header header; uint8_t type, size, padding[2]; uint32_t checksum[8]; uint64_t seconds; uint32_t nanoseconds; } __attribute__((packed));
_Static_assert(sizeof(struct disk_super) == 1024 && sizeof(struct disk_group) == 64 && sizeof(struct disk_inode) == 160 && sizeof(struct journal_super) == 256 &&
               __builtin_offsetof(struct disk_super, checksum_seed) == 0x270 && __builtin_offsetof(struct disk_super, journal_inode) == 0xe0 &&
               __builtin_offsetof(struct disk_super, blocks_high) == 0x150 && __builtin_offsetof(struct journal_super, checksum) == 0xfc, "ext4 on disk");
#endif
