/*
 * Descriptors that only name a place (O_PATH): what takes them and what does not; links that openat2 may not follow; and answers of other file calls at their
 * edges. In the current directory, which it leaves as it was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#define SAYS(call) says(#call, (errno = 0, (long)(call)))
#define FINE(call) fine(#call, (errno = 0, (long)(call)))
static void says(const char *call, long result) { printf("%s: %ld %s\n", call, result, result < 0 ? strerror(errno) : ""); }
static void fine(const char *call, long result) { printf("%s: %s\n", call, result < 0 ? strerror(errno) : "fine"); }

/* openat2(2), statx(2): not every C library's headers have all of it. */
struct open_how { uint64_t flags, mode, resolve; };
enum { RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, FORCE_SYNC = 0x2000, DONT_SYNC = 0x4000 };
#ifndef STATX_SIZE
#define STATX_SIZE 0x200
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static long open_with(int directory, const char *path, int flags, int resolve) {
    struct open_how how = { .flags = (unsigned)flags, .resolve = (unsigned)resolve };
    return syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* Linux has it from 6.6 on; what it does is asked of both sides. */
static long change_mode(int directory, const char *path, mode_t mode, int flags) {
    long result = syscall(SYS_fchmodat2, directory, path, mode, flags);
    if (result == 0 || errno != ENOSYS) return result;
    char link[32];
    int file = *path ? openat(directory, path, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0)) : directory;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return chmod(link, mode);
}

static long mapped(void *at) { return at == MAP_FAILED ? -1 : munmap(at, 4096); }

/* A descriptor over a socket: one that only names a place may go there, too. */
static long passed(int file) {
    int ends[2], got = -1;
    char byte = 0;
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.head), &file, sizeof file);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return -1;
    long result = sendmsg(ends[0], &message, 0);
    if (result == 1) result = recvmsg(ends[1], &message, 0);
    if (result == 1) memcpy(&got, CMSG_DATA(&control.head), sizeof got);
    close(ends[0]);
    close(ends[1]);
    struct stat stat;
    result = fstat(got, &stat) ? -1 : (long)stat.st_size;
    close(got);
    return result;
}

