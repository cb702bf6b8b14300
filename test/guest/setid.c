/* Programs whose files say whom they run as: set-user-ID, set-group-ID, what denies them, and what a program sees of it. Run as root. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the program is once it runs. */
static int tell(const char *title) {
    uid_t u[3];
    gid_t g[3];
    int signal = -1;
    getresuid(u, u + 1, u + 2), getresgid(g, g + 1, g + 2), prctl(PR_GET_PDEATHSIG, &signal);
    printf("%s: users %d %d %d groups %d %d %d, auxv %ld %ld %ld %ld, secure %ld, dumpable %d, signal %d, new privileges %d\n", title, u[0], u[1], u[2], g[0], g[1], g[2],
           getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), signal, !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int back = setuid(u[0]);
    printf("  set back %d, then as before: %s\n", back, seteuid(u[1]) ? strerror(errno) : "may");
    return 0;
}

static void copy(const char *to, uid_t user, gid_t group, mode_t mode) {
    char bytes[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    for (long n; (n = read(in, bytes, sizeof bytes)) > 0;)
        if (write(out, bytes, (size_t)n) != n) perror(to);
    close(in), close(out);
    if (chown(to, user, group) || chmod(to, mode)) perror(to);
}

enum { NONE, DENIED = 1, AS_ROOT = 2 };
static void run(const char *title, const char *path, int how) {
    int s;
    fflush(stdout);
    if (!fork()) {
        if (how & DENIED) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!(how & AS_ROOT) && (setgroups(0, NULL) || setgid(1000) || setuid(1000))) _exit(3);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        execl(path, path, title, NULL);
        printf("%s: %s\n", title, strerror(errno)), fflush(stdout);
        _exit(4);
    }
    wait(&s);
    printf("  ends with %d\n", s), fflush(stdout);
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/setid-XXXXXX";
    /* A script's interpreter gets its path behind its own; the title is the last of all. */
    if (argc > 1) return tell(argv[argc - 1]);
    unshare(CLONE_NEWNS); /* a namespace of our own where there is such: the mounts below go with the process, and nothing stays in /tmp */
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), mount("private", "/tmp", "tmpfs", 0, NULL), chmod("/tmp", 01777);
    umask(022), mkdtemp(folder), chdir(folder), chmod(".", 0755);
    copy("plain", 2000, 3000, 0755), run("plain", "./plain", NONE);
    copy("user", 2000, 3000, 04755), run("user", "./user", NONE), run("user, by root", "./user", AS_ROOT), run("user, denied", "./user", DENIED);
    copy("group", 2000, 3000, 02755), run("group", "./group", NONE);
    copy("lock", 2000, 3000, 02745), run("group that may not execute", "./lock", NONE);
    copy("both", 2000, 3000, 06755), run("both", "./both", NONE), run("both, denied", "./both", DENIED);
    copy("root", 0, 0, 06755), run("root", "./root", NONE);
    copy("own", 1000, 1000, 06755), run("own", "./own", NONE);
    copy("closed", 2000, 3000, 04700), run("closed", "./closed", NONE);
    char line[256];
    int script = open("script", O_CREAT | O_WRONLY, 0755);
    if (write(script, line, (size_t)snprintf(line, sizeof line, "#!%s/plain\n", folder)) < 0) perror("script");
    close(script);
    if (chown("script", 2000, 3000) || chmod("script", 06755)) perror("script");
    run("a script's bits", "./script", NONE);
    script = open("script-of", O_CREAT | O_WRONLY, 0755);
    if (write(script, line, (size_t)snprintf(line, sizeof line, "#!%s/both\n", folder)) < 0) perror("script");
    close(script), run("its interpreter's bits", "./script-of", NONE);
    /* Where the mount denies it */
    mkdir("denying", 0755);
    if (mount("tmpfs", "denying", "tmpfs", MS_NOSUID, NULL)) perror("mount");
    copy("denying/both", 2000, 3000, 06755), run("nosuid", "denying/both", NONE);
    umount("denying");
    return 0;
}
