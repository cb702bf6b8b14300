/*
 * What Linux lays out or numbers differently by instruction set, of what calls take and give: x86-64's (man-pages section 2; the kernel's user-space headers, asm/). Only layouts and
 * numbers. Structures for signals are beside signal_frame.c.
 */
#ifndef HULL_ARCH_LINUX_ABI_H
#define HULL_ARCH_LINUX_ABI_H
#include <stdint.h>

/* uname(2), and the name by which loaders find libraries. */
#define LINUX_MACHINE "x86_64"

/* open(2) */
#define O_DIRECT 040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000

/* stat(2) */
struct linux_timespec { int64_t seconds, nanoseconds; };
struct linux_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    struct linux_timespec atime, mtime, ctime;
    int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat of the x86-64 ABI");

/* epoll_event(3type): packed here. */
struct epoll_event { uint32_t events; uint64_t data; } __attribute__((packed));

/* semctl(2): what follows the permissions in struct semid64_ds. */
struct linux_sem_state { int64_t otime; uint64_t unused1; int64_t ctime; uint64_t unused2, count, unused[2]; };

/* mmap(2): where MAP_32BIT, a flag of this instruction set only, places a mapping. */
#define MAP_32BIT 0x40
enum { LOW_PLACE_BEGIN = 0x40000000, LOW_PLACE_END = 0x80000000u };

/* clone(2): which argument is which. */
enum { CLONE_ARGUMENT_CHILD_TID = 3, CLONE_ARGUMENT_TLS = 4 };
#endif
