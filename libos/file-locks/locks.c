/*
 * Locks on files: flock(2), and the record locks of fcntl(2), of processes and of open file descriptions. Owns what hangs on an inode's `locks`.
 * A process's record locks belong to its descriptor table and go with any of its descriptors of that file; the other two kinds belong to the
 * open file and go with its last reference.
 */
#include "abi/linux_file.h"
#include "file-locks/internal.h"
#include "file/file.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"

/* Without file systems nothing has an inode. */
extern __typeof(file_inode) file_inode __attribute__((weak));

enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, DEADLOCK_DEPTH = 16 };

/* A call that sleeps, for the search for deadlocks and its own condition. */
struct request { struct request *next; struct file_lock wanted; struct inode_locks *locks; };
static struct request *requests;

static struct inode_locks *all_locks;

static struct inode_locks *locks_of(struct inode *inode) {
    if (inode->locks || !(inode->locks = kzalloc(sizeof *inode->locks))) return inode->locks;
    inode->locks->inode = inode;
    inode->locks->next = all_locks;
    return all_locks = inode->locks;
}

static void tidy(struct inode *inode) {
    struct inode_locks *locks = inode->locks;
    if (!locks || locks->first || locks->sleepers) return;
    struct inode_locks **link = &all_locks;
    while (*link != locks) link = &(*link)->next;
    *link = locks->next;
    kfree(locks);
    inode->locks = NULL;
}

static bool grantable(void *argument) {
    struct request *request = argument;
    return !locks_conflict(request->locks, &request->wanted);
}

/* Would it wait for itself? Follows who waits for whom. Only record locks of processes wait with one owner at two places. */
static bool deadlocks(const struct request *request) {
    const struct file_lock *block = locks_conflict(request->locks, &request->wanted);
    for (int depth = 0; block && depth < DEADLOCK_DEPTH; depth++) {
        if (block->owner == request->wanted.owner) return true;
        const struct request *other = requests;
        while (other && other->wanted.owner != block->owner) other = other->next;
        block = other ? locks_conflict(other->locks, &other->wanted) : NULL;
    }
    return false;
}

/* Sleeps until nothing is in the way: 0, -EINTR, -EDEADLK. */
static int wait_for(struct request *request, bool finds_deadlocks) {
    struct inode_locks *locks = request->locks;
    if (finds_deadlocks && deadlocks(request)) return -EDEADLK;
    struct request **link;
    request->next = requests;
    requests = request;
    locks->sleepers++;
    int error = wait_until(&locks->waiters, grantable, request, 0, true);
    locks->sleepers--;
    for (link = &requests; *link != request; link = &(*link)->next) {}
    *link = request->next;
    return error;
}

/* Grants or takes back; waits when it may. */
static int apply(struct inode *inode, const struct file_lock *wanted, bool waits, bool finds_deadlocks) {
    if (wanted->type == LOCK_NONE && !inode->locks) return 0;
    struct request request = {.wanted = *wanted, .locks = locks_of(inode)};
    int error = !request.locks ? -ENOLCK : 0;
    if (!error && wanted->type != LOCK_NONE && !grantable(&request)) error = waits ? wait_for(&request, finds_deadlocks) : -EAGAIN;
    if (!error) error = locks_set(request.locks, wanted);
    if (!error) wait_queue_wake(&request.locks->waiters, -1);
    tidy(inode);
    return error;
}

SYSCALL_DEFINE(flock, int descriptor, int operation) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    int kind = operation & ~LOCK_NB;
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return -EINVAL;
    struct inode *inode = file_inode ? file_inode(file) : NULL;
    if (!inode) return 0; /* a pipe, a device: nobody else has the same one to lock */
    struct file_lock wanted = {.owner = file, .end = LOCK_END, .pid = current_process()->pid, .kind = LOCK_WHOLE,
                               .type = kind == LOCK_UN ? LOCK_NONE : kind == LOCK_SH ? LOCK_READ : LOCK_WRITE};
    struct file_lock *own = inode->locks ? inode->locks->first : NULL;
    while (own && (own->kind != LOCK_WHOLE || own->owner != file)) own = own->next;
    if (own && own->type == wanted.type) return 0;
    if (own) { /* changing it lets it go first: others may come between (flock(2)) */
        struct file_lock none = wanted;
        none.type = LOCK_NONE;
        apply(inode, &none, false, false);
    }
    file_get(file);
    int error = apply(inode, &wanted, !(operation & LOCK_NB), false);
    file_put(file);
    return error;
}

/* The bytes that a struct flock means: 0, -EINVAL, -EOVERFLOW. */
static int range_of(const struct file *file, const struct inode *inode, const struct linux_flock *lock, struct file_lock *out) {
    int64_t start, end;
    switch (lock->whence) {
    case SEEK_SET: start = 0; break;
    case SEEK_CUR: start = file->position; break;
    case SEEK_END: start = inode->size; break;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(start, lock->start, &start)) return -EOVERFLOW;
    if (start < 0) return -EINVAL;
    if (lock->length > 0) {
        if (__builtin_add_overflow(start, lock->length - 1, &end)) return -EOVERFLOW;
    } else if (lock->length < 0) {
        end = start - 1;
        start += lock->length;
        if (start < 0) return -EINVAL;
    } else {
        end = LOCK_END;
    }
    out->start = start;
    out->end = end;
    return 0;
}

