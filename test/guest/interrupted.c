// variants: glibc musl
/*
 * What a handler does to each call that blocks (signal(7), "Interruption of system calls"): with SA_RESTART and without. A child reports, blocks, is sent a
 * signal when /proc says that it sleeps; when its handler has reported, what the call waits for is made to happen. A call that was restarted
 * succeeds then, the others have ended with EINTR before. No time is measured. Prints what Linux prints.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int a, b, report[2];
static pid_t child;
static volatile uint32_t *word;
static char buffer[65536], directory[] = "/tmp/interrupted-XXXXXX", path[64];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static sigset_t usr2;
static const struct timespec forever = {1000, 0};
struct message { long type; char text[4]; };

static void on_signal(int number) {
    int error = errno;
    (void)number;
    if (write(report[1], "h", 1) != 1) _exit(9);
    errno = error;
}

/* Makers: before the child is made. */
static void make_pipe(void) { int ends[2]; if (pipe(ends)) abort(); a = ends[0], b = ends[1]; }
static void make_full_pipe(void) {
    make_pipe();
    fcntl(b, F_SETFL, O_NONBLOCK);
    while (write(b, buffer, 4096) > 0) ;
    fcntl(b, F_SETFL, 0);
}
static void make_terminal(void) {
    a = posix_openpt(O_RDWR | O_NOCTTY);
    if (a < 0 || grantpt(a) || unlockpt(a)) abort();
    b = open(ptsname(a), O_RDWR | O_NOCTTY);
}
static void make_stream(void) { int ends[2]; if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) abort(); a = ends[0], b = ends[1]; }
static void make_packets(void) { int ends[2]; if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)) abort(); a = ends[0], b = ends[1]; }
static void limit(int option) { setsockopt(a, SOL_SOCKET, option, &(struct timeval){1000, 0}, sizeof(struct timeval)); }
static void make_stream_limited(void) { make_stream(); limit(SO_RCVTIMEO); }
static void fill(void) {
    while (send(a, buffer, sizeof buffer, MSG_DONTWAIT) > 0) ;
    while (send(a, buffer, 1, MSG_DONTWAIT) > 0) ;
}
static void make_full_stream(void) { make_stream(); fill(); }
static void make_full_limited(void) { make_stream(); fill(); limit(SO_SNDTIMEO); }
static void make_listener(void) {
    a = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    unlink(address.sun_path);
    if (bind(a, (void *)&address, sizeof address) || listen(a, 0)) abort();
}
static void make_listener_limited(void) { make_listener(); limit(SO_RCVTIMEO); }
static void make_busy_listener(void) {
    make_listener();
    b = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(b, (void *)&address, sizeof address)) abort();
}
static void make_inet(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(a, (void *)&in, sizeof in) || listen(a, 4)) abort();
}
static void make_udp(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(a, (void *)&in, sizeof in)) abort();
}
static void make_udp_limited(void) { make_udp(); limit(SO_RCVTIMEO); }
static void make_event(void) { a = eventfd(0, 0); }
static void make_full_event(void) { a = eventfd(0, 0); if (write(a, &(uint64_t){~1ull}, 8) != 8) abort(); }
static void make_timer(void) { a = timerfd_create(CLOCK_MONOTONIC, 0); timerfd_settime(a, 0, &(struct itimerspec){.it_value = forever}, NULL); }
static void make_watch(void) { a = inotify_init(); if (inotify_add_watch(a, directory, IN_CREATE) < 0) abort(); }
static void make_word(void) { *word = 0; }
static void make_set(void) { make_pipe(); int e = epoll_create1(0); epoll_ctl(e, EPOLL_CTL_ADD, a, &(struct epoll_event){.events = EPOLLIN}); a = e; }
static void make_semaphore(void) { a = semget(IPC_PRIVATE, 1, 0600); semctl(a, 0, SETVAL, 0); }
static void make_messages(void) { a = msgget(IPC_PRIVATE, 0600); }
static void make_full_messages(void) {
    struct message m = {1, "abc"};
    make_messages();
    while (!msgsnd(a, &m, sizeof m.text, IPC_NOWAIT)) ;
}
static void make_queue(void) {
    mq_unlink("/interrupted");
    a = mq_open("/interrupted", O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 4});
    if (a < 0) abort();
}
static void make_full_queue(void) { make_queue(); mq_send(a, "x", 1, 0); }
static void make_file(void) {
    snprintf(path, sizeof path, "%s/file", directory);
    a = open(path, O_RDWR | O_CREAT, 0600);
}
static void make_flock(void) { make_file(); flock(a, LOCK_EX); }
static struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
static void make_lock(void) { make_file(); whole.l_type = F_WRLCK, fcntl(a, F_SETLK, &whole); }
static void make_own_lock(void) { make_file(); whole.l_type = F_WRLCK, fcntl(a, F_OFD_SETLK, &whole); }
static void make_fifo(void) { snprintf(path, sizeof path, "%s/fifo", directory); unlink(path); if (mkfifo(path, 0600)) abort(); }
static void make_nothing(void) {}

