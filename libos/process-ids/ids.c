/*
 * Who the process is: numbers of process, group, session and thread, users and groups, capabilities. Owns nothing but the first
 * process's user, which the boot module names. The first process is 1, its own group and session, as in a container.
 */
#include "abi/boot_abi.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { MOST_GROUPS = 65536 };

static struct credentials *who(void) { return &current_process()->credentials; }

static void ids_start(void) {
    size_t size;
    const uint32_t *ids = boot_module_find(HULL_MODULE_USER, &size);
    if (!ids || size < 8) return;
    struct credentials *c = &first_process.credentials;
    c->uid = c->euid = c->suid = ids[0];
    c->gid = c->egid = c->sgid = ids[1];
    uint32_t count = (uint32_t)(size / 4 - 2);
    if (count && (c->groups = kmalloc(count * sizeof *c->groups))) {
        __builtin_memcpy(c->groups, ids + 2, count * sizeof *c->groups);
        c->group_count = count;
    }
}
HULL_INIT(8, ids_start); /* after the file systems, whose first directories are root's */

SYSCALL_DEFINE(getpid, void) { return current_process()->pid; }
SYSCALL_DEFINE(getppid, void) { return current_process()->parent_pid; }
SYSCALL_DEFINE(gettid, void) { return current_thread()->tid; }
SYSCALL_DEFINE(getpgrp, void) { return current_process()->group; }
static struct process *process_of(int pid) { return pid ? process_find(pid) : current_process(); }
SYSCALL_DEFINE(getpgid, int pid) {
    struct process *p = process_of(pid);
    return p ? p->group : -ESRCH;
}
SYSCALL_DEFINE(getsid, int pid) {
    struct process *p = process_of(pid);
    return p ? p->session : -ESRCH;
}

static bool group_in_session(int group, int session) {
    for (struct process *p = &first_process; p; p = p->next)
        if (p->group == group && p->session == session) return true;
    return false;
}

SYSCALL_DEFINE(setpgid, int pid, int group) {
    struct process *self = current_process(), *p = process_of(pid);
    if (group < 0) return -EINVAL;
    if (!p || (p != self && p->parent_pid != self->pid)) return -ESRCH;
    if (p != self && p->session != self->session) return -EPERM;
    if (p != self && p->executed) return -EACCES;
    if (p->session == p->pid) return -EPERM; /* a session's leader stays where it is */
    if (!group) group = p->pid;
    if (group != p->pid && !group_in_session(group, self->session)) return -EPERM;
    p->group = group;
    return 0;
}

SYSCALL_DEFINE(setsid, void) {
    struct process *self = current_process();
    for (struct process *p = &first_process; p; p = p->next)
        if (p->group == self->pid) return -EPERM;
    self->terminal = NULL;
    return self->group = self->session = self->pid;
}

SYSCALL_DEFINE(getuid, void) { return who()->uid; }
SYSCALL_DEFINE(geteuid, void) { return who()->euid; }
SYSCALL_DEFINE(getgid, void) { return who()->gid; }
SYSCALL_DEFINE(getegid, void) { return who()->egid; }

/* The set*id family has one rule: who has the capability may take any number, others one of those that they have. -1 leaves a number alone. */
struct triple { uint32_t real, effective, saved; };

static bool may(const struct triple *t, uint32_t id, bool any) {
    return id == (uint32_t)-1 || any || id == t->real || id == t->effective || id == t->saved;
}

static long set_triple(struct triple *t, uint32_t real, uint32_t effective, uint32_t saved, unsigned capability) {
    bool any = process_may(current_process(), capability);
    if (!may(t, real, any) || !may(t, effective, any) || !may(t, saved, any)) return -EPERM;
    if (real != (uint32_t)-1) t->real = real;
    if (effective != (uint32_t)-1) t->effective = effective;
    if (saved != (uint32_t)-1) t->saved = saved;
    return 0;
}

static long set_users(uint32_t real, uint32_t effective, uint32_t saved) {
    struct credentials *c = who();
    struct triple t = {c->uid, c->euid, c->suid};
    bool was_root = !c->uid || !c->euid || !c->suid, was_effective = !c->euid;
    long result = set_triple(&t, real, effective, saved, CAP_SETUID);
    c->uid = t.real, c->euid = t.effective, c->suid = t.saved;
    if (was_root && t.real && t.effective && t.saved) current_process()->options.permitted = current_process()->options.keep_capabilities ? CAPABILITIES : 0;
    if (was_effective ? t.effective : !current_process()->options.permitted) current_process()->options.effective = 0; /* none is before capset takes it */
    return result;
}

static long set_groups(uint32_t real, uint32_t effective, uint32_t saved) {
    struct credentials *c = who();
    struct triple t = {c->gid, c->egid, c->sgid};
    long result = set_triple(&t, real, effective, saved, CAP_SETGID);
    c->gid = t.real, c->egid = t.effective, c->sgid = t.saved;
    return result;
}

