/* Names and content as Linux has them: files without a name, exchanged names, moved directories, holes, extended attributes, who may do what. */
// variants: musl glibc
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
#ifdef SYS_getdents
enum { OLD_NAME = 18 };
#define OLD_TYPE length - 1
#else /* on newer instruction sets getdents64 alone */
#define SYS_getdents SYS_getdents64
enum { OLD_NAME = 19, OLD_TYPE = 18 };
#endif
struct how { uint64_t flags, mode, resolve; };
enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16, CACHED = 32 };

/* musl has none of these yet. */
static long write2(int fd, struct iovec *v, long at, int flags) { return syscall(SYS_pwritev2, fd, v, 1, at, at < 0 ? -1 : 0, flags); }
static long read2(int fd, struct iovec *v, long at, int flags) { return syscall(SYS_preadv2, fd, v, 1, at, at < 0 ? -1 : 0, flags); }
enum { DSYNC = 2, NOWAIT = 8, APPEND = 16 };
struct statx_answer { uint32_t mask, more[15]; uint64_t pad[2]; struct { int64_t seconds; uint64_t rest; } access, birth; uint64_t tail[24]; };

static int open2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct how how = {flags, mode, resolve};
    int fd = (int)syscall(437, dir, path, &how, sizeof how);
    return fd < 0 ? fd : (close(fd), 0);
}
static void write_file(const char *path, const char *text) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (write(fd, text, strlen(text)) < 0) perror(path);
    close(fd);
}
static void show_file(const char *path) {
    char text[100] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0) printf("%s: %s\n", path, strerror(errno));
    else printf("%s: %ld %s\n", path, (long)read(fd, text, sizeof text - 1), text), close(fd);
}
static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
    DIR *dir = opendir(path);
    char *names[64];
    int n = 0;
    for (struct dirent *e; dir && (e = readdir(dir)) && n < 64;) names[n++] = strdup(e->d_name);
    if (dir) closedir(dir);
    qsort(names, (size_t)n, sizeof *names, by_name);
    printf("%s:", path);
    for (int i = 0; i < n; i++) printf(" %s", names[i]);
    printf("\n");
}
static struct stat status_of(const char *path) {
    struct stat s = {0};
    lstat(path, &s);
    return s;
}

static void without_name(void) {
    char link[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0640);
    struct stat s;
    SHOW(fd >= 0); SHOW(write(fd, "nameless", 8)); SHOW(fstat(fd, &s)); SHOW(s.st_nlink); SHOW(s.st_mode); list(".");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)); show_file("named"); SHOW(status_of("named").st_nlink);
    SHOW(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH)); SHOW(status_of("again").st_nlink); close(fd);
    fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    FAILS(linkat(AT_FDCWD, link, AT_FDCWD, "never", AT_SYMLINK_FOLLOW)); close(fd);
    FAILS(open(".", O_TMPFILE | O_RDONLY, 0600)); FAILS(open("named", O_TMPFILE | O_RDWR, 0600)); FAILS(open("nowhere", O_TMPFILE | O_RDWR, 0600));
    unlink("named"), unlink("again");
}

static void moves(void) {
    mkdir("dir", 0755), mkdir("dir/sub", 0755), mkdir("other", 0755);
    write_file("dir/one", "1"), write_file("dir/sub/two", "2"), write_file("other/three", "3"), write_file("file", "f");
    SHOW(rename("dir", "moved")); list("moved"); list("moved/sub"); show_file("moved/sub/two"); FAILS(access("dir", F_OK));
    FAILS(rename("moved", "moved/sub/in")); FAILS(rename("moved", "other")); FAILS(rename("file", "other")); FAILS(rename("moved", "file"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "other", 2)); list("moved"); list("other"); show_file("other/one"); show_file("moved/three");
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "file", 2)); show_file("moved"); list("file"); SHOW(status_of(".").st_nlink > 3);
    FAILS(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "file", 1)); FAILS(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "x", 3));
    FAILS(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "x", 2)); SHOW(syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "x", 1));
    SHOW(rename("other", "file/deep")); list("file/deep"); show_file("file/deep/sub/two"); SHOW(status_of("file").st_nlink); SHOW(status_of("file/deep").st_nlink);
    mkdir("empty", 0700); SHOW(rename("file/deep", "empty")); list("empty"); list("file");
}

