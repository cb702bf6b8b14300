/*
 * Linux's generic 64-bit file ABI: the numbers and structures that programs pass to file calls. What differs by instruction set is in libos/arch/<isa>/linux_abi.h.
 * Source: the Linux user-space headers' ABI as documented in man-pages section 2 (open, fcntl, stat, statx, statfs, getdents, poll, ioctl_tty).
 * Only layouts and numbers; nothing here is ours to change.
 */
#ifndef HULL_ABI_LINUX_FILE_H
#define HULL_ABI_LINUX_FILE_H
#include <stdint.h>
#include "linux_abi.h" /* from libos/arch/<isa>/ */

/* open(2) */
#define O_ACCMODE 3
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
#define O_EXCL 0200
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#define O_DSYNC 010000
#define O_ASYNC 020000
#define O_NOATIME 01000000
#define O_CLOEXEC 02000000
#define O_SYNC 04010000
#define O_PATH 010000000
#define O_TMPFILE (020000000 | O_DIRECTORY)
/* x86-64's numbers, which are those of 9P2000.L and of the host's calls, as they are here. */
static inline uint32_t open_flags_of_host(uint32_t flags) {
    return (flags & ~0740000u) | (flags & 040000 ? O_DIRECT : 0) | (flags & 0100000 ? O_LARGEFILE : 0) | (flags & 0200000 ? O_DIRECTORY : 0) | (flags & 0400000 ? O_NOFOLLOW : 0);
}

#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS 0x200
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_FOLLOW 0x400
#define AT_NO_AUTOMOUNT 0x800
#define AT_EMPTY_PATH 0x1000
#define AT_STATX_SYNC_TYPE 0x6000

/* fcntl(2) */
#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#define F_SETOWN 8
#define F_GETOWN 9
#define F_SETOWN_EX 15
#define F_GETOWN_EX 16
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#define F_SETLEASE 1024
#define F_GETLEASE 1025
#define F_NOTIFY 1026
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define FD_CLOEXEC 1
#define F_UNLCK 2
struct linux_flock { int16_t type, whence; int64_t start, length; int32_t pid; };

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define SEEK_DATA 3
#define SEEK_HOLE 4

/* stat(2) */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_ISVTX 01000
struct linux_statx_timestamp { int64_t seconds; uint32_t nanoseconds; int32_t reserved; };
struct linux_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct linux_statx_timestamp atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount_id;
    uint32_t dio_memory_align, dio_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");
#define STATX_BASIC_STATS 0x7ff
#define STATX_BTIME 0x800
#define STATX_MNT_ID 0x1000
#define STATX_ATTR_MOUNT_ROOT 0x2000
struct linux_statfs {
    int64_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    int32_t fsid[2];
    int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");
struct linux_dirent64 { uint64_t ino; int64_t offset; uint16_t length; uint8_t type; char name[]; };
#define DT_OF_MODE(mode) (((mode) & S_IFMT) >> 12)
/* Linux's "new" device number encoding, 64 bits in struct stat. */
#define DEVICE_NUMBER(major, minor) (((uint64_t)(major) << 8) | (minor))

#define PATH_MAX 4096
#define NAME_MAX 255

/* poll(2) */
#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 0x10
#define POLLNVAL 0x20
#define POLLRDNORM 0x40
#define POLLRDBAND 0x80
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#define POLLRDHUP 0x2000
struct linux_pollfd { int32_t fd; int16_t events, revents; };

/* ioctl_tty(2) */
#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540a
#define TCFLSH 0x540b
#define TIOCSCTTY 0x540e
#define TIOCGPGRP 0x540f
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIGETBSZ 2
#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define TIOCNOTTY 0x5422
#define TCSBRKP 0x5425
#define TIOCGSID 0x5429
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIOASYNC 0x5452
struct linux_winsize { uint16_t rows, columns, x_pixels, y_pixels; };
struct linux_termios { uint32_t iflag, oflag, cflag, lflag; uint8_t line, cc[19]; };
_Static_assert(sizeof(struct linux_termios) == 36, "struct termios of TCGETS");
enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VDISCARD, VWERASE, VLNEXT, VEOL2 };
#define ISTRIP 040
#define INLCR 0100
#define IGNCR 0200
#define ICRNL 0400
#define IXON 02000
#define IUTF8 040000
#define OPOST 1
#define ONLCR 4
#define OCRNL 010
#define ISIG 1
#define ICANON 2
#define ECHO 010
#define ECHOE 020
#define ECHOK 040
#define ECHONL 0100
#define NOFLSH 0200
#define TOSTOP 0400
#define ECHOCTL 01000
#define ECHOKE 04000
#define IEXTEN 0100000
#endif
