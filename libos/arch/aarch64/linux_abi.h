/*
 * What Linux lays out or numbers differently by instruction set, of what calls take and give: AArch64's, mostly the generic ones (man-pages section 2; the kernel's user-space headers,
 * asm-generic/stat.h, asm-generic/sembuf.h, arch/arm64/include/uapi/asm/fcntl.h). Only layouts and numbers. Structures for signals are beside signal_frame.c.
 */
#ifndef HULL_ARCH_LINUX_ABI_H
#define HULL_ARCH_LINUX_ABI_H
#include <stdint.h>

/* uname(2), and the name by which loaders find libraries. */
#define LINUX_MACHINE "aarch64"

/* open(2) */
#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
#define O_DIRECT 0200000
#define O_LARGEFILE 0400000

/* stat(2) */
struct linux_timespec { int64_t seconds, nanoseconds; };
struct linux_stat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, pad;
    int64_t size;
    int32_t blksize, pad2;
    int64_t blocks;
    struct linux_timespec atime, mtime, ctime;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct linux_stat) == 128, "struct stat of the generic ABI");

/* epoll_event(3type) */
struct epoll_event { uint32_t events; uint64_t data; };

/* semctl(2): what follows the permissions in struct semid64_ds. */
struct linux_sem_state { int64_t otime, ctime; uint64_t count, unused[2]; };

/* mmap(2): there is no MAP_32BIT here. */
#define MAP_32BIT 0
enum { LOW_PLACE_BEGIN = 0, LOW_PLACE_END = 0 };

/* clone(2): which argument is which. */
enum { CLONE_ARGUMENT_TLS = 3, CLONE_ARGUMENT_CHILD_TID = 4 };
#endif