static long tell(const struct file_lock *found, struct linux_flock *lock, void *program) {
    if (found) {
        lock->type = found->type;
        lock->whence = SEEK_SET;
        lock->start = found->start;
        lock->length = found->end == LOCK_END ? 0 : found->end - found->start + 1;
        lock->pid = found->pid;
    } else {
        lock->type = F_UNLCK;
    }
    return user_copy_out(program, lock, sizeof *lock);
}

#pragma GCC visibility push(hidden)
/* For `file`, `vfs`, through weak references. */
long locks_fcntl(struct file *, unsigned command, unsigned long argument);
void locks_descriptor_closed(const struct file_table *, struct file *);
void locks_file_gone(struct inode *, const struct file *);
#pragma GCC visibility pop

long locks_fcntl(struct file *file, unsigned command, unsigned long argument) {
    struct linux_flock lock;
    struct inode *inode = file_inode ? file_inode(file) : NULL;
    bool of_file = command >= F_OFD_GETLK, asks = command == F_GETLK || command == F_OFD_GETLK;
    if (user_copy_in(&lock, (const void *)argument, sizeof lock)) return -EFAULT;
    if (lock.type < 0 || lock.type > F_UNLCK || (asks && lock.type == F_UNLCK)) return -EINVAL;
    if (of_file && lock.pid) return -EINVAL;
    struct file_lock wanted = {.owner = of_file ? (const void *)file : current_process()->files, .type = (uint8_t)lock.type, .kind = LOCK_RECORD,
                               .pid = of_file ? -1 : current_process()->pid};
    struct inode none = {0}; /* a pipe, a device: nobody else has the same one to lock */
    int error = range_of(file, inode ? inode : &none, &lock, &wanted);
    if (error) return error;
    if (asks) return tell(inode && inode->locks ? locks_conflict(inode->locks, &wanted) : NULL, &lock, (void *)argument);
    unsigned access = file->flags & O_ACCMODE;
    if ((lock.type == LOCK_READ && access == O_WRONLY) || (lock.type == LOCK_WRITE && access == O_RDONLY)) return -EBADF;
    if (!inode) return 0;
    return apply(inode, &wanted, command == F_SETLKW || command == F_OFD_SETLKW, !of_file);
}

static void drop(struct inode *inode, const void *owner, enum lock_kind kind) {
    struct inode_locks *locks = inode->locks;
    bool any = false;
    for (struct file_lock **link = &locks->first, *lock; (lock = *link);) {
        if (lock->owner == owner && lock->kind == kind) {
            *link = lock->next;
            kfree(lock);
            any = true;
        } else {
            link = &lock->next;
        }
    }
    if (any) wait_queue_wake(&locks->waiters, -1);
}

void locks_descriptor_closed(const struct file_table *table, struct file *file) {
    struct inode *inode = file && file_inode ? file_inode(file) : NULL; /* the slot may have been free */
    if (!inode || !inode->locks) return;
    drop(inode, table, LOCK_RECORD);
    tidy(inode);
}

void locks_file_gone(struct inode *inode, const struct file *file) {
    drop(inode, file, LOCK_RECORD);
    drop(inode, file, LOCK_WHOLE);
    tidy(inode);
}

/* /proc/locks (proc(5)), where there is a /proc: what is granted, and behind it who waits for it. */
#pragma weak proc_print
static void show_lock(struct proc_text *out, unsigned number, const struct inode *inode, const struct file_lock *lock, bool waits) {
    const char *kind = lock->kind == LOCK_WHOLE ? "FLOCK " : lock->pid == -1 ? "OFDLCK" : "POSIX ";
    uint64_t device = inode->super->device;
    proc_print(out, "%u: %s%s ADVISORY  %s %d %02x:%02x:%lu %lu ", number, waits ? "-> " : "", kind, lock->type == LOCK_WRITE ? "WRITE" : "READ", lock->pid, (unsigned)(device >> 8 & 0xfff),
               (unsigned)(device & 0xff), (unsigned long)inode->ino, (unsigned long)lock->start);
    if (lock->end == LOCK_END) proc_print(out, "EOF\n");
    else proc_print(out, "%lu\n", (unsigned long)lock->end);
}
static void show_locks(struct proc_text *out) {
    unsigned number = 0;
    for (const struct inode_locks *locks = all_locks; locks; locks = locks->next)
        for (const struct file_lock *lock = locks->first; lock; lock = lock->next) {
            show_lock(out, ++number, locks->inode, lock, false);
            for (const struct request *request = requests; request; request = request->next)
                if (request->locks == locks && locks_conflict(locks, &request->wanted) == lock) show_lock(out, number, locks->inode, &request->wanted, true);
        }
}
static const struct proc_file lock_files[] = { { .path = "locks", .mode = PROC_READ, .show = show_locks } };
HULL_PROC_FILES(PROC_SYSTEM, lock_files);
