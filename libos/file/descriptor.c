/* The calls on descriptors themselves: dup and its kind, fcntl, close_range. */
#include "file/internal.h"

static long duplicate(struct file *file, unsigned long least, bool close_on_exec) {
    if (least >= most_descriptors()) return -EINVAL;
    int descriptor = file_install(file, (int)least, close_on_exec);
    if (descriptor >= 0) file_get(file);
    return descriptor;
}

static long duplicate_to(struct file *file, uint32_t target, bool close_on_exec) {
    struct file_table *table = current_process()->files;
    if (target >= most_descriptors()) return -EBADF;
    int error = file_table_grow(table, target + 1);
    if (error) return error;
    file_get(file);
    struct file *old = file_table_set(table, target, file, close_on_exec);
    if (old) file_put(old);
    return (long)target;
}

SYSCALL_DEFINE(dup, int descriptor) {
    struct file *file = file_lookup_any(descriptor);
    return file ? duplicate(file, 0, false) : -EBADF;
}

SYSCALL_DEFINE(dup2, int descriptor, int target) {
    struct file *file = file_lookup_any(descriptor);
    if (!file) return -EBADF;
    return descriptor == target ? target : duplicate_to(file, (uint32_t)target, false);
}

SYSCALL_DEFINE(dup3, int descriptor, int target, int flags) {
    if (flags & ~O_CLOEXEC || descriptor == target) return -EINVAL;
    struct file *file = file_lookup_any(descriptor);
    return file ? duplicate_to(file, (uint32_t)target, flags != 0) : -EBADF;
}

#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
SYSCALL_DEFINE(close_range, unsigned first, unsigned last, unsigned flags) {
    struct file_table *table = current_process()->files;
    if (first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE && table->references > 1) {
        struct file_table *own = file_table_copy(table);
        if (!own) return -ENOMEM;
        table->references--;
        current_process()->files = table = own;
    }
    for (uint32_t slot = first; slot <= last && slot < table->size; slot++) {
        if (!table_files(table)[slot]) continue;
        if (flags & CLOSE_RANGE_CLOEXEC)
            table_marks(table)[slot] = 1;
        else
            file_put(file_table_set(table, slot, NULL, false));
    }
    return 0;
}

long locks_fcntl(struct file *, unsigned command, unsigned long argument) __attribute__((weak)); /* by `file-locks` */

/* Record locks: one process cannot conflict with itself (POSIX), so a machine without fork grants all. */
static long record_lock(struct file *file, unsigned command, unsigned long argument) {
    struct linux_flock lock;
    if (locks_fcntl) {
        file_get(file);
        long result = locks_fcntl(file, command, argument);
        file_put(file);
        return result;
    }
    if (command >= F_OFD_GETLK) return -EINVAL; /* two open files of one process could conflict */
    if (user_copy_in(&lock, (const void *)argument, sizeof lock)) return -EFAULT;
    if (lock.type < 0 || lock.type > F_UNLCK) return -EINVAL;
    if (command != F_GETLK) return 0;
    lock.type = F_UNLCK;
    return user_copy_out((void *)argument, &lock, sizeof lock);
}

static bool owner_exists(int kind, int id) {
    if (kind == OWNER_THREAD) return thread_find(id);
    for (struct process *p = &first_process; p; p = p->next)
        if ((kind == OWNER_GROUP ? p->group : p->pid) == id) return true;
    return false;
}

static long set_owner(struct file *file, int kind, int id) {
    if (id && !owner_exists(kind, id)) return -ESRCH;
    file->owner = (struct file_owner){id, current_process()->credentials.euid, (uint8_t)kind};
    return 0;
}

long file_set_owner(struct file *file, long number) {
    if (number == INT32_MIN) return -EINVAL;
    return number < 0 ? set_owner(file, OWNER_GROUP, (int)-number) : set_owner(file, OWNER_PROCESS, (int)number);
}

/* Who is gone owns nothing. */
static int owner_id(const struct file *file) { return file->owner.id && owner_exists(file->owner.kind, file->owner.id) ? file->owner.id : 0; }
int file_owner_number(const struct file *file) { return file->owner.kind == OWNER_GROUP ? -owner_id(file) : owner_id(file); }

struct f_owner_ex { int kind, id; }; /* as fcntl(2) has it; its kinds are ours */
static long set_owner_ex(struct file *file, const struct f_owner_ex *program) {
    struct f_owner_ex owner;
    if (user_copy_in(&owner, program, sizeof owner)) return -EFAULT;
    return owner.kind < OWNER_THREAD || owner.kind > OWNER_GROUP ? -EINVAL : owner.id < 0 ? -ESRCH : set_owner(file, owner.kind, owner.id);
}

static long get_owner_ex(const struct file *file, struct f_owner_ex *program) {
    const struct f_owner_ex owner = {file->owner.kind, owner_id(file)};
    return user_copy_out(program, &owner, sizeof owner);
}

#define CHANGEABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)
SYSCALL_DEFINE(fcntl, int descriptor, unsigned command, unsigned long argument) {
    struct file *file = file_lookup_any(descriptor);
    if (!file) return -EBADF;
    uint8_t *mark = &table_marks(current_process()->files)[descriptor];
    switch (command) {
    case F_DUPFD: return duplicate(file, argument, false);
    case F_DUPFD_CLOEXEC: return duplicate(file, argument, true);
    case F_GETFD: return *mark;
    case F_SETFD: *mark = argument & FD_CLOEXEC; return 0;
    case F_GETFL: return file->flags & ~(uint32_t)O_CLOEXEC;
    }
    if (file->flags & O_PATH) return -EBADF;
    switch (command) {
    case F_SETFL: file->flags = (file->flags & ~(uint32_t)CHANGEABLE) | (argument & CHANGEABLE); return 0;
    case F_SETOWN: return file_set_owner(file, (int)argument);
    case F_GETOWN: return file_owner_number(file);
    case F_SETOWN_EX: return set_owner_ex(file, (const void *)argument);
    case F_GETOWN_EX: return get_owner_ex(file, (void *)argument);
    case F_GETLK: case F_SETLK: case F_SETLKW: case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
        return record_lock(file, command, argument);
    case F_GETLEASE: return F_UNLCK; /* there never is one */
    }
    return file->ops->fcntl ? file->ops->fcntl(file, command, argument) : -EINVAL;
}
