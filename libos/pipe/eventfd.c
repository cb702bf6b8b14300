/* eventfd(2): a 64-bit counter as a file. */
#include "abi/linux_file.h"
#include "file/file.h"
#include "memory/memory.h"
#include "pipe/eventfd.h"
#include "syscall/syscall.h"

#define EFD_SEMAPHORE 1
#define COUNTER_MOST 0xfffffffffffffffeull
struct event { struct wait_queue queue; uint64_t counter; bool semaphore; };
struct demand { struct event *event; uint64_t add; };

static bool can_read(void *argument) {
    return ((struct event *)argument)->counter != 0;
}

static bool can_write(void *argument) {
    struct demand *demand = argument;
    return COUNTER_MOST - demand->event->counter >= demand->add;
}

static long event_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    struct event *event = file->data;
    if (count < 1 || vector[0].length < sizeof(uint64_t)) return -EINVAL;
    if (!can_read(event)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&event->queue, can_read, event, 0, true);
        if (error) return error;
    }
    uint64_t value = event->semaphore ? 1 : event->counter;
    event->counter -= value; /* before the copy, which may sleep: another reader must not take it, too */
    wait_queue_wake(&event->queue, -1);
    return user_copy_out(vector[0].base, &value, sizeof value) ? -EFAULT : (long)sizeof value;
}

static long event_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    struct demand demand = { file->data, 0 };
    if (count < 1 || vector[0].length < sizeof(uint64_t)) return -EINVAL;
    if (user_copy_in(&demand.add, vector[0].base, sizeof demand.add)) return -EFAULT;
    if (demand.add > COUNTER_MOST) return -EINVAL;
    if (!can_write(&demand)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&demand.event->queue, can_write, &demand, 0, true);
        if (error) return error;
    }
    demand.event->counter += demand.add;
    wait_queue_wake(&demand.event->queue, -1);
    return sizeof demand.add;
}

static unsigned event_poll(struct file *file, struct poll_wait *wait) {
    struct event *event = file->data;
    poll_wait_add(wait, &event->queue);
    return (event->counter ? POLLIN | POLLRDNORM : 0) | (event->counter < COUNTER_MOST ? POLLOUT | POLLWRNORM : 0);
}

static int event_stat(struct file *file, struct linux_stat *out) {
    (void)file;
    out->mode = 0600;
    out->dev = 14;
    out->ino = 1;
    return 0;
}

static void event_close(struct file *file) {
    kfree(file->data);
}

static const struct file_ops event_ops = {
    .kind = "[eventfd]", .read = event_read, .write = event_write, .stat = event_stat, .poll = event_poll, .close = event_close,
};

bool eventfd_is(const struct file *file) { return file->ops == &event_ops; }

void eventfd_signal(struct file *file) {
    struct event *event = file->data;
    if (event->counter <= COUNTER_MOST) event->counter++;
    wait_queue_wake(&event->queue, -1);
}

SYSCALL_DEFINE(eventfd2, unsigned initial, int flags) {
    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
    struct event *event = kzalloc(sizeof *event);
    if (!event) return -ENOMEM;
    event->counter = initial;
    event->semaphore = flags & EFD_SEMAPHORE;
    struct file *file = file_create(&event_ops, O_RDWR | (flags & O_NONBLOCK), event);
    if (!file) {
        kfree(event);
        return -ENOMEM;
    }
    int descriptor = file_install(file, 0, flags & O_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(eventfd, unsigned initial) {
    return sys_eventfd2(initial, 0);
}
