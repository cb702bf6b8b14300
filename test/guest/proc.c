/*
 * /proc and /sys as programs parse them: how many fields and of which type, whether files agree with each other and with calls, who may read what, links that
 * lead to files. Prints verdicts, so that Linux and the guest print the same.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "isa.h"

static char text[1 << 18];

static ssize_t get(const char *path) {
    int fd = open(path, O_RDONLY);
    ssize_t size = 0, got = -1;
    if (fd < 0) return -errno;
    while (size < (ssize_t)sizeof text - 1 && (got = read(fd, text + size, 4000)) > 0) size += got;
    if (got < 0 && !size) size = -errno;
    close(fd);
    text[size < 0 ? 0 : size] = 0;
    return size;
}

static void is(const char *what, int good) { printf("%s: %s\n", what, good ? "yes" : "NO"); }

static long field(const char *name) { /* "Name:   123 kB" */
    size_t length = strlen(name);
    for (char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (!strncmp(line, name, length) && line[length] == ':') return strtol(line + length + 1, NULL, 0);
    return -1;
}

static long stat_field(int number) { /* of /proc/self/stat, counted from 1 */
    char *at = strrchr(text, ')') + 1;
    for (int i = 2; i < number; i++) at = strchr(at, ' ') + 1;
    return strtol(at, NULL, 10);
}

static int near(long a, long b, long most) { return labs(a - b) <= most; }

static unsigned long io_field(const char *path, const char *name) { return get(path) > 0 ? (unsigned long)field(name) : 0; }

/* What a process and a thread of it read and wrote, and their turns on the CPU. */
static void work_files(void) {
    char bytes[100] = { 0 };
    int ends[2], threads = 0;
    is("a pipe", !pipe(ends));
    unsigned long before[4] = { io_field("/proc/self/io", "rchar"), io_field("/proc/self/io", "wchar"), io_field("/proc/self/io", "syscr"), io_field("/proc/self/io", "syscw") };
    for (int i = 0; i < 10; i++)
        if (write(ends[1], bytes, 100) != 100 || read(ends[0], bytes, 60) != 60) break;
    unsigned long after[4] = { io_field("/proc/self/io", "rchar"), io_field("/proc/self/io", "wchar"), io_field("/proc/self/io", "syscr"), io_field("/proc/self/io", "syscw") };
    is("io: bytes", after[0] - before[0] >= 600 && after[1] - before[1] == 1000);
    is("io: calls", after[2] - before[2] >= 10 && after[3] - before[3] == 10);
    is("io: a thread's", io_field("/proc/thread-self/io", "wchar") >= 1000 && field("cancelled_write_bytes") == 0);
    close(ends[0]);
    close(ends[1]);
    unsigned long long run = 0, waited, turns;
    is("schedstat", get("/proc/self/schedstat") > 0 && sscanf(text, "%llu %llu %llu", &run, &waited, &turns) == 3);
    is("sched", get("/proc/self/sched") > 0 && strstr(text, ", #threads: 1)\n----") && sscanf(strchr(text, '#'), "#threads: %d", &threads) == 1 && threads == 1);
    is("sched: switches and priority", strstr(text, "\nnr_voluntary_switches ") && strstr(text, "\nnr_involuntary_switches ") && strstr(text, ":                  120\n"));
    is("zoneinfo", get("/proc/zoneinfo") > 0 && !strncmp(text, "Node 0, zone ", 13) && strstr(text, "  pages free ") && strstr(text, "        managed "));
}

