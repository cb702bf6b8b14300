/*
 * Linux's asynchronous input and output: io_setup(2), io_submit(2), io_getevents(2) and their kind. What is submitted is done at once, as Linux does it
 * with files that it caches; only the completions wait to be fetched. A context is a file that its owner's memory maps where the context's number
 * points: exec, exit and munmap end it by taking the mapping away, fork does not pass it on. The page there is empty: libaio, which looks for a ring
 * that it knows before it makes a call, makes the call then.
 */
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "file/transfer.h"
#include "memory/memory.h"
#include "pipe/eventfd.h"
#include "procfs/procfs.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vm/vm.h"

/* Absent where their components are. */
#pragma weak eventfd_is
#pragma weak eventfd_signal
#pragma weak sys_fsync
#pragma weak sys_fdatasync
#pragma weak signal_mask_for_call
#pragma weak signal_mask_call_end
#pragma weak proc_show_text
#pragma weak proc_show_number
long sys_fsync(int descriptor);
long sys_fdatasync(int descriptor);

enum { IOCB_PREAD, IOCB_PWRITE, IOCB_FSYNC, IOCB_FDSYNC, IOCB_PREADV = 7, IOCB_PWRITEV };
enum { IOCB_FLAG_RESFD = 1 };
#define MOST_ALL 65536u /* aio-max-nr */
#define MOST_ONE (0x10000000u / sizeof(struct linux_io_event))
#define SIGNAL_MASK_SIZE 8
#define SECOND 1000000000ull

struct linux_iocb {
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t opcode;
    int16_t priority;
    uint32_t descriptor;
    uint64_t buffer, size;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, event_descriptor;
};
struct linux_io_event { uint64_t data, object; int64_t result, result2; };
_Static_assert(sizeof(struct linux_iocb) == 64 && sizeof(struct linux_io_event) == 32, "struct iocb, struct io_event of linux/aio_abi.h");

struct context {
    struct wait_queue queue;
    struct turn turn; /* who fetches: the copy to the program may sleep */
    struct file *page;
    uint32_t most, head, count, running; /* events: those completed, from head on, and those still being done, at most `most` */
    bool ended;
    struct linux_io_event events[];
};
static uint64_t promised; /* events of all contexts: aio-nr */

struct file *shared_memory_create(void); /* by shared-memory */

static void context_close(struct file *file) {
    struct context *context = file->data;
    promised -= context->most;
    file_put(context->page);
    kfree(context);
}

static int context_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    struct context *context = file->data;
    if (index) return -ENXIO;
    return context->page->ops->get_page(context->page, 0, how == FILE_PAGE_AT_HAND ? how : FILE_PAGE_CREATE, physical);
}

static void context_unmapped(struct file *file) {
    struct context *context = file->data;
    context->ended = true;
    wait_queue_wake(&context->queue, -1);
}

static const struct file_ops context_ops = {.kind = "[aio] (deleted)", .close = context_close, .get_page = context_page, .unmapped = context_unmapped};

/* The current process's context of this number; NULL: none. */
static struct file *find(uint64_t number) {
    struct vm_area *area = areas_find(&current_process()->space->areas, number);
    return area && area->start == number && area->file && area->file->ops == &context_ops ? area->file : NULL;
}

static long create(uint32_t most, uint64_t *number) {
    struct address_space *space = current_process()->space;
    uintptr_t place = vm_room(space, PAGE_SIZE);
    struct context *context = place ? kzalloc(sizeof *context + most * sizeof *context->events) : NULL;
    if (!context) return -ENOMEM;
    context->page = shared_memory_create();
    struct file *file = context->page ? file_create(&context_ops, O_RDWR, context) : NULL;
    if (!file) {
        if (context->page) file_put(context->page);
        kfree(context);
        return -ENOMEM;
    }
    promised += context->most = most;
    int error = vm_map(space, place, PAGE_SIZE, PROT_READ | PROT_WRITE, VM_SHARED | VM_DONTFORK, file, 0);
    file_put(file); /* the mapping's from here on */
    *number = place;
    return error;
}