int main(void) {
    const char *name = "places-file", *link = "places-link";
    char text[64], path[32];
    struct stat stat;
    struct statfs system;
    uint8_t x[256]; /* struct statx */
    struct flock lock = { .l_type = F_RDLCK };
    int plain = open(name, O_CREAT | O_RDWR | O_TRUNC, 0640);
    if (plain < 0 || write(plain, "content", 7) != 7 || symlink(name, link)) return 2;
    int place = open(name, O_PATH), directory = open(".", O_PATH), of_link = open(link, O_PATH | O_NOFOLLOW);
    printf("%x %x %x %d\n", fcntl(place, F_GETFL), fcntl(directory, F_GETFL), fcntl(of_link, F_GETFL) & ~O_NOFOLLOW, !!(fcntl(of_link, F_GETFL) & O_NOFOLLOW));
    SAYS(read(place, text, 1)); SAYS(write(place, text, 1)); SAYS(pread(place, text, 1, 0)); SAYS(lseek(place, 0, SEEK_SET)); SAYS(ftruncate(place, 0));
    SAYS(fsync(place)); SAYS(fdatasync(place)); SAYS(syncfs(place)); SAYS(sync_file_range(place, 0, 0, 0)); SAYS(fallocate(place, 0, 0, 1)); SAYS(readahead(place, 0, 1));
    SAYS(posix_fadvise(place, 0, 0, 0)); SAYS(fchmod(place, 0600)); SAYS(fchown(place, getuid(), getgid())); SAYS(futimens(place, NULL));
    SAYS(fgetxattr(place, "user.x", text, 9)); SAYS(flistxattr(place, text, 9)); SAYS(flock(place, LOCK_SH)); SAYS(fcntl(place, F_GETLK, &lock));
    SAYS(fcntl(place, F_SETFL, O_APPEND)); SAYS(fcntl(place, F_GETOWN)); SAYS(ioctl(place, FIONREAD, text)); SAYS(ioctl(place, FIOCLEX));
    SAYS(mapped(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, place, 0))); SAYS(sendfile(plain, place, NULL, 1)); SAYS(copy_file_range(place, NULL, plain, NULL, 1, 0));
    SAYS(syscall(SYS_getdents64, directory, text, sizeof text));
    struct pollfd asked = { .fd = place, .events = POLLIN };
    SAYS(poll(&asked, 1, 0)); printf("%x\n", asked.revents);
    int set = epoll_create1(0);
    SAYS(epoll_ctl(set, EPOLL_CTL_ADD, place, &(struct epoll_event){ 0 }));

    SAYS(fstat(place, &stat)); SAYS(stat.st_size); SAYS(fstatfs(place, &system)); SAYS(fcntl(place, F_GETFD)); SAYS(fcntl(place, F_SETFD, FD_CLOEXEC)); SAYS(fcntl(place, F_GETFD));
    int copy = dup(place);
    SAYS(fstat(copy, &stat)); SAYS(dup2(place, copy) == copy); SAYS(fcntl(copy, F_GETFD)); SAYS(close(copy)); SAYS(passed(place));
    FINE(fcntl(place, F_DUPFD_CLOEXEC, 100)); SAYS(close(100));
    SAYS(fchdir(place)); SAYS(fchdir(directory)); SAYS(fstatat(place, "", &stat, AT_EMPTY_PATH)); SAYS(fstatat(directory, name, &stat, 0)); SAYS(fstatat(place, "x", &stat, 0));
    SAYS(fchownat(place, "", getuid(), getgid(), AT_EMPTY_PATH)); SAYS(syscall(SYS_statx, place, "", AT_EMPTY_PATH, STATX_SIZE, x)); SAYS(readlinkat(of_link, "", text, sizeof text));
    SAYS(linkat(directory, name, directory, "places-other", 0)); SAYS(unlinkat(directory, "places-other", 0));
    snprintf(path, sizeof path, "/proc/self/fd/%d", place);
    int again = open(path, O_RDWR);
    SAYS(read(again, text, sizeof text));
    SAYS(change_mode(place, "", 0604, AT_EMPTY_PATH)); SAYS(fstat(plain, &stat)); printf("%o\n", stat.st_mode);
    SAYS(change_mode(AT_FDCWD, name, 0640, 0)); SAYS(change_mode(AT_FDCWD, link, 0777, AT_SYMLINK_NOFOLLOW)); SAYS(fstat(plain, &stat)); printf("%o\n", stat.st_mode);

    FINE(open_with(AT_FDCWD, "/proc/self/status", O_RDONLY, RESOLVE_NO_MAGICLINKS)); FINE(open_with(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS));
    FINE(open_with(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS)); FINE(open_with(AT_FDCWD, "/proc/self/root/proc", O_PATH, RESOLVE_NO_MAGICLINKS));
    FINE(open_with(AT_FDCWD, "/proc/self/status", O_RDONLY, RESOLVE_NO_SYMLINKS)); FINE(open_with(AT_FDCWD, link, O_RDONLY, RESOLVE_NO_MAGICLINKS));

    struct timespec omitted[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
    SAYS(utimensat(AT_FDCWD, "places-not-there", omitted, 0)); SAYS(syscall(SYS_statx, AT_FDCWD, name, FORCE_SYNC | DONT_SYNC, STATX_SIZE, x));
    SAYS(mapped(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE, plain, 0))); SAYS(mapped(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, plain, 0)));
    uint32_t attributes[20];
    memset(attributes, 0xff, sizeof attributes);
    SAYS(syscall(SYS_sched_getattr, 0, attributes, 48, 0)); printf("%u %x\n", attributes[0], attributes[12]);
    SAYS(syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0)); printf("%u %x %d\n", attributes[0], attributes[11], attributes[12] <= 1024);
    attributes[0] = 56, attributes[12] = attributes[13] = 0;
    SAYS(syscall(SYS_sched_setattr, 0, attributes, 0));
    SAYS(unlink(name)); SAYS(unlink(link));
    return 0;
}