/* On a tmpfs, natively too. */
static void whiteouts(void) {
    char folder[] = "/dev/shm/files-XXXXXX", before[256];
    getcwd(before, sizeof before);
    SHOW(mkdtemp(folder) && !chdir(folder));
    write_file("a", "a"), write_file("b", "b"), mkdir("d", 0755);
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "d/a", 4)); show_file("d/a"); SHOW(status_of("a").st_mode); SHOW(status_of("a").st_rdev); list(".");
    FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "a", 5)); FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "a", 6));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d/a", 4)); show_file("d/a"); SHOW(status_of("b").st_rdev); SHOW(unlink("a")); SHOW(unlink("b"));
    SHOW(unlink("d/a")); SHOW(rmdir("d")); SHOW(chdir(before)); SHOW(rmdir(folder));
}

/* A directory that the file system below has, where there is one below. */
static void moves_of_the_lower(void) {
    list("lower"); 
    SHOW(rename("lower", "moved")); list("moved"); list("moved/sub"); show_file("moved/sub/two"); FAILS(access("lower", F_OK));
    write_file("moved/sub/new", "new"); SHOW(unlink("moved/sub/two")); SHOW(rename("moved/sub", "sub")); list("sub"); list("moved");
    SHOW(mkdir("lower", 0755)); list("lower"); SHOW(rename("moved", "lower")); list("lower"); show_file("lower/one");
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "lower", AT_FDCWD, "sub", 2)); list("lower"); list("sub"); show_file("sub/one");
    SHOW(rename("sub", "lower/again")); list("lower"); show_file("lower/again/one");
    SHOW(unlink("lower/again/one")); FAILS(rmdir("lower")); SHOW(rmdir("lower/again")); list("lower");
}

static void holes(void) {
    int fd = open("holes", O_CREAT | O_RDWR | O_TRUNC, 0600);
    char byte;
    pwrite(fd, "a", 1, 0), pwrite(fd, "b", 1, 1 << 20), ftruncate(fd, 3 << 20);
    SHOW(lseek(fd, 0, SEEK_HOLE)); SHOW(lseek(fd, 5, SEEK_DATA)); SHOW(lseek(fd, 4096, SEEK_DATA)); SHOW(lseek(fd, 1 << 20, SEEK_HOLE));
    FAILS(lseek(fd, 2 << 20, SEEK_DATA)); SHOW(lseek(fd, 2 << 20, SEEK_HOLE)); FAILS(lseek(fd, 3 << 20, SEEK_HOLE)); FAILS(lseek(fd, -1, SEEK_DATA));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096)); FAILS(lseek(fd, 4096, SEEK_DATA));
    SHOW(pread(fd, &byte, 1, 1 << 20)); SHOW(byte); FAILS(fallocate(fd, 0, 0, 0)); FAILS(fallocate(fd, 0, -1, 5));
    FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 5)); SHOW(fallocate(fd, 0, 3 << 20, 4096)); SHOW(lseek(fd, 0, SEEK_END));
    FAILS(syscall(SYS_sync_file_range, fd, 0, 4096, 7)); FAILS(syscall(SYS_sync_file_range, fd, 0, -1, 7)); FAILS(syscall(SYS_sync_file_range, fd, 0, 0, 8));
    /* Flags of one call */
    struct iovec v = {"xy", 2};
    lseek(fd, 0, SEEK_SET), ftruncate(fd, 10);
    SHOW(write2(fd, &v, 3, APPEND)); SHOW(lseek(fd, 0, SEEK_END)); SHOW(write2(fd, &v, 3, DSYNC)); FAILS(write2(fd, &v, 3, 1 << 20));
    SHOW(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK));
    int ends[2];
    char text[4];
    struct iovec in = {text, 4};
    pipe(ends); FAILS(read2(ends[0], &in, -1, NOWAIT)); write(ends[1], "p", 1); SHOW(read2(ends[0], &in, -1, NOWAIT));
    struct statx_answer x;
    SHOW(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0xfff, &x)); SHOW((x.mask & 0x800) != 0 && x.birth.seconds > 1000000);
    char old[1024];
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    SHOW(syscall(SYS_getdents, dir, old, sizeof old) > 0); unsigned short length = *(unsigned short *)(old + 16);
    printf("%s %d\n", old + OLD_NAME, old[OLD_TYPE]); FAILS(syscall(SYS_getdents, fd, old, sizeof old));
    close(fd), unlink("holes");
}

