/* System V IPC: segments that fork shares and exits detach, semaphores that are taken back, messages by type. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, strerror(errno)); fflush(stdout); } while (0)
union semun { int val; struct semid_ds *buf; unsigned short *array; };

static struct shmid_ds shm_of(int id) {
    struct shmid_ds s = {0};
    shmctl(id, IPC_STAT, &s);
    return s;
}

static int child(void (*run)(int), int argument) {
    fflush(stdout);
    int pid = fork();
    if (!pid) run(argument), _exit(0);
    return pid;
}
static int status(int pid) {
    int s;
    waitpid(pid, &s, 0);
    return s;
}
/* Waits until somebody sleeps in the kernel for us to see: no timing, only patience. */
static void until(int (*holds)(int), int id) {
    for (int i = 0; i < 2000 && !holds(id); i++) usleep(2000);
}

static void write_hello(int id) {
    char *at = shmat(id, NULL, 0);
    strcpy(at, "from the child");
}
static void write_read_only(int id) {
    char *at = shmat(id, NULL, SHM_RDONLY);
    if (mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0) _exit(3);
    at[0] = 1;
}

static void shared_memory(void) {
    int key = 0x68750000 + getpid();
    FAILS(shmget(key, 4096, 0600));
    int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640);
    SHOW(id >= 0);
    FAILS(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
    FAILS(shmget(key, 20000, 0));
    SHOW(shmget(key, 4096, 0) == id);
    FAILS(shmget(IPC_PRIVATE, 0, 0600));
    struct shmid_ds s = shm_of(id);
    SHOW(s.shm_segsz); SHOW(s.shm_perm.mode); SHOW(s.shm_nattch); SHOW(s.shm_cpid == getpid()); SHOW(s.shm_lpid); SHOW(s.shm_atime);
    SHOW(s.shm_ctime > 0); SHOW(s.shm_perm.__key == key);
    char *at = shmat(id, NULL, 0);
    SHOW(at != (void *)-1); SHOW(at[9999]); SHOW(shm_of(id).shm_nattch);
    strcpy(at + 8000, "kept");
    SHOW(status(child(write_hello, id)));
    printf("%s\n", at);
    SHOW(shm_of(id).shm_nattch); SHOW(shm_of(id).shm_lpid != getpid()); SHOW(shm_of(id).shm_dtime > 0);
    SHOW(status(child(write_read_only, id)) & 0x7f);
    char *second = shmat(id, NULL, SHM_RDONLY);
    SHOW(second != at); SHOW(strcmp(second + 8000, "kept")); SHOW(shm_of(id).shm_nattch);
    FAILS(shmdt(second + 4096)); FAILS(shmdt(second + 1));
    SHOW(shmdt(second)); FAILS(shmdt(second)); SHOW(shm_of(id).shm_nattch);
    /* Addresses */
    char *room = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FAILS(shmat(id, room, 0)); FAILS(shmat(id, room + 5, 0)); FAILS(shmat(id, NULL, SHM_REMAP));
    SHOW(shmat(id, room + 4096, SHM_REMAP) == room + 4096); SHOW(strcmp(room + 4096, "from the child"));
    SHOW(munmap(room + 8192, 4096)); SHOW(shm_of(id).shm_nattch); SHOW(shmdt(room + 4096)); SHOW(shm_of(id).shm_nattch);
    SHOW(shmat(id, room + 32768 + 77, SHM_RND | SHM_REMAP) == room + 32768); SHOW(shmdt(room + 32768));
    /* Removal with the last detach */
    SHOW(shmctl(id, IPC_RMID, NULL)); s = shm_of(id); SHOW(s.shm_perm.mode); SHOW(s.shm_nattch); SHOW(s.shm_perm.__key);
    FAILS(shmget(key, 0, 0));
    SHOW(strcmp(at + 8000, "kept")); SHOW(shmdt(at)); FAILS(shmctl(id, IPC_STAT, &s)); FAILS(shmat(id, NULL, 0));
    int other = shmget(IPC_PRIVATE, 4096, 0600);
    SHOW(other != id); FAILS(shmctl(id, 999, NULL));
    s = shm_of(other), s.shm_perm.mode = 0444;
    SHOW(shmctl(other, IPC_SET, &s)); SHOW(shm_of(other).shm_perm.mode);
    fflush(stdout);
    int pid = fork();
    if (!pid) { /* as another user */
        if (setgid(1234) || setuid(1234)) _exit(9);
        SHOW(shmat(other, NULL, SHM_RDONLY) != (void *)-1); FAILS(shmat(other, NULL, 0)); FAILS(shmctl(other, IPC_RMID, NULL));
        _exit(0);
    }
    SHOW(status(pid)); SHOW(shmctl(other, IPC_RMID, NULL));
    struct shminfo limits;
    SHOW(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0); SHOW(limits.shmmin); SHOW(limits.shmmni >= 4096);
}

