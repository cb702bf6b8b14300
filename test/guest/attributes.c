/*
 * Extended attributes of files, directories and links, in the directory that is named: by path, by link and by descriptor; with `special`
 * also names of FIFOs and sockets. No attribute is empty: that 9P cannot have. It leaves the file `kept` with the attribute user.from, for who looks from outside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SAYS(call) says(#call, (errno = 0, (long)(call)))
static void says(const char *call, long result) { printf("%s: %ld %s\n", call, result, result < 0 ? strerror(errno) : ""); }

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Those of users, sorted: a host may add some of its own. */
static void show(const char *path) {
    static char names[4096], *list[64];
    int count = 0;
    long size = listxattr(path, names, sizeof names);
    for (char *at = names; at < names + size && count < 64; at += strlen(at) + 1)
        if (!strncmp(at, "user.", 5)) list[count++] = at;
    qsort(list, (size_t)count, sizeof *list, compare);
    printf("%s:", path);
    for (int i = 0; i < count; i++) {
        char value[32] = "";
        long length = getxattr(path, list[i], value, sizeof value - 1);
        printf(" %s=%ld:%s", list[i], length, value);
    }
    printf("\n");
}

static long bound(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, path);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    long result = bind(file, (struct sockaddr *)&address, sizeof address);
    if (result == 0 && listen(file, 1)) result = -2;
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    if (result == 0 && connect(other, (struct sockaddr *)&address, sizeof address)) result = -3;
    close(other);
    close(file);
    return result;
}

static void special(void) {
    struct stat stat_;
    char byte;
    SAYS(mkfifo("fifo", 0640)); SAYS(stat("fifo", &stat_)); printf("%o\n", stat_.st_mode); SAYS(setxattr("fifo", "user.a", "x", 1, 0)); SAYS(mkfifo("fifo", 0640));
    int ends[2] = { open("fifo", O_RDONLY | O_NONBLOCK), -1 };
    ends[1] = open("fifo", O_WRONLY);
    SAYS(write(ends[1], "y", 1)); SAYS(read(ends[0], &byte, 1)); SAYS(byte);
    SAYS(rename("fifo", "other")); SAYS(unlink("other"));
    SAYS(bound("socket")); SAYS(stat("socket", &stat_)); printf("%o\n", stat_.st_mode & S_IFMT); SAYS(bound("socket")); SAYS(open("socket", O_RDONLY)); SAYS(unlink("socket"));
}

int main(int count, char **arguments) {
    static char large[3000], back[4096];
    struct stat stat_;
    if (count < 2 || chdir(arguments[1])) return 2;
    int file = open("plain", O_CREAT | O_RDWR | O_EXCL, 0644);
    if (file < 0 || mkdir("dir", 0755) || symlink("plain", "link")) return 2;
    memset(large, 'x', sizeof large);
    SAYS(getxattr("plain", "user.a", back, sizeof back)); SAYS(setxattr("plain", "user.a", "one", 3, XATTR_REPLACE)); SAYS(setxattr("plain", "user.a", "one", 3, XATTR_CREATE));
    SAYS(setxattr("plain", "user.a", "two", 3, XATTR_CREATE)); SAYS(setxattr("plain", "user.a", "four", 4, XATTR_REPLACE)); SAYS(setxattr("plain", "user.a", "x", 1, 4));
    SAYS(getxattr("plain", "user.a", NULL, 0)); SAYS(getxattr("plain", "user.a", back, 3)); SAYS(getxattr("link", "user.a", back, sizeof back)); printf("%.4s\n", back);
    SAYS(setxattr("link", "user.b", "b", 1, 0)); SAYS(lsetxattr("link", "user.c", "c", 1, 0)); SAYS(lgetxattr("link", "user.b", back, 9)); show("plain");
    SAYS(fsetxattr(file, "user.large", large, sizeof large, 0)); SAYS(fgetxattr(file, "user.large", back, sizeof back)); SAYS(memcmp(large, back, sizeof large));
    SAYS(fremovexattr(file, "user.large")); SAYS(fremovexattr(file, "user.large")); SAYS(lremovexattr("link", "user.b")); SAYS(removexattr("link", "user.b")); show("plain");
    SAYS(setxattr("dir", "user.of-a-directory", "d", 1, 0)); show("dir"); SAYS(setxattr("absent", "user.a", "d", 1, 0)); SAYS(setxattr("plain", "none", "d", 1, 0));
    SAYS(setxattr("plain", "user.", "d", 1, 0)); SAYS(setxattr("plain", "user.toolarge", large, 70000, 0)); SAYS(getxattr("plain", "user.absent", NULL, 0));
    SAYS(rename("plain", "dir/moved")); show("dir/moved"); SAYS(fgetxattr(file, "user.a", back, sizeof back));
    SAYS(chmod("dir/moved", 0444)); SAYS(fgetxattr(file, "user.a", back, sizeof back)); SAYS(unlink("dir/moved")); SAYS(removexattr("dir", "user.of-a-directory")); show("dir");
    SAYS(rmdir("dir"));
    if (count > 2) special();
    SAYS(mknod("node", S_IFREG | 0600, 0)); SAYS(stat("node", &stat_)); printf("%o\n", stat_.st_mode); SAYS(unlink("node")); SAYS(unlink("link"));
    int kept = open("kept", O_CREAT | O_WRONLY, 0600);
    SAYS(fsetxattr(kept, "user.from", "inside", 6, 0));
    return 0;
}