/* In the child, before it reports: a child of its own, which lives as long as the pipe is open. */
static void have_child(void) {
    if (fork()) { close(a), close(b); return; }
    close(b);
    close(report[0]), close(report[1]);
    _exit(read(a, buffer, 1) == 0 ? 0 : 1);
}
static void block_usr2(void) { sigprocmask(SIG_BLOCK, &usr2, NULL); }
static void watch_usr2(void) { block_usr2(); a = signalfd(-1, &usr2, 0); }
static void reopen(void) { a = open(path, O_RDWR); }

/* The calls. */
static long do_read(void) { return read(a, buffer, 128); }
static long do_read_b(void) { return read(b, buffer, 64); }
static long do_write(void) { return write(b, buffer, 4096) > 0 ? 1 : -1; }
static long do_write_event(void) { return write(a, &(uint64_t){1}, 8); }
static long do_recv(void) { return recv(a, buffer, 64, 0); }
static long do_recvmsg(void) { struct iovec v = {buffer, 64}; return recvmsg(a, &(struct msghdr){.msg_iov = &v, .msg_iovlen = 1}, 0); }
static long do_send(void) { return send(a, buffer, 4096, 0) > 0 ? 1 : -1; }
static long do_accept(void) { return accept(a, NULL, NULL) < 0 ? -1 : 1; }
static long do_connect(void) { return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address); }
static long do_wait4(void) { return wait4(-1, NULL, 0, NULL) < 0 ? -1 : 1; }
static long do_waitid(void) { siginfo_t i; return waitid(P_ALL, 0, &i, WEXITED); }
static long do_futex(void) { return syscall(SYS_futex, word, 0, 0, NULL, NULL, 0); }
static long do_futex_timed(void) { return syscall(SYS_futex, word, 0, 0, &forever, NULL, 0); }
static long do_futex_bitset(void) { return syscall(SYS_futex, word, 9, 0, NULL, NULL, ~0u); }
static long do_nanosleep(void) { return nanosleep(&forever, NULL); }
static long do_clock_nanosleep(void) { errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &forever, NULL); return errno ? -1 : 0; }
static long do_clock_until(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += 1000;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    return errno ? -1 : 0;
}
static long do_poll(void) { return poll(&(struct pollfd){.fd = a, .events = POLLIN}, 1, -1); }
static long do_ppoll(void) { return ppoll(&(struct pollfd){.fd = a, .events = POLLIN}, 1, &forever, NULL); }
static long do_select(void) { fd_set s; FD_ZERO(&s); FD_SET(a, &s); return select(a + 1, &s, NULL, NULL, NULL); }
static long do_pselect(void) { fd_set s; FD_ZERO(&s); FD_SET(a, &s); return pselect(a + 1, &s, NULL, NULL, &forever, NULL); }
static long do_epoll_wait(void) { struct epoll_event e; return epoll_wait(a, &e, 1, -1); }
static long do_epoll_pwait(void) { struct epoll_event e; return epoll_pwait(a, &e, 1, 1000000, NULL); }
static long do_sigwaitinfo(void) { return sigwaitinfo(&usr2, NULL) < 0 ? -1 : 1; }
static long do_sigtimedwait(void) { return sigtimedwait(&usr2, NULL, &forever) < 0 ? -1 : 1; }
static long do_sigsuspend(void) { sigset_t none; sigemptyset(&none); return sigsuspend(&none); }
static long do_pause(void) { return pause(); }
static long do_semop(void) { return semop(a, &(struct sembuf){0, -1, 0}, 1); }
static long do_semtimedop(void) { return semtimedop(a, &(struct sembuf){0, -1, 0}, 1, &forever); }
static long do_msgrcv(void) { struct message m; return msgrcv(a, &m, sizeof m.text, 0, 0); }
static long do_msgsnd(void) { struct message m = {1, "abc"}; return msgsnd(a, &m, sizeof m.text, 0); }
static long do_mq_receive(void) { return mq_receive(a, buffer, 64, NULL); }
static long do_mq_timedreceive(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_sec += 1000; return mq_timedreceive(a, buffer, 64, NULL, &t); }
static long do_mq_send(void) { return mq_send(a, "y", 1, 0); }
static long do_flock(void) { return flock(a, LOCK_EX); }
static long do_lock(void) { struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; return fcntl(a, F_SETLKW, &l); }
static long do_own_lock(void) { struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; return fcntl(a, F_OFD_SETLKW, &l); }
static long do_open_read(void) { return open(path, O_RDONLY) < 0 ? -1 : 1; }
static long do_open_write(void) { return open(path, O_WRONLY) < 0 ? -1 : 1; }
static long do_splice(void) { return splice(a, NULL, open("/dev/null", O_WRONLY), NULL, 64, 0); }

