/* pidfd_open and its kind: a descriptor that names a process for as long as it is open, and can be polled for its end. */
#include "abi/linux_file.h"
#include "file/file.h"
#include "process/process.h"
#include "syscall/syscall.h"

static unsigned pidfd_poll(struct file *file, struct poll_wait *wait) {
    struct family *family = file->data;
    poll_wait_add(wait, &family->end);
    return family->ended ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_close(struct file *file) { process_put(file->data); }

static const struct file_ops ops = {.kind = "[pidfd]", .poll = pidfd_poll, .close = pidfd_close};

int pidfd_create(struct process *process) {
    struct file *file = file_create(&ops, O_RDWR, process->family);
    if (!file) return -ENOMEM;
    process->family->references++;
    int descriptor = file_install(file, 0, true);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

struct process *pidfd_process(int descriptor) {
    struct file *file = file_lookup(descriptor);
    return file && file->ops == &ops ? ((struct family *)file->data)->process : NULL;
}

SYSCALL_DEFINE(pidfd_open, int pid, unsigned flags) {
    if (flags & ~(unsigned)O_NONBLOCK || pid <= 0) return -EINVAL;
    struct process *process = process_find(pid);
    return process ? pidfd_create(process) : thread_find(pid) ? -EINVAL : -ESRCH;
}

/* By `procfs`: a directory /proc/PID stands for its process, too (pidfd_send_signal(2)). */
int proc_directory_process(struct file *file, struct process **out) __attribute__((weak));

SYSCALL_DEFINE(pidfd_send_signal, int descriptor, int number, const struct signal_info *program, unsigned flags) {
    struct process *process = pidfd_process(descriptor);
    struct signal_info info = {.number = number, .code = SI_USER};
    if (flags) return -EINVAL;
    if (!process) {
        struct file *file = file_lookup(descriptor);
        int error = file && proc_directory_process ? proc_directory_process(file, &process) : -EBADF;
        if (error) return error;
    }
    info.pid = current_process()->pid;
    info.uid = current_process()->credentials.uid;
    if (program && user_copy_in(&info, program, sizeof info)) return -EFAULT;
    if (number < 0 || number > SIGNAL_COUNT || info.number != number) return -EINVAL;
    if (process->family->ended && process_find(process->pid) != process) return -ESRCH;
    return number && !process->family->ended ? signal_send(process, &info) : 0;
}
