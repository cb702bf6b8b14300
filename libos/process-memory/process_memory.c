/*
 * Looking into other processes: process_vm_readv(2), process_vm_writev(2), process_madvise(2), kcmp(2). Owns nothing. Another process's pages are brought in as its own
 * faults would (copy on write included) and read or written where they are.
 */
#include "arch/arch.h"
#include "file/file.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vm/vm.h"

enum { KCMP_FILE = 0, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD };
#define MOST 0x7ffff000ul

/* May the caller look into it (ptrace(2), "Ptrace access mode checking")? */
static bool may_look(const struct process *process) {
    const struct credentials *self = &current_process()->credentials, *other = &process->credentials;
    if (!self->euid || process == current_process()) return true;
    return self->uid == other->euid && self->uid == other->suid && self->uid == other->uid && self->gid == other->egid && self->gid == other->sgid &&
           self->gid == other->gid;
}

static int find(int pid, struct process **out) {
    struct process *process = process_find(pid);
    if (!process || !process->space) return -ESRCH;
    *out = process;
    return may_look(process) ? 0 : -EPERM;
}

/* One piece, not across pages of the other side. 0 or -EFAULT. */
static int copy_piece(struct address_space *space, uintptr_t remote, void *local, size_t size, bool write) {
    uint64_t page;
    unsigned protection;
    uintptr_t within = remote & (PAGE_SIZE - 1);
    if (remote >= VM_HIGHEST || vm_fault_in(space, remote, write ? MAP_WRITE : MAP_READ)) return -EFAULT;
    if (!arch_lookup(space->root, remote - within, &page, &protection)) return -EFAULT;
    page_get(page); /* the local side may fault and sleep meanwhile */
    char *there = (char *)phys_to_virt(page) + within;
    int error = write ? user_copy_in(there, local, size) : user_copy_out(local, there, size);
    page_put(page);
    return error;
}

/* Walks both vectors at once; bytes, or -errno when there were none. */
static long copy(struct process *process, const struct iovec *local, unsigned long local_count, const struct iovec *remote, unsigned long remote_count, bool write) {
    size_t here = 0, there = 0;
    long done = 0;
    for (unsigned long i = 0, j = 0; i < local_count && j < remote_count;) {
        size_t piece = local[i].length - here, other = remote[j].length - there;
        uintptr_t at = (uintptr_t)remote[j].base + there;
        if (!piece) { i++, here = 0; continue; }
        if (!other) { j++, there = 0; continue; }
        if (piece > other) piece = other;
        if (piece > PAGE_SIZE - (at & (PAGE_SIZE - 1))) piece = PAGE_SIZE - (at & (PAGE_SIZE - 1));
        if (!process->space) return done ? done : -ESRCH; /* it ended while a local page was waited for */
        int error = copy_piece(process->space, at, (char *)local[i].base + here, piece, write);
        if (error) return done ? done : error;
        here += piece;
        there += piece;
        done += (long)piece;
        if (done >= (long)MOST) break;
    }
    return done;
}

static long vectors(int pid, const struct iovec *local, unsigned long local_count, const struct iovec *remote, unsigned long remote_count,
                    unsigned long flags, bool write) {
    struct process *process;
    if (flags || local_count > FILE_MAX_IOVECS || remote_count > FILE_MAX_IOVECS) return -EINVAL;
    if (!local_count || !remote_count) return 0;
    struct iovec *both = kmalloc((local_count + remote_count) * sizeof *both);
    if (!both) return -ENOMEM;
    long result = user_copy_in(both, local, local_count * sizeof *both) || user_copy_in(both + local_count, remote, remote_count * sizeof *both) ? -EFAULT : 0;
    for (unsigned long i = 0; i < local_count + remote_count && !result; i++)
        if ((intptr_t)both[i].length < 0) result = -EINVAL;
    if (!result) result = find(pid, &process);
    if (!result) result = copy(process, both, local_count, both + local_count, remote_count, write);
    kfree(both);
    return result;
}

SYSCALL_DEFINE(process_vm_readv, int pid, const struct iovec *local, unsigned long local_count, const struct iovec *remote, unsigned long remote_count, unsigned long flags) {
    return vectors(pid, local, local_count, remote, remote_count, flags, false);
}

SYSCALL_DEFINE(process_vm_writev, int pid, const struct iovec *local, unsigned long local_count, const struct iovec *remote, unsigned long remote_count, unsigned long flags) {
    return vectors(pid, local, local_count, remote, remote_count, flags, true);
}

struct process *pidfd_process(int descriptor) __attribute__((weak)); /* by `process` */

/* Advice about pages that are to be paged out or in: nothing is, so what remains is to say what Linux says. 0 or -errno. */
static int may_advise(const struct address_space *space, uintptr_t start, size_t length, bool out) {
    if (start & (PAGE_SIZE - 1)) return -EINVAL;
    if (start > VM_HIGHEST || length > VM_HIGHEST - start) return -ENOMEM;
    uintptr_t end = (start + length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    while (start < end) {
        const struct vm_area *area = areas_find(&space->areas, start);
        if (!area || area->start > start) return -ENOMEM;
        if (out && area->flags & VM_LOCKED) return -EINVAL;
        start = area->end;
    }
    return 0;
}

SYSCALL_DEFINE(process_madvise, int descriptor, const struct iovec *program, size_t count, int advice, unsigned flags) {
    enum { WILLNEED = 3, COLD = 20, PAGEOUT = 21 };
    if (flags || count > FILE_MAX_IOVECS) return -EINVAL;
    struct process *process = pidfd_process ? pidfd_process(descriptor) : NULL;
    if (!process) return -EBADF;
    if (advice != WILLNEED && advice != COLD && advice != PAGEOUT) return -EINVAL;
    if (!process->space) return -ESRCH;
    if (process != current_process() && current_process()->credentials.euid) return -EPERM; /* CAP_SYS_NICE */
    long done = 0;
    for (size_t i = 0; i < count; i++) {
        struct iovec piece;
        if (user_copy_in(&piece, program + i, sizeof piece)) return done ? done : -EFAULT;
        if (!process->space) return done ? done : -ESRCH;
        int error = may_advise(process->space, (uintptr_t)piece.base, piece.length, advice != WILLNEED);
        if (error) return done ? done : error;
        done += (long)piece.length;
    }
    return done;
}

static const struct file *file_of(const struct process *process, unsigned long descriptor) {
    const struct file_table *table = process->files;
    if (!table || descriptor >= table->size) return NULL;
    return table->files ? table->files[descriptor] : table->first[descriptor];
}

/* 0 the same, 1 below, 2 above: an order, so that many can be sorted. */
static long order(const void *a, const void *b) { return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? 1 : 2; }

SYSCALL_DEFINE(kcmp, int one, int other, int kind, unsigned long first, unsigned long second) {
    struct process *a, *b;
    int error = find(one, &a);
    if (!error) error = find(other, &b);
    if (error) return error;
    switch (kind) {
    case KCMP_FILE: {
        const struct file *x = file_of(a, first), *y = file_of(b, second);
        return x && y ? order(x, y) : -EBADF;
    }
    case KCMP_VM: return order(a->space, b->space);
    case KCMP_FILES: return order(a->files, b->files);
    case KCMP_FS: return order(a->view, b->view);
    case KCMP_SIGHAND: return order(a->signals, b->signals);
    case KCMP_IO: return 0; /* nobody has an I/O context */
    case KCMP_SYSVSEM: return order(a, b);
    default: return kind == KCMP_EPOLL_TFD ? -EOPNOTSUPP : -EINVAL;
    }
}
