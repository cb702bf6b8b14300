/*
 * stdin. Owns the byte ring between the channel and readers when there is no terminal, and the credits in both cases: the host sends
 * only what it has credit for, so nothing is ever dropped. The first credit goes out when something first wants to read.
 */
#include "input/input.h"
#include "input/internal.h"
#include "abi/boot_abi.h"
#include "abi/linux_file.h"
#include "channel/channel.h"
#include "console/console.h"
#include "control/control.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"

#define SMALL_WINDOW 4096u
#pragma weak vfs_stat
#pragma weak control_credit
uint32_t input_component = SMALL_WINDOW;
struct wait_queue input_queue;
bool input_ended;

static uint8_t *ring;
static uint32_t window, head, tail; /* free-running */
static uint32_t promised;           /* credit that the host has and has not used */

uint32_t input_stream_available(void) {
    return tail - head;
}

void input_grant(uint32_t room) {
    if (input_ended || room <= promised) return;
    uint32_t more = room - promised;
    if (promised && more < window / 2) return;
    promised += more;
    if (control_credit && control_credit(more)) return;
    channel_write(HULL_RECORD_CREDIT, &more, sizeof more);
}

uint32_t input_promised(void) {
    return promised;
}

/* Someone wants input: the ring comes into being and the host may send. */
static int want(void) {
    if (!ring) {
        uint32_t size = memory_total() < (8u << 20) ? SMALL_WINDOW : input_component;
        ring = kmalloc(size);
        if (!ring) return -ENOMEM;
        window = size;
    }
    input_grant(window - (tail - head));
    return 0;
}

static void receive(const void *payload, size_t size) {
    promised -= size < promised ? (uint32_t)size : promised;
    if (console_is_terminal()) {
        terminal_receive(payload, size);
    } else if (ring) {
        const uint8_t *bytes = payload;
        if (size > window - (tail - head)) size = window - (tail - head); /* beyond its credit: the host broke the contract */
        for (size_t i = 0; i < size; i++) ring[tail++ % window] = bytes[i];
    }
    wait_queue_wake(&input_queue, -1);
}
HULL_CHANNEL_HANDLER(2, input_stdin) = { HULL_RECORD_STDIN, receive };

static void receive_end(const void *payload, size_t size) {
    (void)payload;
    (void)size;
    input_ended = true;
    wait_queue_wake(&input_queue, -1);
}
HULL_CHANNEL_HANDLER(2, input_end) = { HULL_RECORD_STDIN_EOF, receive_end };

static bool readable(void *unused) {
    (void)unused;
    return tail != head || input_ended;
}

/* Without a terminal: bytes as they came. */
static long stream_read(struct file *file, const struct iovec *vector, int count) {
    int error = want();
    if (error) return error;
    if (!readable(NULL)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        error = wait_until(&input_queue, readable, NULL, 0, true);
        if (error) return error;
    }
    long done = 0;
    for (int i = 0; i < count && tail != head; i++) {
        size_t left = vector[i].length;
        uint8_t *to = vector[i].base;
        while (left && tail != head) {
            uint32_t first = head, at = first % window, piece = window - at;
            if (piece > tail - first) piece = tail - first;
            if (piece > left) piece = (uint32_t)left;
            if (user_copy_out(to, ring + at, piece)) return done ? done : -EFAULT;
            if (head != first) continue; /* the copy slept, and another reader has these bytes */
            head += piece;
            to += piece;
            left -= piece;
            done += piece;
        }
    }
    if (tail == head || window - (tail - head) - promised >= window / 2) input_grant(window - (tail - head));
    return done;
}

long terminal_read_lines(struct file *, const struct iovec *, int count);
unsigned terminal_poll_lines(void);

long terminal_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    size_t wanted = 0;
    for (int i = 0; i < count; i++) wanted += vector[i].length;
    bool terminal = console_is_terminal();
    if (!terminal && file->data) return -EBADF;
    if (!wanted) return 0;
    return terminal ? terminal_read_lines(file, vector, count) : stream_read(file, vector, count);
}

unsigned terminal_poll(struct file *file, struct poll_wait *wait) {
    bool terminal = console_is_terminal();
    unsigned events = terminal || file->data ? POLLOUT | POLLWRNORM : 0;
    if (!terminal && file->data) return events;
    poll_wait_add(wait, &input_queue);
    if (terminal) return events | terminal_poll_lines();
    if (want()) return POLLERR;
    return (tail != head ? POLLIN | POLLRDNORM : 0) | (input_ended ? POLLHUP : 0);
}

int terminal_stat(struct file *file, struct linux_stat *out) {
    bool terminal = console_is_terminal();
    if (terminal && vfs_stat && !vfs_stat("/dev/console", out)) return 0; /* so that ttyname(3) finds it */
    out->mode = terminal ? S_IFCHR | 0620 : S_IFIFO | 0600;
    out->rdev = terminal ? DEVICE_NUMBER(136, 0) : 0;
    out->dev = 5;
    out->ino = terminal ? 3 : 4 + (uint64_t)(uintptr_t)file->data;
    out->blksize = terminal ? 1024 : 4096;
    return 0;
}

static void input_start(void) {
    if (!(boot_flags() & HULL_FLAG_STDIN)) input_ended = true;
    if (input_ended && !console_is_terminal()) return; /* nothing will ever come */
    channel_start_input(HULL_FEATURE_INPUT);
    if (console_is_terminal()) terminal_start();
}
HULL_INIT(9, input_start);
