/* wait4 and waitid: a caller looks through its children for one that has what it asks for, and sleeps until one of them changes. */
#include "cpu-time/cpu_time.h"
#include "process/process.h"
#include "syscall/syscall.h"

enum { WNOHANG = 1, WSTOPPED = 2, WEXITED = 4, WCONTINUED = 8, WNOWAIT = 0x1000000 };
#define WAIT_KINDS 0xe0000000u /* __WNOTHREAD, __WALL, __WCLONE: all children are alike here */
enum { P_ALL, P_PID, P_PGID, P_PIDFD };
enum { CLD_EXITED = 1, CLD_KILLED = 2 };

void process_reap(struct process *process);

struct search {
    int kind, id;
    unsigned options;
    bool any;              /* there is a child that could */
    struct process *found;
    int what;              /* CLD_EXITED stands for either end */
};

static bool look(void *argument) {
    struct search *s = argument;
    int self = current_process()->pid;
    s->any = false;
    s->found = NULL;
    for (struct process *p = first_process.next; p; p = p->next) {
        struct family *f = p->family;
        if (p->parent_pid != self || (s->kind == P_PID && p->pid != s->id) || (s->kind == P_PGID && p->group != s->id)) continue;
        s->any = true;
        if (f->ended && s->options & WEXITED) s->what = CLD_EXITED;
        else if (f->stop_signal && s->options & WSTOPPED) s->what = PROCESS_STOPPED;
        else if (f->continued && s->options & WCONTINUED) s->what = PROCESS_CONTINUED;
        else continue;
        s->found = p;
        return true;
    }
    return !s->any;
}

/* 0 with s->found, or NULL there with WNOHANG; -ECHILD, -EINTR. */
static int search(struct search *s) {
    if (!look(s) && !(s->options & WNOHANG)) {
        int error = wait_until(&current_process()->family->changes, look, s, 0, true);
        if (error) return error;
    }
    return s->any ? 0 : -ECHILD;
}

static void consume(struct search *s) {
    struct family *f = s->found->family;
    if (s->options & WNOWAIT) return;
    if (s->what == PROCESS_STOPPED) f->stop_signal = 0;
    else if (s->what == PROCESS_CONTINUED) f->continued = false;
    else {
        cpu_time_reaped(current_process(), s->found);
        process_reap(s->found);
    }
}

/* What the child and those that it waited for have used; asked before it is gone. */
static void take_usage(const struct search *s, struct rusage *usage) {
    if (s->found) cpu_time_usage_both(s->found, usage);
    else *usage = (struct rusage){0};
}
static int give_usage(void *out, const struct rusage *usage) { return out ? user_copy_out(out, usage, sizeof *usage) : 0; }

SYSCALL_DEFINE(wait4, int pid, int *status, unsigned options, void *usage) {
    struct search s = {.kind = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID, .id = pid > 0 ? pid : -pid};
    if (options & ~(WNOHANG | WSTOPPED | WCONTINUED | WAIT_KINDS)) return -EINVAL;
    if (pid == (int)0x80000000) return -ESRCH;
    if (!pid) s.id = current_process()->group;
    s.options = options | WEXITED;
    int error = search(&s);
    if (error || !s.found) return error;
    struct family *f = s.found->family;
    uint32_t value = s.what == PROCESS_STOPPED ? (uint32_t)f->stop_signal << 8 | 0x7f : s.what == PROCESS_CONTINUED ? 0xffff : f->wait_status;
    struct rusage used;
    if (usage) take_usage(&s, &used);
    pid = s.found->pid;
    consume(&s);
    return (status && user_copy_out(status, &value, sizeof value)) || give_usage(usage, &used) ? -EFAULT : pid;
}

SYSCALL_DEFINE(waitid, int kind, int id, void *out, unsigned options, void *usage) {
    struct search s = {.kind = kind, .id = id, .options = options};
    uint8_t info[128] = {0};
    if (options & ~(WNOHANG | WNOWAIT | WSTOPPED | WEXITED | WCONTINUED | WAIT_KINDS) || !(options & (WSTOPPED | WEXITED | WCONTINUED)))
        return -EINVAL;
    if (kind < P_ALL || kind > P_PIDFD || (kind == P_PID && id <= 0) || (kind == P_PGID && id < 0)) return -EINVAL;
    if (kind == P_PGID && !id) s.id = current_process()->group;
    if (kind == P_PIDFD) {
        struct process *p = pidfd_process(id);
        if (!p) return -EBADF;
        s.kind = P_PID, s.id = p->pid;
    }
    int error = search(&s);
    if (error) return error;
    struct rusage used;
    if (usage) take_usage(&s, &used);
    if (s.found) {
        uint32_t value = s.found->family->wait_status;
        struct signal_info *i = (struct signal_info *)info;
        i->number = SIGCHLD;
        i->pid = s.found->pid;
        i->uid = s.found->credentials.uid;
        i->code = s.what != CLD_EXITED ? s.what : value & 0x7f ? CLD_KILLED : CLD_EXITED;
        i->value = s.what == PROCESS_STOPPED   ? (uint64_t)s.found->family->stop_signal
                   : s.what == PROCESS_CONTINUED ? SIGCONT
                   : value & 0x7f                ? value & 0x7f
                                                 : value >> 8 & 0xff;
        consume(&s);
    }
    return (out && user_copy_out(out, info, sizeof info)) || give_usage(usage, &used) ? -EFAULT : 0;
}
