/* read(2) on a terminal, whichever: how long it sleeps (termios(3), "Canonical and noncanonical mode") and what it copies. */
#include "clock/clock.h"
#include "file/file.h"
#include "input/line.h"
#include "syscall/syscall.h"
#include "wait/wait.h"

#define TENTH 100000000ull /* ns, VTIME's unit */

/* Bytes that make a read return: VMIN out of canonical mode. */
struct need { const struct line *line; bool (*ended)(const struct line *); long least; };
static bool satisfied(void *argument) {
    const struct need *need = argument;
    long available = line_available(need->line);
    return available < 0 || available >= need->least || need->ended(need->line);
}

bool line_readable(const struct line *line) {
    long available = line_available(line);
    return available < 0 || available >= 1;
}

static int wait_for(struct line *line, struct wait_queue *queue, bool (*ended)(const struct line *), size_t wanted) {
    bool canonical = line->termios.lflag & ICANON;
    struct need first = { line, ended, 1 }, need = { line, ended, canonical ? 1 : line->termios.cc[VMIN] };
    uint64_t pause = canonical ? 0 : line->termios.cc[VTIME] * TENTH;
    if ((size_t)need.least > wanted) need.least = (long)wanted;
    if (pause && need.least > 0) { /* the clock runs from the first byte on */
        int error = wait_until(queue, satisfied, &first, 0, true);
        if (error) return error;
    }
    if (!need.least && pause) need.least = 1;
    int error = need.least ? wait_until(queue, satisfied, &need, pause ? clock_monotonic_ns() + pause : 0, true) : 0;
    return error == -ETIMEDOUT ? 0 : error;
}

long line_wait_and_read(struct line *line, struct wait_queue *queue, bool (*ended)(const struct line *), const struct file *file, const struct iovec *vector, int count) {
    size_t wanted = 0;
    long done = 0;
    for (int i = 0; i < count; i++) wanted += vector[i].length;
    if (file->flags & O_NONBLOCK) {
        if (!line_readable(line) && !ended(line)) return -EAGAIN;
    } else {
        int error = wait_for(line, queue, ended, wanted);
        if (error) return error;
    }
    for (int i = 0; i < count; i++) {
        uint8_t bytes[256], *to = vector[i].base;
        size_t left = vector[i].length;
        while (left) {
            size_t piece = line_read(line, bytes, left < sizeof bytes ? left : sizeof bytes);
            if (user_copy_out(to, bytes, piece)) return done ? done : -EFAULT;
            done += (long)piece;
            to += piece;
            left -= piece;
            if (piece < sizeof bytes || (line->termios.lflag & ICANON && bytes[piece - 1] == '\n')) return done;
        }
    }
    return done;
}
