/*
 * The terminal (HULL_FLAG_TTY). Owns one line discipline, its window size and its session, and does what reads, writes
 * and ioctls on it ask. Keys arrive as a bottom half; credits cover the line buffer's room.
 */
#include "input/input.h"
#include "input/internal.h"
#include "input/line.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "console/console.h"
#include "init/init.h"
#include "job-control/job_control.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

/* Absent where the signal component is. */
extern __typeof(process_signal_group) process_signal_group __attribute__((weak));

static struct line line;
static struct linux_winsize size_now;
static struct terminal_control control;

static void echo(struct line *unused, const char *bytes, size_t size) {
    (void)unused;
    channel_write(HULL_RECORD_STDOUT, bytes, size);
}

/* To the foreground group. */
static void raise_signal(struct line *unused, int number) {
    (void)unused;
    if (process_signal_group && control.foreground) process_signal_group(control.foreground, &(struct signal_info){ .number = number, .code = SI_KERNEL });
}

void terminal_start(void) {
    line_init(&line);
    line.echo = echo;
    line.signal = raise_signal;
    control.session = first_process.session;
    control.foreground = first_process.group;
    first_process.terminal = &control;
    size_t size;
    const uint16_t *known = boot_module_find(HULL_MODULE_WINSIZE, &size);
    if (known && size >= 4) {
        size_now.rows = known[0];
        size_now.columns = known[1];
    }
    input_grant(line_room(&line)); /* at once: an interrupt key must come through while nobody reads */
}

void terminal_receive(const uint8_t *bytes, size_t size) {
    line_receive(&line, bytes, size);
    /* Nobody reads and the buffer is full of typing: keys still get credit, so that the interrupt key works; data is dropped, as on Linux. */
    uint32_t room = line_room(&line);
    input_grant(room < 256 ? 256 : room);
}

static void resize(const void *payload, size_t size) {
    uint16_t both[2];
    if (size < sizeof both) return;
    memcpy(both, payload, sizeof both);
    if (both[0] == size_now.rows && both[1] == size_now.columns) return;
    size_now.rows = both[0];
    size_now.columns = both[1];
    raise_signal(&line, SIGWINCH);
}
HULL_CHANNEL_HANDLER(2, input_resize) = { HULL_RECORD_RESIZE, resize };

static bool ended(const struct line *unused) {
    (void)unused;
    return input_ended;
}

long terminal_read_lines(struct file *file, const struct iovec *vector, int count) {
    long stopped = job_control_check(&control, SIGTTIN);
    if (stopped) return stopped;
    long done = line_wait_and_read(&line, &input_queue, ended, file, vector, count);
    if (done >= 0) input_grant(line_room(&line));
    return done;
}

unsigned terminal_poll_lines(void) {
    return (line_readable(&line) || input_ended ? POLLIN | POLLRDNORM : 0) | (input_ended ? POLLHUP : 0);
}

long terminal_write(unsigned descriptor, const void *program, size_t size) {
    uint8_t in[256], out[512];
    size_t done = 0;
    long stopped = line.termios.lflag & TOSTOP ? job_control_check(&control, SIGTTOU) : 0;
    if (stopped) return stopped;
    if (!(line.termios.oflag & OPOST)) return console_send(descriptor, program, size);
    while (done < size) {
        size_t piece = size - done < sizeof in ? size - done : sizeof in;
        if (user_copy_in(in, (const uint8_t *)program + done, piece)) return done ? (long)done : -EFAULT;
        channel_write(descriptor == 2 ? HULL_RECORD_STDERR : HULL_RECORD_STDOUT, out, line_output(&line, in, piece, out));
        done += piece;
    }
    return (long)done;
}

static long put(unsigned long argument, const void *from, size_t size) {
    return user_copy_out((void *)argument, from, size);
}

static long set_modes(unsigned long argument, bool flush) {
    struct linux_termios next;
    long stopped = job_control_check(&control, SIGTTOU);
    if (stopped) return stopped;
    if (user_copy_in(&next, (const void *)argument, sizeof next)) return -EFAULT;
    if (flush) line_flush(&line);
    line.termios = next;
    wait_queue_wake(&input_queue, -1); /* what is readable may have changed */
    return 0;
}

/* Without a terminal, stdin is a pipe: it knows FIONREAD and nothing else. */
static long stream_ioctl(unsigned long request, unsigned long argument) {
    int available = (int)input_stream_available();
    return request == FIONREAD ? put(argument, &available, sizeof available) : -ENOTTY;
}

long terminal_ioctl(unsigned long request, unsigned long argument) {
    if (!console_is_terminal()) return stream_ioctl(request, argument);
    int number;
    switch (request) {
    case TCGETS: return put(argument, &line.termios, sizeof line.termios);
    case TCSETS: case TCSETSW: return set_modes(argument, false);
    case TCSETSF: return set_modes(argument, true);
    case TIOCGWINSZ: return put(argument, &size_now, sizeof size_now);
    case TIOCSWINSZ: return user_copy_in(&size_now, (const void *)argument, sizeof size_now);
    case FIONREAD:
        number = (int)line_available(&line);
        if (number < 0) number = 0;
        return put(argument, &number, sizeof number);
    case TIOCOUTQ: number = 0; return put(argument, &number, sizeof number);
    case TCFLSH: case TCSBRK: case TCSBRKP: case TCXONC: {
        long stopped = job_control_check(&control, SIGTTOU);
        if (!stopped && request == TCFLSH && argument != 1) line_flush(&line);
        return stopped;
    }
    }
    return job_control_ioctl(&control, request, argument);
}
