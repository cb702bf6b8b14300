// variants: glibc pie musl
/* Extended attributes of a regular file, a directory and a link; only user.*, so that it needs no rights. Where it runs they have to be kept. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void show(const char *what, long result) {
    printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}

static void show_list(const char *what, int descriptor) {
    char names[4096], *sorted[64];
    int count = 0;
    long size = flistxattr(descriptor, names, sizeof names);
    show(what, size);
    for (char *at = names; at < names + size; at += strlen(at) + 1)
        if (!strncmp(at, "user.", 5)) sorted[count++] = at;
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    for (int i = 0; i < count; i++) printf("  %s\n", sorted[i]);
}

int main(void) {
    char folder[] = "attributes.XXXXXX", value[128], long_name[300];
    static char big[70000];
    if (!mkdtemp(folder) || chdir(folder)) return 1;
    int file = open("file", O_CREAT | O_RDWR, 0644), path = open("file", O_PATH), pipes[2];
    symlink("file", "link");
    mkdir("directory", 0755);

    show("none", getxattr("file", "user.a", value, sizeof value));
    show("set", setxattr("file", "user.a", "one", 3, 0));
    show("create again", setxattr("file", "user.a", "x", 1, XATTR_CREATE));
    show("replace what is not there", setxattr("file", "user.b", "x", 1, XATTR_REPLACE));
    show("replace", fsetxattr(file, "user.a", "second", 6, XATTR_REPLACE));
    show("wrong flags", setxattr("file", "user.a", "x", 1, 4));
    show("create", setxattr("link", "user.b", "", 0, XATTR_CREATE));
    memset(value, 0, sizeof value);
    show("get", fgetxattr(file, "user.a", value, sizeof value));
    puts(value);
    show("size", getxattr("link", "user.a", NULL, 0));
    show("too small", getxattr("file", "user.a", value, 3));
    show("empty", getxattr("file", "user.b", value, sizeof value));
    show_list("list", file);
    show("list, size", listxattr("file", NULL, 0));
    show("list, too small", listxattr("file", value, 3));
    show("link itself, get", lgetxattr("link", "user.a", value, sizeof value));
    show("link itself, set", lsetxattr("link", "user.a", "x", 1, 0));
    show("link itself, list", llistxattr("link", value, sizeof value) > 0 ? 0 : 0);
    show("O_PATH", fgetxattr(path, "user.a", value, sizeof value));
    show("bad descriptor", fgetxattr(77, "user.a", value, sizeof value));
    show("no file", getxattr("nothing", "user.a", value, sizeof value));
    show("no name space", setxattr("file", "a", "x", 1, 0));
    show("other name space", setxattr("file", "other.a", "x", 1, 0));
    show("prefix only", setxattr("file", "user.", "x", 1, 0));
    show("no name", setxattr("file", "", "x", 1, 0));
    memset(long_name, 'n', sizeof long_name - 1);
    memcpy(long_name, "user.", 5);
    show("long name", setxattr("file", long_name, "x", 1, 0));
    long_name[255] = 0;
    show("longest name", setxattr("file", long_name, "x", 1, 0));
    show("too much", setxattr("file", "user.big", big, sizeof big, 0));
    show("bad value", setxattr("file", "user.bad", (void *)8, 4, 0));
    show("directory", setxattr("directory", "user.d", "dir", 3, 0));
    show("directory, get", getxattr("directory", "user.d", value, sizeof value));
    rename("file", "moved");
    show("moved", getxattr("moved", "user.a", value, sizeof value));
    show("remove", removexattr("moved", "user.a"));
    show("remove again", fremovexattr(file, "user.a"));
    show_list("rest", file);
    show("pipe", pipe(pipes));
    show("pipe, set", fsetxattr(pipes[0], "user.a", "x", 1, 0));

    unlink("moved"), unlink("link"), rmdir("directory");
    return chdir("..") || rmdir(folder);
}