static void process_files(void) {
    char state;
    int fields = 1;
    is("stat", get("/proc/self/stat") > 0);
    for (char *at = text; *at; at++) fields += *at == ' ';
    printf("stat has %d fields\n", fields);
    is("pid", atoi(text) == getpid());
    is("state", sscanf(strrchr(text, ')'), ") %c", &state) == 1 && state == 'R');
    is("parent, group, session", stat_field(4) == getppid() && stat_field(5) == getpgrp() && stat_field(6) == getsid(0));
    is("a thread", stat_field(20) == 1);
    long start = stat_field(22);
    is("stack", (unsigned long)stat_field(28) >> 40 == (unsigned long)&state >> 40);
    get("/proc/uptime");
    is("started before now", start >= 0 && start / 100.0 <= strtod(text, NULL) + 1);
    long statm[7], size, resident;
    int read = 0;
    /* Linux counts pages by CPU and adds the counts up now and then: both files agree once it has. */
    for (int i = 0; i < 50; i++) {
        get("/proc/self/stat");
        size = stat_field(23), resident = stat_field(24);
        get("/proc/self/statm");
        read = sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", statm, statm + 1, statm + 2, statm + 3, statm + 4, statm + 5, statm + 6);
        if (near(size / 4096, statm[0], 64) && near(resident, statm[1], 64) && statm[2] <= statm[1] && statm[1] <= statm[0]) break;
        char *pages = mmap(NULL, 128 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int page = 0; page < 128; page++) pages[page * 4096] = 1;
        munmap(pages, 128 * 4096);
    }
    is("statm", read == 7);
    is("statm and stat", near(size / 4096, statm[0], 64) && near(resident, statm[1], 64) && statm[2] <= statm[1] && statm[1] <= statm[0]);
    get("/proc/self/status");
    is("status and statm", near(field("VmSize") / 4, statm[0], 64) && near(field("VmRSS") / 4, statm[1], 64));
    is("parts of the memory", field("RssAnon") + field("RssFile") + field("RssShmem") == field("VmRSS"));
    is("numbers", field("Pid") == getpid() && field("Tgid") == getpid() && field("PPid") == getppid() && field("Threads") == 1 && field("TracerPid") == 0);
    is("users", field("Uid") == getuid() && field("Gid") == getgid());
    get("/proc/self/comm");
    is("comm", !strcmp(text, "proc\n"));
    int fd = open("/proc/self/comm", O_WRONLY);
    is("comm is written", write(fd, "other name", 10) == 10 && get("/proc/self/comm") == 11 && !strcmp(text, "other name\n"));
    close(fd);
    get("/proc/self/limits");
    is("limits", !strncmp(text, "Limit                     Soft Limit           Hard Limit           Units     \n", 79) && strstr(text, "\nMax open files            "));
}