static void resolving(void) {
    mkdir("root", 0755), mkdir("root/in", 0755), write_file("root/in/file", "in"), write_file("outside", "out");
    symlink("in/file", "root/good"), symlink("../outside", "root/up"), symlink("/in/file", "root/absolute"), symlink("in", "root/dir");
    int dir = open("root", O_RDONLY | O_DIRECTORY);
    FAILS(open2(dir, "good", 0, 0, 0)); FAILS(open2(dir, "good", 0, 0, NO_SYMLINKS)); FAILS(open2(dir, "dir/file", 0, 0, NO_SYMLINKS));
    FAILS(open2(dir, "in/file", 0, 0, NO_SYMLINKS)); FAILS(open2(dir, "good", O_NOFOLLOW | O_PATH, 0, NO_SYMLINKS));
    FAILS(open2(dir, "good", 0, 0, BENEATH)); FAILS(open2(dir, "up", 0, 0, BENEATH)); FAILS(open2(dir, "absolute", 0, 0, BENEATH));
    FAILS(open2(dir, "../outside", 0, 0, BENEATH)); FAILS(open2(dir, "in/../good", 0, 0, BENEATH)); FAILS(open2(dir, "/etc", 0, 0, BENEATH));
    FAILS(open2(dir, "absolute", 0, 0, IN_ROOT)); FAILS(open2(dir, "/in/file", 0, 0, IN_ROOT)); FAILS(open2(dir, "../../in/file", 0, 0, IN_ROOT));
    FAILS(open2(dir, "up", 0, 0, IN_ROOT)); FAILS(open2(dir, "made", O_CREAT | O_WRONLY, 0600, IN_ROOT)); FAILS(open2(dir, "../above", O_CREAT | O_WRONLY, 0600, BENEATH));
    FAILS(open2(AT_FDCWD, "/proc/self/status", 0, 0, NO_XDEV)); FAILS(open2(AT_FDCWD, "/proc/self/cwd", 0, 0, NO_MAGICLINKS));
    FAILS(open2(AT_FDCWD, ".", O_CREAT, 0, 0)); FAILS(open2(AT_FDCWD, ".", 0, 0600, 0)); FAILS(open2(AT_FDCWD, ".", 1ull << 40, 0, 0));
    FAILS(open2(AT_FDCWD, ".", 0, 0, 1 << 10)); FAILS(open2(AT_FDCWD, ".", 0, 0, BENEATH | IN_ROOT));
    struct { struct how how; uint64_t more; } larger = {{0, 0, 0}, 0};
    FAILS(syscall(437, AT_FDCWD, ".", &larger, 8)); long fd = syscall(437, AT_FDCWD, ".", &larger, sizeof larger); SHOW(fd >= 0); close((int)fd);
    larger.more = 1; FAILS(syscall(437, AT_FDCWD, ".", &larger, sizeof larger));
    close(dir);
}

