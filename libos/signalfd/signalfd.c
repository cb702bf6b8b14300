/*
 * signalfd(2): a file that takes pending signals of its set, those of who reads. Owns the set. Each signal that comes to wait in any queue wakes
 * signal_arrivals; what is there for the reader is looked at then.
 */
#include "abi/linux_file.h"
#include "file/file.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/syscall.h"

struct signal_file { uint64_t set; };
/* As read(2) gives it: struct signalfd_siginfo. */
struct record {
    uint32_t number;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t descriptor;
    uint32_t timer, band, overrun, trap;
    int32_t status, integer;
    uint64_t pointer, user_time, system_time, address;
    uint16_t address_bits, padding2;
    int32_t call;
    uint64_t call_address;
    uint32_t architecture;
    uint8_t padding[28];
};
_Static_assert(sizeof(struct record) == 128, "struct signalfd_siginfo");

static bool is_pending(void *argument) {
    return (current_thread()->signal_pending | current_process()->signal_pending) & ((struct signal_file *)argument)->set;
}

static struct record record_of(const struct signal_info *info) {
    struct record record = {.number = (uint32_t)info->number, .error = info->error, .code = info->code};
    if (info->code > 0 && info->code != SI_KERNEL) {
        switch (info->number) {
        case SIGSEGV: case SIGBUS: case SIGILL: case SIGFPE: case SIGTRAP: record.address = info->address; return record;
        case SIGCHLD: record.status = (int32_t)info->value; break;
        }
    }
    if (info->code == SI_TIMER) {
        record.timer = (uint32_t)info->pid;
        record.overrun = info->uid;
    } else {
        record.pid = (uint32_t)info->pid;
        record.uid = info->uid;
    }
    if (info->code < 0) {
        record.integer = (int32_t)info->value;
        record.pointer = info->value;
    }
    return record;
}

static long signal_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct signal_file *it = file->data;
    long done = 0;
    (void)position;
    if (count < 1 || vector[0].length < sizeof(struct record)) return -EINVAL;
    if (!is_pending(it)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&signal_arrivals, is_pending, it, 0, true);
        if (error) return error;
    }
    for (size_t room = vector[0].length; room >= sizeof(struct record) && is_pending(it); room -= sizeof(struct record)) {
        struct signal_info info;
        if (!signal_take(it->set, &info)) break;
        struct record record = record_of(&info);
        if (user_copy_out((uint8_t *)vector[0].base + done, &record, sizeof record)) return done ? done : -EFAULT;
        done += (long)sizeof record;
    }
    return done;
}

static unsigned signal_poll(struct file *file, struct poll_wait *wait) {
    poll_wait_add(wait, &signal_arrivals);
    return is_pending(file->data) ? POLLIN | POLLRDNORM : 0;
}

static int signal_stat(struct file *file, struct linux_stat *out) {
    (void)file;
    out->mode = 0600;
    out->dev = 14;
    out->ino = 1;
    return 0;
}

static void signal_close(struct file *file) { kfree(file->data); }

static const struct file_ops ops = {.kind = "[signalfd]", .read = signal_read, .stat = signal_stat, .poll = signal_poll, .close = signal_close};

SYSCALL_DEFINE(signalfd4, int descriptor, const uint64_t *program, size_t size, int flags) {
    uint64_t set;
    if (flags & ~(O_CLOEXEC | O_NONBLOCK) || size != sizeof set) return -EINVAL;
    if (user_copy_in(&set, program, sizeof set)) return -EFAULT;
    set &= ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    if (descriptor != -1) {
        struct file *there = file_lookup(descriptor);
        if (!there) return -EBADF;
        if (there->ops != &ops) return -EINVAL;
        ((struct signal_file *)there->data)->set = set;
        wait_queue_wake(&signal_arrivals, -1);
        return descriptor;
    }
    struct signal_file *it = kzalloc(sizeof *it);
    struct file *file = it ? file_create(&ops, O_RDWR | (flags & O_NONBLOCK), it) : NULL;
    if (!file) {
        kfree(it);
        return -ENOMEM;
    }
    it->set = set;
    descriptor = file_install(file, 0, flags & O_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(signalfd, int descriptor, const uint64_t *set, size_t size) { return sys_signalfd4(descriptor, set, size, 0); }