static char *writable; /* pages of our own, to be found in maps */
static void memory_files(void) {
    unsigned long low, high, offset, inode, last = 0, total = 0;
    unsigned major, minor;
    char modes[8], name[512];
    int good = 1, found = 0, stack = 0, heap = 0, program = 0, lines = 0;
    void *grown = (void *)syscall(SYS_brk, 0);
    syscall(SYS_brk, (char *)grown + 8192);
    writable = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(writable + 4096, 4096, PROT_NONE);
    memset(writable + 8192, 1, 4 * 4096);
    get("/proc/self/maps");
    for (char *line = text; *line; line = strchr(line, '\n') + 1, lines++) {
        int used = 0;
        name[0] = 0;
        if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%n", &low, &high, modes, &offset, &major, &minor, &inode, &used) != 7) good = 0;
        if (line[used] == ' ' && line[used + 1] != '\n') sscanf(line + used, " %511[^\n]", name);
        if (name[0] && name[0] != '[' && strncmp(name, "anon", 4) && line[73] != name[0]) good = 0;
        if (low < last || high <= low || strlen(modes) != 4) good = 0;
        if (strcmp(name, "[vsyscall]")) total += high - low;
        last = high;
        if (low == (unsigned long)writable + 8192) found = !strcmp(modes, "rw-p") && !inode;
        if (low == (unsigned long)writable + 4096) good &= high == low + 4096 && !strcmp(modes, "---p");
        if (!strcmp(name, "[stack]")) stack = (unsigned long)&low >= low && (unsigned long)&low < high;
        if (!strcmp(name, "[heap]")) heap = (unsigned long)grown >= low && (unsigned long)grown < high;
        char *base = strrchr(name, '/');
        if (base && !strcmp(base, "/proc") && modes[2] == 'x') program = (unsigned long)memory_files >= low && (unsigned long)memory_files < high && inode;
    }
    is("maps", good && lines > 5);
    is("a mapping", found);
    is("stack and heap", stack && heap);
    is("program", program);
    get("/proc/self/status");
    is("sum of the areas", near((long)total / 1024, field("VmSize"), 256));
    long resident = field("VmRSS"), sum = 0, share = 0, areas = 0, ours = -1, size = 0;
    get("/proc/self/smaps");
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (isxdigit((unsigned char)*line) && sscanf(line, "%lx-%lx", &low, &high) == 2) areas++;
        if (!strncmp(line, "Size:", 5)) size += strtol(line + 5, NULL, 10);
        if (!strncmp(line, "Rss:", 4)) sum += strtol(line + 4, NULL, 10);
        if (!strncmp(line, "Pss:", 4)) share += strtol(line + 4, NULL, 10);
        if (!strncmp(line, "Private_Dirty:", 14) && low == (unsigned long)writable + 8192) ours = strtol(line + 14, NULL, 10);
    }
    is("smaps", near(areas, lines, 2) && near(size, (long)total / 1024, 256));
    is("smaps and status", near(sum, resident, 256) && share <= sum && share > 0);
    printf("pages of our own that were written: %ld kB\n", ours);
    get("/proc/self/smaps_rollup");
    is("smaps_rollup", strstr(text, "[rollup]\n") && near(field("Rss"), sum, 256));
    uint64_t words[16];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    is("pagemap", pread(fd, words, sizeof words, (off_t)((unsigned long)writable / 4096 * 8)) == sizeof words);
    printf("present:");
    for (int i = 0; i < 16; i++) printf(" %d", (int)(words[i] >> 63));
    printf("\n");
    close(fd);
    int value = 1234, copy = 0;
    fd = open("/proc/self/mem", O_RDWR);
    is("mem is read", pread(fd, &copy, sizeof copy, (off_t)(unsigned long)&value) == sizeof copy && copy == 1234);
    copy = 77;
    is("mem is written", pwrite(fd, &copy, sizeof copy, (off_t)(unsigned long)&value) == sizeof copy && *(volatile int *)&value == 77);
    is("mem ends where nothing is", pread(fd, &copy, sizeof copy, 4096) == -1 && errno == EIO);
    close(fd);
}

static void arguments(int argc, char **argv) {
    size_t expected = 0;
    int good = 1;
    ssize_t size = get("/proc/self/cmdline");
    for (int i = 0; i < argc; i++) {
        good &= !strcmp(text + expected, argv[i]);
        expected += strlen(argv[i]) + 1;
    }
    is("cmdline", good && size == (ssize_t)expected);
    argv[0][0] = 'X';
    get("/proc/self/cmdline");
    is("cmdline is the program's memory", text[0] == 'X');
    size = get("/proc/self/environ");
    is("environ", size == 0 || memmem(text, (size_t)size, "=", 1));
    unsigned long entry[2], page = 0;
    size = get("/proc/self/auxv");
    for (ssize_t at = 0; at + 16 <= size; at += 16) {
        memcpy(entry, text + at, 16);
        if (entry[0] == AT_PAGESZ) page = entry[1];
    }
    is("auxv", page == 4096 && size % 16 == 0 && !entry[0]);
}

