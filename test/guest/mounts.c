/* mount(2) and its kind: tmpfs with options, bind mounts, moving, read-only, taking off, another root. Run as root in a mount namespace of its own where there are such. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) printf("%s = %s\n", #expression, (expression) == 0 ? "0" : strerrorname(errno))

static const char *strerrorname(int number) {
    switch (number) {
    case EBUSY: return "EBUSY";
    case EINVAL: return "EINVAL";
    case EROFS: return "EROFS";
    case ENOENT: return "ENOENT";
    case ENODEV: return "ENODEV";
    case ENOTDIR: return "ENOTDIR";
    case EPERM: return "EPERM";
    case ENOSPC: return "ENOSPC";
    case EXDEV: return "EXDEV";
    case EACCES: return "EACCES";
    case EAGAIN: return "EAGAIN";
    case ELOOP: return "ELOOP";
    case EBADF: return "EBADF";
    default: return "?";
    }
}

static int make(const char *path, const char *content) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) return -1;
    ssize_t done = write(fd, content, strlen(content));
    close(fd);
    return done == (ssize_t)strlen(content) ? 0 : -1;
}

static const char *read_text(const char *path) {
    static char text[64];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[got > 0 ? got : 0] = 0;
    return got < 0 ? strerrorname(errno) : text;
}

/* The options of the mount at `path`, from /proc/self/mounts, without what depends on the kernel. */
static void show_mount(const char *path) {
    char line[512], place[256], kind[64], options[256];
    FILE *file = fopen("/proc/self/mounts", "r");
    int found = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%*s %255s %63s %255s", place, kind, options) == 3 && !strcmp(place, path)) {
            char *end = strstr(options, ",inode64");
            if (end) *end = 0;
            printf("%s: %s %s\n", path, kind, options);
            found = 1;
        }
    if (!found) printf("%s: not mounted\n", path);
    if (file) fclose(file);
}

static void fill(void) {
    static char page[4096];
    int fd = open("/tmp/m/a/big", O_WRONLY | O_CREAT, 0600), pages = 0;
    while (write(fd, page, sizeof page) == sizeof page) pages++;
    printf("pages of 64k: %d, then %s\n", pages, strerrorname(errno));
    close(fd);
    unlink("/tmp/m/a/big");
    int files = 0;
    for (char name[32]; files < 100; files++) {
        snprintf(name, sizeof name, "/tmp/m/a/n%d", files);
        if (make(name, "")) break;
    }
    printf("files of 10 inodes: %d, then %s\n", files, strerrorname(errno));
    for (char name[32]; files-- > 0;) {
        snprintf(name, sizeof name, "/tmp/m/a/n%d", files);
        unlink(name);
    }
}

/* Code of a file: refused where nothing may be executed, also as a second thought. */
static void map_code(const char *path) {
    int fd = open(path, O_RDONLY);
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    printf("code of %s: %s", path, code == MAP_FAILED ? strerrorname(errno) : "mapped");
    void *data = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    printf(", later: %s\n", mprotect(data, 4096, PROT_READ | PROT_EXEC) ? strerrorname(errno) : "executable");
    if (code != MAP_FAILED) munmap(code, 4096);
    munmap(data, 4096);
    close(fd);
}

static void show_events(const char *what, int fd) {
    char buffer[4096] __attribute__((aligned(8)));
    long got = read(fd, buffer, sizeof buffer);
    printf("%s:", what);
    for (char *at = buffer; got > 0 && at < buffer + got; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len)
        printf(" %d %x", ((struct inotify_event *)at)->wd, ((struct inotify_event *)at)->mask & ~(unsigned)IN_ISDIR);
    printf(got < 0 ? " nothing\n" : "\n");
}

