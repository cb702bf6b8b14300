/*
 * Sessions, groups, their terminal. Owns nothing: the state is in processes and in the drivers' struct terminal_control.
 */
#include "job-control/job_control.h"
#include "abi/linux_file.h"
#include "signal/signal.h"
#include "syscall/syscall.h"

/* Absent where the signal component is. */
#pragma weak process_signal_group
#pragma weak signal_action_is_ignore
#pragma weak signal_send

static void tell_group(int group, int number) {
    if (process_signal_group && group) process_signal_group(group, &(struct signal_info){.number = number, .code = SI_KERNEL});
}

bool job_control_orphaned(int group, const struct process *without) {
    for (const struct process *p = &first_process; p; p = p->next) {
        if (p->group != group || p == without || !p->threads) continue; /* one that has ended holds nobody */
        const struct process *parent = process_find(p->parent_pid);
        if (parent && parent->group != group && parent->session == p->session) return false;
    }
    return true;
}

long job_control_check(const struct terminal_control *terminal, int number) {
    const struct process *self = current_process();
    if (self->terminal != terminal || !terminal->foreground || self->group == terminal->foreground || !process_signal_group) return 0;
    if (current_thread()->signal_mask & SIGNAL_BIT(number) || signal_action_is_ignore(self, number)) return number == SIGTTIN ? -EIO : 0;
    if (job_control_orphaned(self->group, NULL)) return -EIO;
    tell_group(self->group, number);
    return -EINTR;
}

static bool group_in_session(int group, int session) {
    for (const struct process *p = &first_process; p; p = p->next)
        if (p->group == group && p->session == session) return true;
    return false;
}

/* Nobody of the session has a terminal any more. */
static void let_go(struct terminal_control *terminal) {
    for (struct process *p = &first_process; p; p = p->next)
        if (p->terminal == terminal) p->terminal = NULL;
    terminal->session = terminal->foreground = 0;
}

static long set_foreground(struct terminal_control *terminal, unsigned long argument) {
    int group;
    long stopped = job_control_check(terminal, SIGTTOU);
    if (stopped) return stopped;
    if (current_process()->terminal != terminal || terminal->session != current_process()->session) return -ENOTTY;
    if (user_copy_in(&group, (const void *)argument, sizeof group)) return -EFAULT;
    if (group < 0) return -EINVAL;
    if (!group_in_session(group, terminal->session)) {
        for (const struct process *p = &first_process; p; p = p->next)
            if (p->group == group) return -EPERM;
        return -ESRCH;
    }
    terminal->foreground = group;
    return 0;
}

/* The caller, a session's leader without terminal, takes it. One that another session has only root can take, and says so. */
static long take(struct terminal_control *terminal, unsigned long steal) {
    struct process *self = current_process();
    if (self->session == self->pid && terminal->session == self->session && self->terminal == terminal) return 0;
    if (self->session != self->pid || self->terminal) return -EPERM;
    if (terminal->session && terminal->session != self->session) {
        if (steal != 1 || self->credentials.euid) return -EPERM;
        let_go(terminal);
    }
    terminal->session = self->session;
    terminal->foreground = self->group;
    self->terminal = terminal;
    return 0;
}

static long give_up(struct terminal_control *terminal) {
    struct process *self = current_process();
    if (self->terminal != terminal) return -ENOTTY;
    self->terminal = NULL;
    if (self->session != self->pid) return 0;
    int group = terminal->foreground;
    let_go(terminal);
    tell_group(group, SIGHUP);
    tell_group(group, SIGCONT);
    return 0;
}

long job_control_ioctl(struct terminal_control *terminal, unsigned long request, unsigned long argument) {
    bool own = current_process()->terminal == terminal;
    switch (request) {
    case TIOCGPGRP: return own ? user_copy_out((void *)argument, &terminal->foreground, sizeof(int)) : -ENOTTY;
    case TIOCGSID: return own && terminal->session ? user_copy_out((void *)argument, &terminal->session, sizeof(int)) : -ENOTTY;
    case TIOCSPGRP: return set_foreground(terminal, argument);
    case TIOCSCTTY: return take(terminal, argument);
    case TIOCNOTTY: return give_up(terminal);
    default: return -ENOTTY;
    }
}

void job_control_hang_up(struct terminal_control *terminal) {
    struct process *leader = terminal->session ? process_find(terminal->session) : NULL;
    int group = terminal->foreground;
    let_go(terminal);
    if (leader && leader->threads && signal_send) {
        signal_send(leader, &(struct signal_info){.number = SIGHUP, .code = SI_KERNEL});
        signal_send(leader, &(struct signal_info){.number = SIGCONT, .code = SI_KERNEL});
    }
    if (group && (!leader || group != leader->group)) {
        tell_group(group, SIGHUP);
        tell_group(group, SIGCONT);
    }
}

static bool has_stopped(int group) {
    for (const struct process *p = &first_process; p; p = p->next)
        if (p->group == group && p->stopped) return true;
    return false;
}

/* POSIX _exit: stopped groups that nobody will continue get SIGHUP, then SIGCONT. */
static void wake_orphans(int group) {
    if (!has_stopped(group)) return;
    tell_group(group, SIGHUP);
    tell_group(group, SIGCONT);
}

void job_control_given_away(struct process *child, int old_parent_group) {
    if (child->group != old_parent_group && job_control_orphaned(child->group, NULL)) wake_orphans(child->group);
}

void job_control_exit(struct process *process) {
    const struct process *parent = process_find(process->parent_pid);
    if (process->terminal && process->session == process->pid) {
        struct terminal_control *terminal = process->terminal;
        int group = terminal->foreground;
        let_go(terminal);
        tell_group(group, SIGHUP); /* Linux adds SIGCONT only where the leader gives the terminal up by TIOCNOTTY */
    }
    process->terminal = NULL;
    if (parent && parent->group != process->group && parent->session == process->session && job_control_orphaned(process->group, process))
        wake_orphans(process->group);
}