SYSCALL_DEFINE(setresuid, uint32_t real, uint32_t effective, uint32_t saved) { return set_users(real, effective, saved); }
SYSCALL_DEFINE(setresgid, uint32_t real, uint32_t effective, uint32_t saved) { return set_groups(real, effective, saved); }
SYSCALL_DEFINE(setuid, uint32_t id) {
    if (id == (uint32_t)-1) return -EINVAL;
    return process_may(current_process(), CAP_SETUID) ? set_users(id, id, id) : set_users(-1u, id, -1u);
}
SYSCALL_DEFINE(setgid, uint32_t id) {
    if (id == (uint32_t)-1) return -EINVAL;
    return process_may(current_process(), CAP_SETGID) ? set_groups(id, id, id) : set_groups(-1u, id, -1u);
}
SYSCALL_DEFINE(setreuid, uint32_t real, uint32_t effective) {
    uint32_t saved = real != -1u || (effective != -1u && effective != who()->uid) ? (effective != -1u ? effective : who()->euid) : -1u;
    return set_users(real, effective, saved);
}
SYSCALL_DEFINE(setregid, uint32_t real, uint32_t effective) {
    uint32_t saved = real != -1u || (effective != -1u && effective != who()->gid) ? (effective != -1u ? effective : who()->egid) : -1u;
    return set_groups(real, effective, saved);
}
/* File system ids follow the effective ones; asking answers the current one, as Linux does on every outcome. */
SYSCALL_DEFINE(setfsuid, uint32_t id) {
    (void)id;
    return who()->euid;
}
SYSCALL_DEFINE(setfsgid, uint32_t id) {
    (void)id;
    return who()->egid;
}

static long give_triple(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t x, uint32_t y, uint32_t z) {
    return user_copy_out(a, &x, 4) || user_copy_out(b, &y, 4) || user_copy_out(c, &z, 4) ? -EFAULT : 0;
}
SYSCALL_DEFINE(getresuid, uint32_t *real, uint32_t *effective, uint32_t *saved) {
    return give_triple(real, effective, saved, who()->uid, who()->euid, who()->suid);
}
SYSCALL_DEFINE(getresgid, uint32_t *real, uint32_t *effective, uint32_t *saved) {
    return give_triple(real, effective, saved, who()->gid, who()->egid, who()->sgid);
}

SYSCALL_DEFINE(getgroups, int room, uint32_t *list) {
    struct credentials *c = who();
    if (room < 0 || (room && (uint32_t)room < c->group_count)) return -EINVAL;
    if (room && c->group_count && user_copy_out(list, c->groups, c->group_count * sizeof *list)) return -EFAULT;
    return c->group_count;
}

SYSCALL_DEFINE(setgroups, size_t count, const uint32_t *list) {
    struct credentials *c = who();
    if (!process_may(current_process(), CAP_SETGID)) return -EPERM;
    if (count > MOST_GROUPS) return -EINVAL;
    uint32_t *groups = NULL;
    if (count && !(groups = kmalloc(count * sizeof *groups))) return -ENOMEM;
    if (count && user_copy_in(groups, list, count * sizeof *groups)) {
        kfree(groups);
        return -EFAULT;
    }
    kfree(c->groups);
    c->groups = groups;
    c->group_count = (uint32_t)count;
    return 0;
}

/*
 * Capabilities: root has what a container's root has not been denied, whatever it gives back. Others have none, but who was root under PR_SET_KEEPCAPS may take into effect
 * what it kept, until it executes a program (capabilities(7)). process_may() tells; what does not ask there asks for the user number.
 */
struct capability_header { uint32_t version; int pid; };
struct capability_data { uint32_t effective, permitted, inheritable; };
enum { CAPABILITY_V1 = 0x19980330, CAPABILITY_V2 = 0x20071026, CAPABILITY_V3 = 0x20080522 };

static long capability_words(struct capability_header *header, int *pid) {
    struct capability_header h;
    if (user_copy_in(&h, header, sizeof h)) return -EFAULT;
    *pid = h.pid;
    if (h.version == CAPABILITY_V1) return 1;
    if (h.version == CAPABILITY_V2 || h.version == CAPABILITY_V3) return 2;
    h.version = CAPABILITY_V3;
    return user_copy_out(header, &h, sizeof h) ? -EFAULT : -EINVAL;
}

SYSCALL_DEFINE(capget, struct capability_header *header, struct capability_data *data) {
    int pid;
    long words = capability_words(header, &pid);
    if (words < 0) return words == -EINVAL && !data ? 0 : words;
    const struct process *process = pid ? process_find(pid) : current_process();
    if (!process) return -ESRCH;
    uint64_t effective = process_capabilities(process, true), permitted = process_capabilities(process, false);
    struct capability_data out[2] = {{(uint32_t)effective, (uint32_t)permitted, 0}, {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), 0}};
    return data && user_copy_out(data, out, (size_t)words * sizeof *out) ? -EFAULT : 0;
}

SYSCALL_DEFINE(capset, struct capability_header *header, const struct capability_data *data) {
    int pid;
    struct capability_data in[2] = {0};
    long words = capability_words(header, &pid);
    if (words < 0) return words;
    if (pid && pid != current_process()->pid) return -EPERM;
    if (user_copy_in(in, data, (size_t)words * sizeof *in)) return -EFAULT;
    uint64_t permitted = (in[0].permitted | (uint64_t)in[1].permitted << 32) & CAPABILITIES, effective = (in[0].effective | (uint64_t)in[1].effective << 32) & CAPABILITIES;
    struct process *self = current_process();
    if (permitted & ~process_capabilities(self, false) || effective & ~permitted) return -EPERM;
    if (!self->credentials.euid) return 0;
    self->options.permitted = permitted;
    self->options.effective = effective;
    return 0;
}