/* What ends the wait, by the parent. A call that nothing else ends is ended by force: it has been restarted against the rules. */
static int kept = -1;
static void end_write(void) { if (write(b, "xyz\n", 4) != 4) abort(); }
static void end_terminal(void) { if (write(a, "xyz\n", 4) != 4) abort(); }
static void end_read(void) { fcntl(a, F_SETFL, O_NONBLOCK); while (read(a, buffer, sizeof buffer) > 0) ; }
static void end_receive(void) { while (recv(b, buffer, sizeof buffer, MSG_DONTWAIT) > 0) ; }
static void end_packet(void) {
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    getsockname(a, (void *)&in, &size);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(s, "xyz\n", 4, 0, (void *)&in, size);
    close(s);
}
static void end_connect(void) { kept = socket(AF_UNIX, SOCK_STREAM, 0); connect(kept, (void *)&address, sizeof address); }
static void end_connect_inet(void) {
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    getsockname(a, (void *)&in, &size);
    kept = socket(AF_INET, SOCK_STREAM, 0);
    connect(kept, (void *)&in, size);
}
static void end_accept(void) { close(accept(a, NULL, NULL)); }
static void end_event(void) { if (write(a, &(uint64_t){1}, 8) != 8) abort(); }
static void end_full_event(void) { uint64_t n; if (read(a, &n, 8) != 8) abort(); }
static void end_timer(void) { timerfd_settime(a, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL); }
static void end_usr2(void) { kill(child, SIGUSR2); }
static void end_watch(void) { snprintf(path, sizeof path, "%s/new", directory); close(open(path, O_CREAT | O_WRONLY, 0600)); unlink(path); }
static void end_close(void) { close(b); b = -1; }
/* A wake is not kept for who comes later: until it has met the waiter, or the call has ended. */
static void end_word(void) { while (syscall(SYS_futex, word, 1, 1, NULL, NULL, 0) < 1 && !poll(&(struct pollfd){.fd = report[0], .events = POLLIN}, 1, 1)) ; }
static void end_semaphore(void) { semop(a, &(struct sembuf){0, 1, 0}, 1); }
static void end_messages(void) { struct message m = {1, "abc"}; msgsnd(a, &m, sizeof m.text, 0); }
static void end_full_messages(void) { struct message m; msgrcv(a, &m, sizeof m.text, 0, 0); }
static void end_queue(void) { mq_send(a, "z", 1, 0); }
static void end_full_queue(void) { mq_receive(a, buffer, 64, NULL); }
static void end_flock(void) { flock(a, LOCK_UN); }
static void end_lock(void) { whole.l_type = F_UNLCK; fcntl(a, F_SETLK, &whole); }
static void end_own_lock(void) { whole.l_type = F_UNLCK; fcntl(a, F_OFD_SETLK, &whole); }
static void end_fifo(void) { kept = open(path, O_RDWR | O_NONBLOCK); }
static void end_force(void) { usleep(100000); kill(child, SIGKILL); }

