/* inotify: each change as the events that Linux gives, in their order. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)

static int fd;
static const char *const names[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE",
                                    "DELETE_SELF", "MOVE_SELF", 0, "UNMOUNT", "Q_OVERFLOW", "IGNORED"};

static void events(const char *what) {
    char buffer[65536] __attribute__((aligned(8)));
    long n, cookie = 0;
    printf("%s:", what);
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        for (char *at = buffer; at < buffer + n;) {
            struct inotify_event *e = (void *)at;
            printf(" %d", e->wd);
            for (int i = 0; i < 16; i++)
                if (e->mask >> i & 1) printf(" %s", names[i]);
            if (e->mask & IN_ISDIR) printf(" ISDIR");
            if (e->cookie) printf(e->cookie == cookie ? " same" : " cookie"), cookie = e->cookie;
            if (e->len) printf(" %s/%u", e->name, e->len);
            printf(",");
            at += sizeof *e + e->len;
        }
    printf(" %s\n", errno == EAGAIN ? "" : strerror(errno));
    fflush(stdout);
}
static void put(const char *path, int flags, const char *text) {
    int f = open(path, flags, 0644);
    if (text && write(f, text, strlen(text)) < 0) perror("write");
    close(f);
}
static int by_descriptor(void) { return fd; }

/* Its limits in /proc/sys: one number at least in each. */
static void show_limits(void) {
    static const char *const names[] = { "/proc/sys/fs/inotify/max_queued_events", "/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches" };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned long value = 0;
        FILE *file = fopen(names[i], "r");
        printf("%s: %s\n", names[i], file && fscanf(file, "%lu", &value) == 1 && value ? "a number" : "none");
        if (file) fclose(file);
    }
}

int main(void) {
    char folder[300], text[16];
    snprintf(folder, sizeof folder, "%s/watch-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    struct pollfd p;
    mkdtemp(folder), chdir(folder);
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    mkdir("d", 0755), mkdir("e", 0755), put("d/old", O_CREAT | O_WRONLY, "content");
    SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS)); SHOW(inotify_add_watch(fd, "d/old", IN_ALL_EVENTS)); SHOW(inotify_add_watch(fd, "e", IN_ALL_EVENTS));
    events("nothing");
    put("d/new", O_CREAT | O_WRONLY, "x"); events("create");
    put("d/new", O_WRONLY | O_TRUNC, NULL); events("truncate on open");
    int f = open("d/old", O_RDWR);
    read(f, text, 4), read(f, text, 0), write(f, "more", 4), lseek(f, 0, SEEK_SET), read(f, text, 4), read(f, text, 4), ftruncate(f, 3), close(f); events("read and write");
    chmod("d/old", 0600), utimensat(AT_FDCWD, "d/old", NULL, 0); events("attributes, two in one");
    struct timespec times[2] = {{1, UTIME_OMIT}, {5, 0}};
    utimensat(AT_FDCWD, "d/old", times, 0), chown("d/old", -1, -1), truncate("d/old", 1); events("times");
    link("d/old", "e/hard"); events("link"); symlink("x", "d/sym"); events("symlink"); mkdir("d/sub", 0755); events("mkdir");
    closedir(opendir("d/sub")); events("open of a directory"); closedir(opendir("d")); events("open of the watched one");
    rename("d/old", "d/moved"); events("rename"); rename("d/moved", "e/other"); events("to the other"); rename("d/new", "e/other"); events("over another");
    rename("d/sub", "e/sub"); events("directory"); rmdir("e/sub"); events("rmdir");
    unlink("e/hard"); events("last name"); unlink("e/other"); events("unlink");
    put("d/kept", O_CREAT | O_WRONLY, NULL); events("new one"); f = open("d/kept", O_RDWR); SHOW(inotify_add_watch(fd, "d/kept", IN_DELETE_SELF | IN_ATTRIB | IN_MODIFY));
    unlink("d/kept"); events("unlink while open"); write(f, "x", 1); events("write to it"); close(f); events("and close");
    /* Masks */
    int w = inotify_add_watch(fd, "e", IN_CREATE);
    SHOW(w); SHOW(inotify_add_watch(fd, "e", IN_DELETE | IN_MASK_ADD)); put("e/a", O_CREAT | O_WRONLY, "x"); unlink("e/a"); events("added");
    FAILS(inotify_add_watch(fd, "e", IN_CREATE | IN_MASK_CREATE)); FAILS(inotify_add_watch(fd, "e", IN_CREATE | IN_MASK_CREATE | IN_MASK_ADD));
    FAILS(inotify_add_watch(fd, "e", 0)); FAILS(inotify_add_watch(fd, "nowhere", IN_CREATE)); FAILS(inotify_add_watch(99, "e", IN_CREATE)); FAILS(inotify_add_watch(1, "e", IN_CREATE));
    put("file", O_CREAT | O_WRONLY, NULL); FAILS(inotify_add_watch(fd, "file", IN_OPEN | IN_ONLYDIR)); symlink("file", "link");
    w = inotify_add_watch(fd, "link", IN_OPEN | IN_ONESHOT); put("file", O_RDONLY, NULL), put("file", O_RDONLY, NULL); events("once"); FAILS(inotify_rm_watch(fd, w));
    w = inotify_add_watch(fd, "link", IN_ALL_EVENTS | IN_DONT_FOLLOW); put("file", O_RDONLY, NULL); events("the link's target is opened"); SHOW(inotify_rm_watch(fd, w)); events("removed");
    FAILS(inotify_rm_watch(fd, 1000)); FAILS(inotify_init1(1 << 20));
    SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK)); f = open("d/x", O_CREAT | O_RDWR, 0600); unlink("d/x"), write(f, "x", 1), close(f); events("unlinked children are not told of");
    SHOW(setxattr("d", "user.x", "y", 1, 0)); events("xattr");
    /* Reading */
    put("d/1", O_CREAT | O_WRONLY, NULL); int bytes; SHOW(ioctl(fd, FIONREAD, &bytes)); SHOW(bytes); FAILS(read(fd, text, 16)); p = (struct pollfd){by_descriptor(), POLLIN, 0};
    SHOW(poll(&p, 1, 0)); char piece[70]; SHOW(read(fd, piece, 70)); events("the rest"); SHOW(poll(&p, 1, 0));
    for (int i = 0; i < 5; i++) { f = open("d/1", O_WRONLY | O_APPEND); for (int j = 0; j < 3; j++) write(f, "x", 1); close(f); }
    events("joined");
    unlink("d/1"), unlink("d/sym"), events("empty"); rmdir("d"); events("the watched directory");
    close(fd);
    fd = inotify_init1(IN_NONBLOCK); mkdir("deep", 0755), mkdir("deep/er", 0755), put("deep/er/f", O_CREAT | O_WRONLY, NULL);
    SHOW(inotify_add_watch(fd, "deep/er/f", IN_ALL_EVENTS)); rename("deep", "high"); put("high/er/f", O_WRONLY, "x"); events("by its new path");
    if (inotify_add_watch(fd, "high", IN_OPEN) > 0)
        for (int i = 0; i < 20000; i++) { char n[32]; snprintf(n, sizeof n, "high/%d", i & 1); close(open(n, O_RDONLY | O_CREAT, 0600)); }
    char all[16 * 4096] __attribute__((aligned(8))); long count = 0, n; unsigned last = 0;
    while ((n = read(fd, all, sizeof all)) > 0)
        for (char *at = all; at < all + n; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) count++, last = ((struct inotify_event *)at)->mask;
    SHOW(count); SHOW(last == IN_Q_OVERFLOW);
    show_limits();
    return 0;
}
