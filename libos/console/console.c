/*
 * The standard streams, outward. Owns console_files. A write becomes records on the channel and is with the VMM when the call returns.
 * Output processing (newline to carriage return, newline) belongs to the terminal in `input`: before HULL_RECORD_READY the
 * host leaves its own terminal in cooked mode, which does the same.
 */
#include "console/console.h"
#include "abi/boot_abi.h"
#include "abi/linux_file.h"
#include "channel/channel.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/syscall.h"

bool console_is_terminal(void) {
    return boot_flags() & HULL_FLAG_TTY;
}

long console_send(unsigned descriptor, const void *program, size_t size) {
    static uint8_t byte;
    size_t done = 0;
    while (done < size) {
        /* Page by page, each brought in first: the transport reads straight from the program's memory. */
        const uint8_t *at = (const uint8_t *)program + done;
        size_t piece = PAGE_SIZE - (uintptr_t)at % PAGE_SIZE;
        if (piece > size - done) piece = size - done;
        if (user_copy_in(&byte, at, 1)) return done ? (long)done : -EFAULT;
        channel_write(descriptor == 2 ? HULL_RECORD_STDERR : HULL_RECORD_STDOUT, at, piece);
        done += piece;
    }
    return (long)done;
}

static long console_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    unsigned descriptor = (unsigned)(uintptr_t)file->data;
    bool terminal = console_is_terminal();
    if (!terminal && descriptor == 0) return -EBADF;
    long done = 0;
    for (int i = 0; i < count; i++) {
        if (!vector[i].length) continue;
        long result = terminal && terminal_write ? terminal_write(descriptor, vector[i].base, vector[i].length)
                                                 : console_send(descriptor, vector[i].base, vector[i].length);
        if (result < 0) return done ? done : result;
        done += result;
        if ((size_t)result < vector[i].length) break;
    }
    return done;
}

static long console_ioctl(struct file *file, unsigned long request, unsigned long argument) {
    (void)file;
    if (terminal_ioctl) return terminal_ioctl(request, argument);
    if (!console_is_terminal() || request != TIOCGWINSZ) return -ENOTTY;
    struct linux_winsize size = { 0 };
    size_t length;
    const uint16_t *known = boot_module_find(HULL_MODULE_WINSIZE, &length);
    if (known && length >= 4) {
        size.rows = known[0];
        size.columns = known[1];
    }
    return user_copy_out((void *)argument, &size, sizeof size);
}

const struct file_ops console_ops = {
    .kind = "console",
    .read = terminal_read,
    .write = console_write,
    .ioctl = console_ioctl,
    .stat = terminal_stat,
    .poll = terminal_poll,
};

/* All O_RDWR: which way a stream goes without a terminal, the operations themselves know. Filled at start, which takes fewer bytes of an image than initialised data. */
struct file console_files[3];

static void console_start(void) {
    for (unsigned descriptor = 0; descriptor < 3; descriptor++) {
        struct file *file = &console_files[descriptor];
        file->ops = &console_ops;
        file->references = 1;
        file->flags = O_RDWR;
        file->data = (void *)(uintptr_t)descriptor;
    }
}
HULL_INIT(1, console_start);