/* A watch does not keep a file system: it is told when that goes, with the last of its mounts and users. */
static void watched(void) {
    int fd = inotify_init1(IN_NONBLOCK), other = inotify_init1(IN_NONBLOCK);
    SHOW(mount("w", "/tmp/m/a", "tmpfs", 0, NULL));
    SHOW(mkdir("/tmp/m/a/d", 0755));
    SHOW(make("/tmp/m/a/d/f", "watched"));
    printf("watches %d", inotify_add_watch(fd, "/tmp/m/a/d", IN_CREATE));
    printf(" %d", inotify_add_watch(other, "/tmp/m/a/d/f", IN_MODIFY));
    printf(" %d\n", inotify_add_watch(other, "/tmp/m/file", IN_MODIFY));
    SHOW(mount("/tmp/m/a", "/tmp/m/b", NULL, MS_BIND, NULL));
    SHOW(umount("/tmp/m/a"));
    show_events("it is still mounted", fd);
    SHOW(make("/tmp/m/b/d/g", "more"));
    show_events("a name", fd);
    SHOW(umount("/tmp/m/b"));
    show_events("the directory", fd);
    show_events("the file", other);
    SHOW(inotify_rm_watch(other, 1));
    SHOW(make("/tmp/m/file", "file"));
    show_events("a file elsewhere", other);
    SHOW(mount("w", "/tmp/m/a", "tmpfs", 0, NULL));
    SHOW(make("/tmp/m/a/f", "open"));
    int file = open("/tmp/m/a/f", O_RDONLY);
    printf("watch %d\n", inotify_add_watch(fd, "/tmp/m/a/f", IN_CLOSE));
    SHOW(umount("/tmp/m/a"));
    SHOW(umount2("/tmp/m/a", MNT_DETACH));
    show_events("taken off, open", fd);
    close(file);
    show_events("closed", fd);
    close(fd);
    close(other);
}