static int add(int id, int number, int by, int flags) {
    struct sembuf op = {(unsigned short)number, (short)by, (short)flags};
    return semop(id, &op, 1);
}
static int value(int id, int number) { return semctl(id, number, GETVAL); }
static void take_and_leave(int id) {
    if (add(id, 0, -2, SEM_UNDO) || add(id, 1, 3, SEM_UNDO)) _exit(1);
    _exit(value(id, 0) * 10 + value(id, 1));
}
static void wait_both(int id) {
    struct sembuf both[2] = {{0, -1, 0}, {1, -1, 0}};
    _exit(semop(id, both, 2) ? errno : 0);
}
static void wait_zero(int id) { _exit(add(id, 0, 0, 0) ? errno : 0); }
static int sleepers(int id) { return semctl(id, 0, GETNCNT) + semctl(id, 1, GETNCNT) + semctl(id, 0, GETZCNT); }
static void nothing(int number) { (void)number; }
static void be_interrupted(int id) {
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    _exit(add(id, 0, -1000, 0) ? errno == EINTR : 100);
}

static void semaphores(void) {
    union semun u;
    unsigned short all[3] = {5, 0, 7};
    FAILS(semget(IPC_PRIVATE, 0, 0600)); FAILS(semget(IPC_PRIVATE, 32001, 0600));
    int id = semget(IPC_PRIVATE, 3, 0600);
    u.array = all;
    SHOW(semctl(id, 0, SETALL, u)); SHOW(value(id, 0)); SHOW(value(id, 2)); SHOW(semctl(id, 2, GETPID) == getpid());
    u.val = 40000;
    FAILS(semctl(id, 0, SETVAL, u)); FAILS(semctl(id, 3, GETVAL)); FAILS(add(id, 3, 1, 0)); FAILS(add(id, 1, -1, IPC_NOWAIT));
    FAILS(add(id, 2, 32767, 0));
    struct sembuf ops[3] = {{0, -5, 0}, {2, -7, 0}, {1, -1, IPC_NOWAIT}};
    FAILS(semop(id, ops, 3)); SHOW(value(id, 0)); SHOW(value(id, 2));
    ops[2].sem_op = 1;
    SHOW(semop(id, ops, 3)); SHOW(value(id, 0)); SHOW(value(id, 1)); SHOW(value(id, 2));
    FAILS(semop(id, ops, 0)); FAILS(semop(id, ops, 501)); FAILS(semop(id + 32768 * 5, ops, 1)); FAILS(semop(-1, ops, 1));
    struct timespec soon = {0, 20000000}, bad = {0, 1000000000};
    FAILS(semtimedop(id, ops, 1, &soon)); FAILS(semtimedop(id, ops, 1, &bad));
    /* Two at once, or neither */
    u.val = 1, semctl(id, 0, SETVAL, u), u.val = 0, semctl(id, 1, SETVAL, u);
    int pid = child(wait_both, id);
    until(sleepers, id);
    SHOW(semctl(id, 1, GETNCNT)); SHOW(semctl(id, 0, GETNCNT)); SHOW(value(id, 0)); SHOW(add(id, 1, 1, 0)); SHOW(status(pid));
    SHOW(value(id, 0)); SHOW(value(id, 1)); SHOW(semctl(id, 1, GETPID) == pid);
    /* Until it is zero */
    SHOW(add(id, 0, 1, 0)); pid = child(wait_zero, id); until(sleepers, id); SHOW(semctl(id, 0, GETZCNT)); SHOW(add(id, 0, -1, 0)); SHOW(status(pid));
    /* Taken back at the end */
    u.val = 4, semctl(id, 0, SETVAL, u);
    SHOW(status(child(take_and_leave, id)) >> 8); SHOW(value(id, 0)); SHOW(value(id, 1));
    /* Interrupted in spite of SA_RESTART */
    pid = child(be_interrupted, id); until(sleepers, id); kill(pid, SIGUSR1); SHOW(status(pid) >> 8);
    /* Removed under a sleeper */
    u.val = 0, semctl(id, 0, SETVAL, u);
    pid = child(wait_both, id); until(sleepers, id); SHOW(semctl(id, 0, IPC_RMID)); SHOW(status(pid) >> 8 == EIDRM); FAILS(add(id, 0, 1, 0));
    struct seminfo info;
    u.array = (unsigned short *)&info;
    SHOW(semctl(0, 0, IPC_INFO, u) >= 0); SHOW(info.semvmx); SHOW(info.semopm); SHOW(info.semmsl);
    id = semget(IPC_PRIVATE, 2, 0640);
    struct semid_ds ds;
    u.buf = &ds;
    SHOW(semctl(id, 0, IPC_STAT, u)); SHOW(ds.sem_nsems); SHOW(ds.sem_otime); SHOW(ds.sem_ctime > 0); SHOW(ds.sem_perm.mode);
    SHOW(semctl(id, 0, IPC_RMID));
}