static const struct {
    const char *name;
    void (*make)(void), (*prepare)(void);
    long (*call)(void);
    void (*end)(void);
} cases[] = {
    {"read pipe", make_pipe, NULL, do_read, end_write}, {"write pipe", make_full_pipe, NULL, do_write, end_read},
    {"splice from pipe", make_pipe, NULL, do_splice, end_write}, {"read terminal", make_terminal, NULL, do_read_b, end_terminal},
    {"recv stream", make_stream, NULL, do_recv, end_write}, {"read stream", make_stream, NULL, do_read, end_write},
    {"recv stream SO_RCVTIMEO", make_stream_limited, NULL, do_recv, end_write}, {"recvmsg dgram", make_packets, NULL, do_recvmsg, end_write},
    {"send stream", make_full_stream, NULL, do_send, end_receive}, {"send stream SO_SNDTIMEO", make_full_limited, NULL, do_send, end_receive},
    {"accept", make_listener, NULL, do_accept, end_connect}, {"accept SO_RCVTIMEO", make_listener_limited, NULL, do_accept, end_connect},
    {"connect", make_busy_listener, NULL, do_connect, end_accept}, {"accept tcp", make_inet, NULL, do_accept, end_connect_inet},
    {"recv udp", make_udp, NULL, do_recv, end_packet}, {"recv udp SO_RCVTIMEO", make_udp_limited, NULL, do_recv, end_packet},
    {"read eventfd", make_event, NULL, do_read, end_event}, {"write eventfd", make_full_event, NULL, do_write_event, end_full_event},
    {"read timerfd", make_timer, NULL, do_read, end_timer}, {"read signalfd", make_nothing, watch_usr2, do_read, end_usr2},
    {"read inotify", make_watch, NULL, do_read, end_watch}, {"wait4", make_pipe, have_child, do_wait4, end_close},
    {"waitid", make_pipe, have_child, do_waitid, end_close}, {"futex", make_word, NULL, do_futex, end_word},
    {"futex timed", make_word, NULL, do_futex_timed, end_word}, {"futex bitset", make_word, NULL, do_futex_bitset, end_word},
    {"nanosleep", make_nothing, NULL, do_nanosleep, end_force}, {"clock_nanosleep", make_nothing, NULL, do_clock_nanosleep, end_force},
    {"clock_nanosleep absolute", make_nothing, NULL, do_clock_until, end_force}, {"poll", make_pipe, NULL, do_poll, end_write},
    {"ppoll", make_pipe, NULL, do_ppoll, end_write}, {"select", make_pipe, NULL, do_select, end_write}, {"pselect", make_pipe, NULL, do_pselect, end_write},
    {"epoll_wait", make_set, NULL, do_epoll_wait, end_write}, {"epoll_pwait", make_set, NULL, do_epoll_pwait, end_write},
    {"sigwaitinfo", make_nothing, block_usr2, do_sigwaitinfo, end_usr2}, {"sigtimedwait", make_nothing, block_usr2, do_sigtimedwait, end_usr2},
    {"sigsuspend", make_nothing, NULL, do_sigsuspend, end_force}, {"pause", make_nothing, NULL, do_pause, end_force},
    {"semop", make_semaphore, NULL, do_semop, end_semaphore}, {"semtimedop", make_semaphore, NULL, do_semtimedop, end_semaphore},
    {"msgrcv", make_messages, NULL, do_msgrcv, end_messages}, {"msgsnd", make_full_messages, NULL, do_msgsnd, end_full_messages},
    {"mq_receive", make_queue, NULL, do_mq_receive, end_queue}, {"mq_timedreceive", make_queue, NULL, do_mq_timedreceive, end_queue},
    {"mq_send", make_full_queue, NULL, do_mq_send, end_full_queue}, {"flock", make_flock, reopen, do_flock, end_flock},
    {"F_SETLKW", make_lock, reopen, do_lock, end_lock}, {"F_OFD_SETLKW", make_own_lock, reopen, do_own_lock, end_own_lock},
    {"open fifo to read", make_fifo, NULL, do_open_read, end_fifo}, {"open fifo to write", make_fifo, NULL, do_open_write, end_fifo},
};

static char next_report(void) {
    char c = 0;
    while (read(report[0], &c, 1) < 0 && errno == EINTR) ;
    return c;
}

static void until_asleep(void) {
    char name[64], line[256] = "";
    snprintf(name, sizeof name, "/proc/%d/stat", child);
    for (;;) {
        int fd = open(name, O_RDONLY);
        ssize_t size = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        close(fd);
        if (size <= 0) return;
        line[size] = 0;
        char *state = strrchr(line, ')');
        if (state && (state[2] == 'S' || state[2] == 'Z')) return;
        usleep(1000);
    }
}

static const char *outcome(unsigned i, int flags) {
    a = b = kept = -1;
    if (pipe(report)) abort();
    cases[i].make();
    fflush(stdout);
    child = fork();
    if (!child) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
        sigaction(SIGUSR1, &action, NULL);
        close(report[0]);
        alarm(60); /* whatever goes wrong, not for ever */
        if (cases[i].prepare) cases[i].prepare();
        if (write(report[1], "b", 1) != 1) _exit(9);
        long result = cases[i].call();
        if (write(report[1], result >= 0 ? "r" : errno == EINTR ? "i" : "e", 1) != 1) _exit(9);
        _exit(0);
    }
    close(report[1]);
    char c = next_report();
    until_asleep();
    kill(child, SIGUSR1);
    if (c == 'b' && (c = next_report()) == 'h') {
        cases[i].end();
        c = next_report();
    }
    waitpid(child, NULL, 0);
    close(report[0]);
    if (cases[i].make == make_semaphore) semctl(a, 0, IPC_RMID);
    else if (cases[i].make == make_messages || cases[i].make == make_full_messages) msgctl(a, IPC_RMID, NULL);
    else close(a);
    close(b);
    close(kept);
    return c == 'r' ? "restarted" : c == 'i' ? "EINTR" : c == 'e' ? "another error" : c == 'h' ? "handled twice" : "never ended";
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mkdir("/tmp", 01777);
    if (!mkdtemp(directory)) return 1;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name)) continue;
        printf("%s: %s, with SA_RESTART ", cases[i].name, outcome(i, 0));
        printf("%s\n", outcome(i, SA_RESTART));
    }
    mq_unlink("/interrupted");
    static const char *const names[] = {"socket", "file", "fifo"};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return 0;
}