static void links(void) {
    char path[64], target[512], here[512];
    struct stat a, b;
    ssize_t length = readlink("/proc/self", target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    is("self", atoi(target) == getpid());
    length = readlink("/proc/self/exe", target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    is("exe", length > 5 && !strcmp(target + length - 5, "/proc") && !stat("/proc/self/exe", &a) && !stat(target, &b) && a.st_ino == b.st_ino);
    mkdir("/tmp/proc-test", 0755);
    int fd = open("/tmp/proc-test/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    is("chdir", !chdir("/tmp/proc-test") && readlink("/proc/self/cwd", here, sizeof here) == 14 && !memcmp(here, "/tmp/proc-test", 14));
    write(fd, "abcdef", 6);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    is("fd leads to the file", readlink(path, here, sizeof here) == 19 && !memcmp(here, "/tmp/proc-test/file", 19));
    int again = open(path, O_RDONLY);
    char bytes[8] = "";
    is("opened anew, at its start", read(again, bytes, 8) == 6 && lseek(fd, 0, SEEK_CUR) == 6);
    is("stat and lstat", !stat(path, &a) && S_ISREG(a.st_mode) && a.st_size == 6 && !lstat(path, &b) && S_ISLNK(b.st_mode));
    printf("link's mode %o\n", (unsigned)b.st_mode & 0777);
    close(again);
    again = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    is("cut through the link", again >= 0 && !fstat(fd, &a) && a.st_size == 0);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    get(path);
    is("fdinfo", field("pos") == 6 && field("flags") == (O_RDWR | LARGE_FILE) && field("mnt_id") > 0);
    unlink("/tmp/proc-test/file");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    length = readlink(path, here, sizeof here - 1);
    is("deleted", length == 29 && !memcmp(here, "/tmp/proc-test/file (deleted)", 29));
    close(again);
    again = open(path, O_RDWR);
    is("a file without a name is opened", again >= 0 && write(again, "x", 1) == 1 && !fstat(fd, &a) && a.st_size == 1);
    close(again);
    close(fd);
    is("closed", readlink(path, here, sizeof here) == -1 && errno == ENOENT);
    int pair[2];
    if (pipe(pair)) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", pair[0]);
    length = readlink(path, here, sizeof here - 1);
    here[length > 0 ? length : 0] = 0;
    is("pipe", !strncmp(here, "pipe:[", 6) && !stat(path, &a) && S_ISFIFO(a.st_mode));
    is("a way through a link", !stat("/proc/self/cwd/../proc-test/.", &a) && !stat("/proc/self/root/proc/self/root/tmp", &b) && S_ISDIR(b.st_mode));
    is("O_NOFOLLOW", open("/proc/self/exe", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
    chdir("/");
    rmdir("/tmp/proc-test");
    int seen = 0, mine = 0;
    DIR *directory = opendir("/proc");
    for (struct dirent *e; (e = readdir(directory));) {
        if (isdigit((unsigned char)e->d_name[0])) seen |= e->d_type == DT_DIR;
        mine |= atoi(e->d_name) == getpid();
    }
    closedir(directory);
    is("processes are listed", seen && mine);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    is("task", get(path) > 0 && atoi(text) == getpid());
    is("no such process", get("/proc/4194303/stat") == -ENOENT && get("/proc/00/stat") == -ENOENT);
}

/* What prctl(2) set is seen, and the other way round. */
static void settings(void) {
    get("/proc/self/status");
    long before = field("NoNewPrivs");
    fflush(stdout);
    if (fork() == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        get("/proc/self/status");
        is("no new privileges", !before && field("NoNewPrivs") == 1);
        prctl(PR_SET_TIMERSLACK, 70000);
        is("timer slack", get("/proc/self/timerslack_ns") > 0 && atoi(text) == 70000);
        int fd = open("/proc/self/timerslack_ns", O_WRONLY);
        is("timer slack set", write(fd, "90000\n", 6) == 6 && prctl(PR_GET_TIMERSLACK) == 90000);
        is("no number", write(fd, "x\n", 2) == -1 && errno == EINVAL);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static long put(const char *path, const char *value) {
    int fd = open(path, O_RDWR);
    long result = fd < 0 ? -errno : write(fd, value, strlen(value));
    if (fd >= 0 && result < 0) result = -errno;
    close(fd);
    return result;
}

/* Who logged in, as pam_loginuid sets it: one's own only, inherited, and a session with each. */
static void login(void) {
    char parent[64];
    get("/proc/self/loginuid");
    unsigned long before = strtoul(text, NULL, 10);
    snprintf(parent, sizeof parent, "/proc/%d/loginuid", getpid());
    fflush(stdout);
    if (fork() == 0) {
        is("login: another's", put(parent, "7") == -EPERM && put("/proc/self/loginuid", "x") == -EINVAL && put("/proc/self/loginuid", "4294967296") == -ERANGE);
        is("login: set", put("/proc/self/loginuid", "1234") == 4 && get("/proc/self/loginuid") == 4 && !strcmp(text, "1234"));
        get("/proc/self/sessionid");
        unsigned long session = strtoul(text, NULL, 10);
        is("login: a session", session != 4294967295 && put("/proc/self/loginuid", "1235") == 4 && get("/proc/self/sessionid") > 0 && strtoul(text, NULL, 10) != session);
        fflush(stdout);
        if (fork() == 0) {
            is("login: inherited", get("/proc/self/loginuid") == 4 && !strcmp(text, "1235") && put("/proc/self/sessionid", "1") < 0);
            is("login: once without a privilege", !setuid(1000) && put("/proc/thread-self/loginuid", "8") < 0);
            fflush(stdout);
            _exit(0);
        }
        wait(NULL);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    get("/proc/self/loginuid");
    is("login: the parent's stays", strtoul(text, NULL, 10) == before);
}

/* Limits of components that only some programs have: a number each, where Linux has them too. */
static void machine_limits(void) {
    struct sysinfo one, two;
    sysinfo(&one);
    fflush(stdout);
    int ends[2], status = pipe(ends), pid = fork();
    if (pid == 0) {
        char byte;
        _exit((int)read(ends[0], &byte, 1));
    }
    sysinfo(&two);
    is("sysinfo counts", status == 0 && one.procs >= 1 && two.procs >= 2 && one.freeswap <= one.totalswap && one.sharedram < one.totalram);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    get("/proc/meminfo");
    is("sysinfo and meminfo", near(field("Shmem"), (long)(one.sharedram * one.mem_unit / 1024), 65536) && field("SwapTotal") == (long)(one.totalswap * one.mem_unit / 1024));
}

static void machine_files(void) {
    struct sysinfo info;
    struct utsname names;
    unsigned long user, nice, sys, idle;
    double up, slept, loads[3];
    int running, all, newest;
    sysinfo(&info);
    uname(&names);
    get("/proc/meminfo");
    is("meminfo", near(field("MemTotal"), (long)(info.totalram * info.mem_unit / 1024), 64) && field("MemFree") > 0 && field("MemFree") <= field("MemAvailable") + field("MemFree"));
    is("available and swap", field("MemAvailable") > 0 && field("MemAvailable") <= field("MemTotal") && field("SwapTotal") >= 0);
    get("/proc/stat");
    is("stat's first line", sscanf(text, "cpu  %lu %lu %lu %lu", &user, &nice, &sys, &idle) == 4 && strstr(text, "\ncpu0 ") && strstr(text, "\nbtime "));
    get("/proc/uptime");
    is("uptime", sscanf(text, "%lf %lf", &up, &slept) == 2 && near((long)up, info.uptime, 2));
    get("/proc/loadavg");
    is("loadavg", sscanf(text, "%lf %lf %lf %d/%d %d", loads, loads + 1, loads + 2, &running, &all, &newest) == 6 && running >= 1 && all >= running);
    get("/proc/version");
    is("version", !strncmp(text, "Linux version ", 14) && !strncmp(text + 14, names.release, strlen(names.release)));
    get("/proc/sys/kernel/osrelease");
    is("osrelease", strlen(text) == strlen(names.release) + 1 && !strncmp(text, names.release, strlen(names.release)));
    get("/proc/sys/kernel/hostname");
    is("hostname", !strncmp(text, names.nodename, strlen(names.nodename)));
    get("/proc/cpuinfo");
    is("cpuinfo", strstr(text, "processor\t: 0\n") && strstr(text, CPU_FEATURES) && strstr(text, CPU_SPEED));
    get("/proc/filesystems");
    is("filesystems", strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n"));
    get("/proc/self/mounts");
    is("mounts", strstr(text, " /proc proc ") != NULL);
    int good = 1, found = 0;
    get("/proc/self/mountinfo");
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        int id, parent, major, minor, used = 0;
        char place[256];
        if (sscanf(line, "%d %d %d:%d %*s %255s %*s%n", &id, &parent, &major, &minor, place, &used) != 5) good = 0;
        char *dash = strstr(line, " - ");
        if (!dash || dash > strchr(line, '\n')) good = 0;
        if (!strcmp(place, "/proc") && dash && !strncmp(dash, " - proc ", 8)) found = 1;
    }
    is("mountinfo", good && found);
    char first[64], second[64];
    get("/proc/sys/kernel/random/uuid");
    memcpy(first, text, 37);
    get("/proc/sys/kernel/random/uuid");
    is("uuid", strlen(text) == 37 && text[14] == '4' && memcmp(first, text, 36));
    get("/proc/sys/kernel/random/boot_id");
    memcpy(second, text, 37);
    get("/proc/sys/kernel/random/boot_id");
    is("boot_id", strlen(text) == 37 && !memcmp(second, text, 36));
    struct statfs fs;
    is("statfs", !statfs("/proc", &fs) && fs.f_type == 0x9fa0);
    struct stat stat_of;
    is("sizes and kinds", !stat("/proc/meminfo", &stat_of) && S_ISREG(stat_of.st_mode) && stat_of.st_size == 0 && (stat_of.st_mode & 0777) == 0444);
    get("/proc/self/cgroup");
    is("cgroup", strstr(text, ":/") != NULL);
    is("cpu online", get("/sys/devices/system/cpu/online") > 0 && text[0] == '0');
    is("read-only settings", open("/proc/sys/kernel/ostype", O_WRONLY) == -1 && errno == EACCES);
}

/* In a child of another user: what is private stays so. */
static void other_user(void) {
    char path[64];
    int status;
    int root = getpid();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(12345) || setuid(12345)) _exit(9);
        snprintf(path, sizeof path, "/proc/%d/environ", root);
        is("another's environ", get(path) == -EACCES);
        snprintf(path, sizeof path, "/proc/%d/maps", root);
        is("another's maps", get(path) == -EACCES);
        snprintf(path, sizeof path, "/proc/%d/exe", root);
        is("another's program", readlink(path, text, 10) == -1 && errno == EACCES);
        snprintf(path, sizeof path, "/proc/%d/fd", root);
        is("another's files", open(path, O_RDONLY) == -1 && errno == EACCES);
        snprintf(path, sizeof path, "/proc/%d/stat", root);
        is("another's stat", get(path) > 0);
        fflush(stdout);
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%d/stat", child);
    waitpid(child, &status, 0);
    is("a process that was waited for is gone", get(path) == -ENOENT && status == 0);
}

/* pidfd_send_signal(2) takes a process's directory for the process. */
static void signals_by_directory(void) {
    int status, self, fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    is("files are no process", syscall(SYS_pidfd_send_signal, fd, 9, NULL, 0) == -1 && errno == EBADF);
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    char path[40];
    snprintf(path, sizeof path, "/proc/%d", child);
    self = open(path, O_RDONLY | O_DIRECTORY);
    is("a directory is its process", !syscall(SYS_pidfd_send_signal, self, 9, NULL, 0) && waitpid(child, &status, 0) == child && status == 9);
    is("and knows its end", syscall(SYS_pidfd_send_signal, self, 9, NULL, 0) == -1 && errno == ESRCH);
    close(self), close(fd);
}

int main(int argc, char **argv) {
    process_files();
    work_files();
    signals_by_directory();
    memory_files();
    arguments(argc, argv);
    links();
    settings();
    login();
    machine_limits();
    machine_files();
    other_user();
    return 0;
}
