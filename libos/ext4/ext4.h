/*
 * ext4 (Linux Documentation/filesystems/ext4, "Data Structures and Algorithms"): block volumes that Linux can mount, and the upper layer of a root
 * that survives its machine. Owns everything of such a file system on a `block` device.
 *
 * The image is not trusted: what does not fit is -EIO for who asked. What fsync returned for is on the device; what the device has at any moment is, after
 * the journal's replay, a consistent file system.
 * Context: calls and faults; sleeps. One lock a file system, never held across a copy from or to a program.
 */
#ifndef HULL_EXT4_EXT4_H
#define HULL_EXT4_EXT4_H
#include "block/block.h"
#include "vfs/vfs.h"
/* Mounts what the device has, its journal replayed. 0, or -errno with *why telling what is wrong with it (a text that stays). */
int ext4_open(struct block_device *, uint64_t device, bool read_only, struct superblock **out, const char **why);
/* Ends it: written out, marked clean, freed. For tests and umount; no inode of it is in use but the root. */
void ext4_close(struct superblock *);
#endif