SYSCALL_DEFINE(io_setup, unsigned most, uint64_t *out) {
    uint64_t number;
    if (user_copy_in(&number, out, sizeof number)) return -EFAULT;
    if (number || !most || most > MOST_ONE) return -EINVAL;
    if (most > MOST_ALL - promised) return -EAGAIN;
    long error = create(most, &number);
    if (error) return error;
    if (!user_copy_out(out, &number, sizeof number)) return 0;
    vm_unmap(current_process()->space, number, PAGE_SIZE);
    return -EFAULT;
}

SYSCALL_DEFINE(io_destroy, uint64_t number) { return find(number) ? vm_unmap(current_process()->space, number, PAGE_SIZE) : -EINVAL; }

/* What Linux refuses when a vector is submitted, rather than when it is done. */
static long check_vector(const struct iovec *program, uint64_t count) {
    struct iovec one;
    if (count > FILE_MAX_IOVECS) return -EINVAL;
    for (uint64_t i = 0; i < count; i++) {
        if (user_copy_in(&one, program + i, sizeof one)) return -EFAULT;
        if ((intptr_t)one.length < 0) return -EINVAL;
    }
    return 0;
}

static long transfer(struct file *file, const struct linux_iocb *in, struct linux_io_event *event) {
    bool writes = in->opcode == IOCB_PWRITE || in->opcode == IOCB_PWRITEV, vector = in->opcode >= IOCB_PREADV;
    unsigned refused = writes ? O_RDONLY : O_WRONLY;
    if (in->rw_flags & ~(uint32_t)(writes ? RWF_WRITES : RWF_READS)) return -EOPNOTSUPP;
    if ((file->flags & O_ACCMODE) == refused) return -EBADF;
    if (!(writes ? file->ops->write : file->ops->read) || (file->ops->seek && in->offset < 0)) return -EINVAL;
    if (!vector && (int64_t)in->size < 0) return -EINVAL;
    long error = vector ? check_vector((const struct iovec *)in->buffer, in->size) : 0;
    if (error) return error;
    int64_t at = file->ops->seek ? in->offset : -1; /* what has no places is read and written where it stands */
    file_transfer call = writes ? file_write : file_read;
    event->result = vector ? file_vector_with(file, (const struct iovec *)in->buffer, in->size, at, (int)in->rw_flags, call)
                           : file_single_with(file, (void *)in->buffer, in->size, at, (int)in->rw_flags, call);
    return 0;
}

static long sync_one(const struct linux_iocb *in, struct linux_io_event *event) {
    if (in->buffer || in->offset || in->size || in->rw_flags || !sys_fsync) return -EINVAL;
    long result = (in->opcode == IOCB_FSYNC ? sys_fsync : sys_fdatasync)((int)in->descriptor);
    if (result == -EINVAL) return result; /* nothing that can be written back */
    event->result = result;
    return 0;
}

static long perform(struct file *file, const struct linux_iocb *in, struct linux_io_event *event) {
    switch (in->opcode) {
    case IOCB_PREAD: case IOCB_PWRITE: case IOCB_PREADV: case IOCB_PWRITEV: return transfer(file, in, event);
    case IOCB_FSYNC: case IOCB_FDSYNC: return sync_one(in, event);
    default: return -EINVAL;
    }
}

/* 0: a completion waits. Else it was refused, with nothing done. */
static long submit_one(struct context *context, struct linux_iocb *program) {
    struct linux_iocb in;
    const uint32_t key = 0;
    if (user_copy_in(&in, program, sizeof in)) return -EFAULT;
    if (in.reserved) return -EINVAL;
    if (context->count + context->running >= context->most) return -EAGAIN;
    struct file *file = file_lookup((int)in.descriptor), *told = NULL;
    if (!file) return -EBADF;
    if (in.flags & IOCB_FLAG_RESFD) {
        told = file_lookup((int)in.event_descriptor);
        if (!told) return -EBADF;
        if (!eventfd_is || !eventfd_is(told)) return -EINVAL;
        file_get(told);
    }
    file_get(file);
    context->running++;
    struct linux_io_event event = {.data = in.data, .object = (uint64_t)program};
    long error = user_copy_out(&program->key, &key, sizeof key) ? -EFAULT : perform(file, &in, &event);
    context->running--;
    if (!error) {
        context->events[(context->head + context->count++) % context->most] = event;
        wait_queue_wake(&context->queue, -1);
        if (told) eventfd_signal(told);
    }
    if (told) file_put(told);
    file_put(file);
    return error;
}

