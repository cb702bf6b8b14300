// variants: glibc musl
/* What /proc/sysvipc and /proc/locks say of what this program made: their lines of it, with numbers that differ from run to run told as right or wrong. Prints what it finds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIELDS = 20, PAGE = 4096 };
static time_t begun;

/* The line of an object in /proc/sysvipc/KIND; its header is printed. The numbers of processes are told as mine, the times as now. Columns are of the same width. */
static void show(const char *kind, int id, const char *pids, const char *times) {
    char path[64], header[512] = "", line[512], *word, *rest;
    snprintf(path, sizeof path, "/proc/sysvipc/%s", kind);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(header, sizeof header, file)) return (void)printf("%s: none\n", path);
    fputs(header, stdout);
    while (fgets(line, sizeof line, file)) {
        size_t width = strlen(line);
        int field = 0;
        char out[512] = "";
        for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest), field++) {
            char told[32];
            long long value = atoll(word);
            if (field == 1 && value != id) break;
            snprintf(told, sizeof told, "%s", field == 1 ? "id" : strchr(pids, 'a' + field) ? (value == getpid() ? "me" : value ? "wrong" : "0")
                                              : strchr(times, 'a' + field) ? (value >= begun && value <= time(NULL) ? "now" : value ? "wrong" : "0") : word);
            strcat(strcat(out, " "), told);
        }
        if (field > 2) printf("%zu characters:%s\n", width, out);
    }
    fclose(file);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The lines of /proc/locks about an inode, sorted, without their numbers; how many of them wait. */
static int locks(ino_t inode, int print) {
    char line[256], *found[16];
    int count = 0, waiting = 0;
    FILE *file = fopen("/proc/locks", "r");
    while (file && count < 16 && fgets(line, sizeof line, file)) {
        char kind[16], way[16], type[16], end[32], out[128];
        unsigned major, minor;
        unsigned long number, start;
        int pid, waits = strstr(line, "-> ") != NULL;
        const char *from = waits ? strstr(line, "-> ") + 3 : strchr(line, ' ') + 1;
        if (sscanf(from, "%15s %15s %15s %d %x:%x:%lu %lu %31s", kind, way, type, &pid, &major, &minor, &number, &start, end) != 9 || number != inode) continue;
        waiting += waits;
        snprintf(out, sizeof out, "%s%s %s %s %s %lu %s\n", waits ? "waits: " : "", kind, way, type, pid == getpid() ? "me" : pid == -1 ? "-1" : "another", start, end);
        found[count++] = strdup(out);
    }
    if (file) fclose(file);
    qsort(found, (size_t)count, sizeof *found, compare);
    for (int i = 0; i < count; i++) {
        if (print) fputs(found[i], stdout);
        free(found[i]);
    }
    return waiting;
}

int main(void) {
    begun = time(NULL);
    int shm = shmget(IPC_PRIVATE, 3 * PAGE + 5, IPC_CREAT | 0640), sem = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600), msg = msgget(IPC_PRIVATE, IPC_CREAT | 0604);
    char *memory = shmat(shm, NULL, 0);
    memory[0] = memory[2 * PAGE] = 1;
    semop(sem, &(struct sembuf){ .sem_num = 1, .sem_op = 1 }, 1);
    struct { long type; char text[10]; } message = { 1, "123456789" };
    msgsnd(msg, &message, 10, 0), msgsnd(msg, &message, 5, 0);
    show("shm", shm, "ef", "lmn"), show("sem", sem, "", "ij"), show("msg", msg, "fg", "lmn");
    shmdt(memory), shmctl(shm, IPC_RMID, NULL), semctl(sem, 0, IPC_RMID), msgctl(msg, IPC_RMID, NULL);
    show("shm", shm, "", ""), show("sem", sem, "", ""), show("msg", msg, "", "");

    char path[] = "/tmp/hull-listed-XXXXXX";
    int fd = mkstemp(path), status;
    struct stat stat;
    fstat(fd, &stat);
    flock(fd, LOCK_SH);
    fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_start = 10, .l_len = 10 });
    fcntl(fd, F_OFD_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_start = 100 });
    locks(stat.st_ino, 1);
    pid_t child = fork();
    if (!child) {
        fcntl(fd, F_SETLKW, &(struct flock){ .l_type = F_RDLCK, .l_start = 15, .l_len = 1 });
        _exit(0);
    }
    while (!locks(stat.st_ino, 0)) usleep(1000);
    puts("with one who waits:");
    locks(stat.st_ino, 1);
    fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_UNLCK });
    waitpid(child, &status, 0);
    puts("afterwards:");
    locks(stat.st_ino, 1);
    unlink(path), close(fd);
    return status;
}