int main(void) {
    unshare(CLONE_NEWNS); /* a namespace of our own where there is such: the mounts below go with the process */
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mount("private", "/tmp", "tmpfs", 0, NULL); /* and leaves nothing in /tmp */
    mkdir("/tmp/m", 0755);
    mkdir("/tmp/m/a", 0755);
    mkdir("/tmp/m/b", 0755);
    make("/tmp/m/file", "file");
    make("/tmp/m/a/under", "under");
    SHOW(mount("name", "/tmp/m/a", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,nr_inodes=10,mode=750"));
    show_mount("/tmp/m/a");
    printf("under: %s\n", read_text("/tmp/m/a/under"));
    struct stat st;
    printf("mode %o\n", stat("/tmp/m/a", &st) ? 0 : st.st_mode & 07777);
    fill();
    SHOW(mount("", "/tmp/m/a", "nosuchfs", 0, ""));
    SHOW(mount("x", "/tmp/m/file", "tmpfs", 0, ""));
    SHOW(mount("x", "/tmp/m/none", "tmpfs", 0, ""));
    SHOW(mount("x", "/tmp/m/b", "tmpfs", 0, "size=wrong"));
    SHOW(make("/tmp/m/a/one", "one"));
    chmod("/tmp/m/a/one", 0755);
    SHOW(access("/tmp/m/a/one", X_OK));
    map_code("/tmp/m/a/one");
    map_code("/tmp/m/file");
    SHOW(rename("/tmp/m/a/one", "/tmp/m/two"));
    SHOW(rename("/tmp/m/file", "/tmp/m/a/two"));

    SHOW(mount("/tmp/m/a", "/tmp/m/b", NULL, MS_BIND, NULL));
    printf("bound: %s\n", read_text("/tmp/m/b/one"));
    SHOW(make("/tmp/m/b/three", "three"));
    printf("seen on the other side: %s\n", read_text("/tmp/m/a/three"));
    SHOW(rename("/tmp/m/b/three", "/tmp/m/a/four"));
    SHOW(link("/tmp/m/b/three", "/tmp/m/a/four"));
    SHOW(mount(NULL, "/tmp/m/b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    SHOW(make("/tmp/m/b/five", "five"));
    SHOW(unlink("/tmp/m/b/one"));
    SHOW(chmod("/tmp/m/b/one", 0600));
    SHOW(access("/tmp/m/b/one", W_OK));
    SHOW(make("/tmp/m/a/five", "five"));
    printf("five: %s\n", read_text("/tmp/m/b/five"));
    SHOW(mount("/tmp/m/file", "/tmp/m/a/one", NULL, MS_BIND, NULL));
    printf("a file on a file: %s, ", read_text("/tmp/m/a/one")), printf("%s\n", read_text("/tmp/m/b/one"));
    SHOW(unlink("/tmp/m/a/one"));
    SHOW(mount("/tmp/m/file", "/tmp/m/b", NULL, MS_BIND, NULL));
    SHOW(umount("/tmp/m/a"));
    SHOW(umount("/tmp/m/a/one"));
    SHOW(umount("/tmp/m/a/five"));

    mkdir("/tmp/m/c", 0755);
    SHOW(mount("/tmp/m/a", "/tmp/m/c", NULL, MS_MOVE, NULL));
    printf("moved: %s, ", read_text("/tmp/m/c/five")), printf("%s\n", read_text("/tmp/m/a/under"));
    mkdir("/tmp/m/c/in", 0755);
    SHOW(mount("/tmp/m/c", "/tmp/m/c/in", NULL, MS_MOVE, NULL));
    SHOW(mount("inner", "/tmp/m/c/in", "tmpfs", 0, NULL));
    make("/tmp/m/c/in/deep", "deep");
    SHOW(mount("/tmp/m/c", "/tmp/m/a", NULL, MS_BIND, NULL));
    printf("without what is below: %s\n", read_text("/tmp/m/a/in/deep"));
    SHOW(umount("/tmp/m/a"));
    SHOW(mount("/tmp/m/c", "/tmp/m/a", NULL, MS_BIND | MS_REC, NULL));
    printf("with it: %s\n", read_text("/tmp/m/a/in/deep"));
    SHOW(umount("/tmp/m/a"));
    SHOW(umount2("/tmp/m/a", MNT_DETACH));
    show_mount("/tmp/m/a/in");
    int fd = open("/tmp/m/c/five", O_RDONLY);
    SHOW(umount2("/tmp/m/c/in", MNT_EXPIRE));
    SHOW(umount2("/tmp/m/c/in", MNT_EXPIRE));
    SHOW(umount("/tmp/m/c"));
    SHOW(umount2("/tmp/m/c", MNT_DETACH));
    char bytes[8] = "";
    printf("still open: %d\n", (int)read(fd, bytes, 8));
    close(fd);
    SHOW(umount("/tmp/m/b"));
    SHOW(umount("/tmp/m/b"));
    SHOW(umount2("/tmp/m/b", 64));

    watched();
    struct statfs fs;
    SHOW(mount("p", "/tmp/m/a", "proc", 0, NULL));
    printf("proc %lx %s", statfs("/tmp/m/a", &fs) ? 0ul : (unsigned long)fs.f_type, read_text("/tmp/m/a/self/comm"));
    SHOW(umount("/tmp/m/a"));
    SHOW(mount("t", "/tmp/m/a", "tmpfs", MS_RDONLY, NULL));
    SHOW(mkdir("/tmp/m/a/x", 0755));
    SHOW(mount("t", "/tmp/m/a", NULL, MS_REMOUNT, "size=128k"));
    SHOW(mkdir("/tmp/m/a/x", 0755));
    printf("blocks %ld\n", statfs("/tmp/m/a", &fs) ? 0l : (long)(fs.f_blocks * fs.f_bsize));
    SHOW(mknod("/tmp/m/a/null", S_IFCHR | 0666, 0x103));
    SHOW(make("/tmp/m/a/null", "goes"));
    SHOW(mount("t", "/tmp/m/a", NULL, MS_REMOUNT | MS_NODEV, NULL));
    SHOW(make("/tmp/m/a/null", "goes"));
    mkdir("/tmp/m/a/old", 0755);
    SHOW(chdir("/tmp/m/a"));
    SHOW(syscall(SYS_pivot_root, ".", "old"));
    printf("inside: %s, %s\n", access("/x", F_OK) ? "no" : "yes", read_text("/old/tmp/m/file"));
    SHOW(syscall(SYS_pivot_root, "/old", "/old/tmp/m/b"));
    SHOW(chdir("/"));
    printf("back: %s\n", read_text("/tmp/m/file"));
    SHOW(umount2("/tmp/m/b", MNT_DETACH));
    SHOW(setns(-1, 0));
    SHOW(unshare(CLONE_FS | CLONE_FILES));
    SHOW(unshare(1));
    fflush(stdout);
    if (fork() == 0) {
        if (setuid(1000)) _exit(1);
        SHOW(mount("x", "/tmp/m/b", "tmpfs", 0, NULL));
        SHOW(umount("/tmp/m/b"));
        SHOW(chroot("/tmp"));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