static void attributes(void) {
    char value[64] = "", names[256];
    write_file("plain", "x"), symlink("plain", "sym");
    SHOW(status_of("sym").st_blocks); SHOW(setxattr("plain", "user.colour", "blue", 4, 0)); SHOW(getxattr("plain", "user.colour", value, sizeof value)); printf("%.4s\n", value);
    SHOW(getxattr("plain", "user.colour", NULL, 0)); FAILS(getxattr("plain", "user.colour", value, 2)); FAILS(getxattr("plain", "user.none", value, 64));
    FAILS(setxattr("plain", "user.colour", "red", 3, XATTR_CREATE)); SHOW(setxattr("plain", "user.colour", "red", 3, XATTR_REPLACE));
    FAILS(setxattr("plain", "user.none", "", 0, XATTR_REPLACE)); SHOW(setxattr("plain", "user.empty", "", 0, XATTR_CREATE));
    SHOW(listxattr("sym", names, sizeof names)); FAILS(listxattr("plain", names, 3)); SHOW(llistxattr("sym", names, sizeof names));
    FAILS(lsetxattr("sym", "user.x", "", 0, 0)); FAILS(lgetxattr("sym", "user.x", value, 64)); FAILS(setxattr("plain", "nonsense", "", 0, 0));
    FAILS(setxattr("plain", "", "", 0, 0)); FAILS(setxattr("plain", "user.", "", 0, 0)); SHOW(setxattr("plain", "trusted.t", "t", 1, 0)); FAILS(setxattr("plain", "other.t", "t", 1, 0));
    int fd = open("plain", O_RDWR);
    SHOW(fgetxattr(fd, "user.colour", value, 64)); SHOW(fsetxattr(fd, "user.fd", "1", 1, 0)); SHOW(fremovexattr(fd, "user.fd")); FAILS(fremovexattr(fd, "user.fd"));
    SHOW(flistxattr(fd, NULL, 0)); SHOW(rename("plain", "renamed")); SHOW(getxattr("renamed", "user.colour", value, 64));
    SHOW(setxattr(".", "user.dir", "d", 1, 0)); SHOW(getxattr(".", "user.dir", value, 64)); SHOW(removexattr(".", "user.dir"));
    SHOW(removexattr("renamed", "user.colour")); SHOW(removexattr("renamed", "user.empty")); SHOW(removexattr("renamed", "trusted.t")); SHOW(flistxattr(fd, NULL, 0)); close(fd);
}