static struct { long type; char text[128]; } message;
static int send(int id, long type, const char *text, int flags) {
    message.type = type, strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text) + 1, flags);
}
static long receive(int id, long type, int flags) {
    memset(&message, 0, sizeof message);
    long n = msgrcv(id, &message, 100, type, flags);
    printf("%ld: %ld %s\n", n, message.type, n >= 0 ? message.text : strerror(errno));
    return n;
}
static void receive_later(int id) { receive(id, 77, 0), fflush(stdout); }
static void fill(int id) {
    int n = 0;
    while (send(id, 1, "0123456789012345678901234567890123456789012345678901234567890", IPC_NOWAIT) == 0) n++;
    printf("%d fit, then %s\n", n, strerror(errno)), fflush(stdout);
    _exit(send(id, 2, "0123456789012345678901234567890123456789012345678901234567890", 0) ? errno : 0);
}

static void messages(void) {
    int id = msgget(IPC_PRIVATE, 0600);
    SHOW(id >= 0); FAILS(msgsnd(id, &message, 9000, 0)); FAILS(send(id, 0, "x", 0)); FAILS(send(id, -4, "x", 0));
    send(id, 3, "three", 0), send(id, 1, "one", 0), send(id, 2, "two", 0), send(id, 3, "three again", 0), send(id, 9, "", 0);
    struct msqid_ds s;
    SHOW(msgctl(id, IPC_STAT, &s)); SHOW(s.msg_qnum); SHOW(s.__msg_cbytes); SHOW(s.msg_qbytes); SHOW(s.msg_lspid == getpid()); SHOW(s.msg_lrpid);
    receive(id, -2, 0); receive(id, 3, 0); receive(id, 3, MSG_EXCEPT); receive(id, 5, IPC_NOWAIT);
    FAILS(msgrcv(id, &message, 3, 3, 0)); SHOW(msgrcv(id, &message, 3, 3, MSG_NOERROR)); printf("%.3s\n", message.text);
    receive(id, 0, 0); receive(id, 0, IPC_NOWAIT); receive(id, -100, IPC_NOWAIT);
    int pid = child(receive_later, id);
    usleep(300000); send(id, 5, "not for the child", 0), send(id, 77, "for the child", 0);
    SHOW(status(pid)); receive(id, 0, 0);
    pid = child(fill, id);
    do usleep(5000), msgctl(id, IPC_STAT, &s); while (s.msg_qnum < 200);
    usleep(300000);
    long got = 0;
    while (msgrcv(id, &message, 100, 1, IPC_NOWAIT) > 0) got++;
    SHOW(got); SHOW(status(pid)); SHOW(msgrcv(id, &message, 100, 0, 0)); SHOW(message.type);
    pid = child(receive_later, id), usleep(300000);
    int removed = msgctl(id, IPC_RMID, NULL);
    SHOW(status(pid)); SHOW(removed); FAILS(msgget(0x7fffff00, 0));
    FAILS(msgctl(id, IPC_STAT, &s));
}

/* Its limits in /proc/sys: one number at least in each. */
static void show_limits(void) {
    static const char *const names[] = { "/proc/sys/kernel/shmmax", "/proc/sys/kernel/shmall", "/proc/sys/kernel/shmmni", "/proc/sys/kernel/msgmax", "/proc/sys/kernel/msgmnb", "/proc/sys/kernel/msgmni", "/proc/sys/kernel/sem" };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned long value = 0;
        FILE *file = fopen(names[i], "r");
        printf("%s: %s\n", names[i], file && fscanf(file, "%lu", &value) == 1 && value ? "a number" : "none");
        if (file) fclose(file);
    }
}

int main(void) {
    shared_memory();
    semaphores();
    messages();
    show_limits();
    return 0;
}