SYSCALL_DEFINE(io_submit, uint64_t number, long count, struct linux_iocb **programs) {
    struct file *file = find(number);
    if (!file || count < 0) return -EINVAL;
    struct context *context = file->data;
    if (count > (long)context->most) count = context->most;
    file_get(file);
    long done = 0, error = 0;
    for (struct linux_iocb *program; done < count; done++) {
        error = user_copy_in(&program, programs + done, sizeof program) ? -EFAULT : submit_one(context, program);
        if (error || context->ended) break;
    }
    file_put(file);
    return done ? done : error;
}

/* Nothing that was submitted is still to be done. */
SYSCALL_DEFINE(io_cancel, uint64_t number, struct linux_iocb *program, struct linux_io_event *out) {
    uint32_t key;
    (void)number, (void)out;
    return user_copy_in(&key, &program->key, sizeof key) ? -EFAULT : -EINVAL;
}

/* Gives the program up to `most` completions. Their number, or -EFAULT with nothing taken that it did not get. */
static long fetch(struct context *context, struct linux_io_event *program, long most) {
    long got = 0, error = 0;
    turn_take(&context->turn);
    while (got < most && context->count && !error) {
        error = user_copy_out(program + got, &context->events[context->head], sizeof *program) ? -EFAULT : 0;
        if (error) break;
        context->head = (context->head + 1) % context->most;
        context->count--;
        got++;
    }
    turn_end(&context->turn);
    return got ? got : error;
}

static bool has_events(void *argument) {
    const struct context *context = argument;
    return context->count || context->ended;
}

static long get_events(uint64_t number, long least, long most, struct linux_io_event *program, const struct linux_timespec *timeout) {
    struct linux_timespec time = {0, 0};
    struct file *file = find(number);
    if (timeout && user_copy_in(&time, timeout, sizeof time)) return -EFAULT;
    if (!file || least > most || least < 0) return -EINVAL;
    bool waits = !timeout || time.seconds > 0 || (time.seconds == 0 && time.nanoseconds > 0);
    uint64_t deadline = timeout && waits && time.seconds < 9000000000 ? clock_monotonic_ns() + (uint64_t)time.seconds * SECOND + (uint64_t)time.nanoseconds : 0;
    struct context *context = file->data;
    file_get(file);
    long got = fetch(context, program, most), more = 0;
    while (got >= 0 && got < least && waits) {
        more = context->ended ? -EINVAL : wait_until(&context->queue, has_events, context, deadline, WAIT_BREAKS);
        if (more) break;
        more = fetch(context, program + got, most - got);
        if (more < 0) break;
        got += more;
    }
    file_put(file);
    return got || more == -ETIMEDOUT ? got : more;
}

SYSCALL_DEFINE(io_getevents, uint64_t number, long least, long most, struct linux_io_event *program, const struct linux_timespec *timeout) {
    return get_events(number, least, most, program, timeout);
}

SYSCALL_DEFINE(io_pgetevents, uint64_t number, long least, long most, struct linux_io_event *program, const struct linux_timespec *timeout, const void *packed_mask) {
    struct { const void *mask; size_t size; } packed = {NULL, 0};
    uint64_t mask;
    if (packed_mask && user_copy_in(&packed, packed_mask, sizeof packed)) return -EFAULT;
    if (packed.mask && packed.size != SIGNAL_MASK_SIZE) return -EINVAL;
    if (packed.mask && user_copy_in(&mask, packed.mask, sizeof mask)) return -EFAULT;
    bool masked = packed.mask && signal_mask_for_call;
    if (masked) signal_mask_for_call(mask);
    long result = get_events(number, least, most, program, timeout);
    return masked ? signal_mask_call_end(result) : result;
}

static const struct proc_file setting_files[] = {
    { .path = "sys/fs/aio-nr", .mode = PROC_READ, .show = proc_show_number, .argument = &promised },
    { .path = "sys/fs/aio-max-nr", .mode = PROC_READ, .show = proc_show_text, .argument = "65536\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);