/* As user 1000 of group 1000, also in group 2000. */
static void as_user(void) {
    gid_t more = 2000;
    if (setgroups(1, &more) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) _exit(1);
    umask(022);
    FAILS(open("secret", O_RDONLY)); FAILS(open("of-group", O_RDWR)); FAILS(open("of-group", O_WRONLY | O_APPEND)); FAILS(open("readable", O_RDONLY)); FAILS(open("readable", O_WRONLY));
    FAILS(open("closed/inside", O_RDONLY)); FAILS(unlink("readable")); FAILS(mkdir("here", 0755)); FAILS(rename("readable", "sticky/x")); FAILS(chmod("readable", 0777));
    FAILS(chown("readable", 1000, -1)); FAILS(truncate("readable", 0)); FAILS(utimensat(AT_FDCWD, "readable", NULL, 0)); FAILS(utimensat(AT_FDCWD, "writable", NULL, 0));
    struct timespec times[2] = {{1, 0}, {2, 0}};
    FAILS(utimensat(AT_FDCWD, "writable", times, 0)); FAILS(access("secret", R_OK)); FAILS(access("readable", R_OK | W_OK)); FAILS(open("list-only/file", O_RDONLY));
    FAILS(open("list-only", O_RDONLY | O_DIRECTORY)); FAILS(open("pass-only", O_RDONLY | O_DIRECTORY)); FAILS(open("pass-only/file", O_RDONLY));
    /* A sticky directory: one's own only */
    write_file("sticky/mine", "m"); FAILS(unlink("sticky/theirs")); FAILS(rename("sticky/theirs", "sticky/gone")); FAILS(rename("sticky/mine", "sticky/theirs")); SHOW(unlink("sticky/mine"));
    /* A setgid directory gives its group on */
    write_file("setgid/file", "s"); SHOW(status_of("setgid/file").st_gid); SHOW(mkdir("setgid/dir", 0755)); SHOW(status_of("setgid/dir").st_mode); SHOW(status_of("setgid/dir").st_gid);
    SHOW(status_of("setgid/file").st_uid); SHOW(chown("setgid/file", -1, 2000)); FAILS(chown("setgid/file", -1, 3000)); FAILS(chown("setgid/file", 0, -1));
    SHOW(chmod("setgid/file", 02755)); SHOW(status_of("setgid/file").st_mode); SHOW(chown("setgid/file", -1, 1000)); SHOW(status_of("setgid/file").st_mode);
    SHOW(chmod("setgid/file", 04711)); int fd = open("setgid/file", O_WRONLY); SHOW(write(fd, "x", 1)); SHOW(status_of("setgid/file").st_mode);
    FAILS(mknod("setgid/device", S_IFCHR | 0600, 0x103)); FAILS(chroot(".")); FAILS(setxattr("setgid/file", "trusted.x", "", 0, 0)); FAILS(setxattr("readable", "user.x", "", 0, 0));
    FAILS(setuid(0)); FAILS(setgid(0)); FAILS(setgroups(1, &more)); FAILS(kill(getppid(), 0)); SHOW(getegid());
    FAILS(syscall(SYS_timerfd_create, 8 /* CLOCK_REALTIME_ALARM */, 0)); FAILS(syscall(SYS_timerfd_create, 9, 0));
    FAILS(link("secret", "setgid/hard")); FAILS(open("setgid/new", O_CREAT | O_RDWR, 0)); FAILS(open("setgid/new", O_RDONLY));
    _exit(0);
}

static void permissions(void) {
    int s;
    umask(0);
    write_file("secret", "s"), chmod("secret", 0600), write_file("readable", "r"), chmod("readable", 0644), write_file("writable", "w"), chmod("writable", 0666);
    write_file("of-group", "g"), chmod("of-group", 0060), chown("of-group", 0, 2000);
    mkdir("closed", 0700), write_file("closed/inside", "i"), mkdir("sticky", 01777), write_file("sticky/theirs", "t"), chmod("sticky/theirs", 0666);
    mkdir("setgid", 02777), chown("setgid", 0, 3000), chmod("setgid", 02777), mkdir("list-only", 0744), write_file("list-only/file", ""), mkdir("pass-only", 0711), write_file("pass-only/file", "");
    chmod(".", 0755);
    fflush(stdout);
    if (!fork()) as_user();
    wait(&s);
    SHOW(s);
    umask(022);
}

/* Who gets no descriptor has made and emptied nothing. */
static void without_descriptor(void) {
    int s;
    write_file("kept", "kept");
    fflush(stdout);
    if (!fork()) {
        struct rlimit few = {12, 12};
        setrlimit(RLIMIT_NOFILE, &few);
        while (dup(1) >= 0) ;
        FAILS(open("none", O_CREAT | O_WRONLY, 0600)); FAILS(access("none", F_OK)); FAILS(open("kept", O_WRONLY | O_TRUNC)); SHOW(status_of("kept").st_size);
        FAILS(open("kept", O_RDONLY));
        _exit(0);
    }
    wait(&s);
    SHOW(s);
}

int main(int argc, char **argv) {
    char folder[300];
    snprintf(folder, sizeof folder, "%s/files-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    for (int i = 3; i < 64; i++) close(i); /* what a shell left open */
    mkdtemp(folder), chdir(folder), umask(022);
    without_name();
    moves();
    whiteouts();
    holes();
    resolving();
    attributes();
    permissions();
    without_descriptor();
    if (argc > 1 && !chdir(argv[1])) moves_of_the_lower();
    return 0;
}
