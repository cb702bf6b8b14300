/*
 * control.h, sessions. Owns the object, its streams without a terminal, and what is said to the host about it and when: STARTED, CREDIT, output, EXIT.
 */
#include "exec-session/internal.h"
#include "lib/string.h"
#include "pty/internal.h"
#include "signal/signal.h"
#include "vm/vm.h"

void process_reap(struct process *process);

const void *session_record(const struct session *s, uint32_t type, size_t *size) {
    uint32_t header[4];
    if (s->module_size < sizeof header) return NULL;
    memcpy(header, s->module, sizeof header);
    if (header[0] != HULL_MODULE_MAGIC) return NULL;
    for (size_t at = sizeof header, left = header[1] >> 16; left && at + 8 <= s->module_size; left--) {
        uint32_t record[2];
        memcpy(record, s->module + at, sizeof record);
        if (record[1] > s->module_size - at - 8) return NULL;
        if (record[0] == type) {
            *size = record[1];
            return s->module + at + 8;
        }
        at += 8 + ((record[1] + 7) & ~7ul);
    }
    return NULL;
}

void session_put(struct session *s) {
    if (--s->references) return;
    kfree(s->module);
    kfree(s->argv);
    kfree(s->environment);
    kfree(s->path);
    kfree(s->input);
    kfree(s);
}

static bool is_reaped(const struct session *s) { return s->ended && !s->process; }

static void leave_port(struct session *s) {
    if (s->port) control_session_over(s->port);
    s->port = NULL;
    wait_queue_wake(&s->changes, -1);
}

/* Says what is next to say; the port calls again when it has room. */
static void tell(struct session *s) {
    if (s->started && !s->told_start) {
        if (!control_send(s->port, HULL_RECORD_STARTED, &s->start_error, sizeof s->start_error)) return;
        s->told_start = true;
    }
    if (!s->told_start) return;
    if (s->credit && control_send(s->port, HULL_RECORD_CREDIT, &s->credit, sizeof s->credit)) s->credit = 0;
    if (s->pty && s->pty->head != s->pty->tail) {
        uint8_t *place = control_place(s->port);
        if (!place) return;
        uint32_t size = s->pty->tail - s->pty->head;
        if (size > CONTROL_PIECE) size = CONTROL_PIECE;
        for (uint32_t i = 0; i < size; i++) place[i] = s->pty->output[(s->pty->head + i) % PTY_ROOM];
        s->pty->head += size;
        control_send_placed(s->port, HULL_RECORD_STDOUT, size);
        wait_queue_wake(&s->pty->changes, -1); /* writers wait for room */
        return;
    }
    if (is_reaped(s) && control_send(s->port, HULL_RECORD_EXIT, &s->wait_status, sizeof s->wait_status)) leave_port(s);
}

void session_push(struct session *s) {
    if (s->port) tell(s);
    if (s->port || s->over) return;
    if (s->pty && s->pty->head != s->pty->tail) { /* there is nobody to tell */
        s->pty->head = s->pty->tail;
        wait_queue_wake(&s->pty->changes, -1);
    }
    if (!is_reaped(s)) return;
    s->over = true;
    if (s->pty) s->pty->watch = NULL;
    s->pty = NULL;
    if (s->master) file_put(s->master);
    s->master = NULL;
    session_put(s);
}

void session_look(struct session *s) {
    wait_queue_wake(&s->changes, -1);
    session_push(s);
}

/* Streams: what the program reads and writes. */
static bool readable(void *argument) {
    const struct session *s = argument;
    return s->head != s->tail || s->input_ended || !s->port;
}

static void grant(struct session *s) {
    uint32_t room = INPUT_ROOM - (s->tail - s->head);
    if (s->input_ended || room < s->promised + INPUT_ROOM / 2) return;
    s->credit += room - s->promised;
    s->promised = room;
    session_push(s);
}

static long stream_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct session *s = file->data;
    long done = 0;
    (void)position;
    if (!s->input && !(s->input = kmalloc(INPUT_ROOM))) return -ENOMEM;
    grant(s);
    if (!readable(s)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&s->changes, readable, s, 0, true);
        if (error) return error;
    }
    for (int i = 0; i < count && s->head != s->tail; i++)
        for (size_t at = 0; at < vector[i].length && s->head != s->tail;) {
            uint32_t head = s->head, from = head % INPUT_ROOM, piece = INPUT_ROOM - from;
            if (piece > s->tail - head) piece = s->tail - head;
            if (piece > vector[i].length - at) piece = (uint32_t)(vector[i].length - at);
            if (user_copy_out((uint8_t *)vector[i].base + at, s->input + from, piece)) return done ? done : -EFAULT;
            if (s->head != head) continue; /* a page of the program was waited for, and another reader has these bytes */
            s->head += piece;
            at += piece;
            done += piece;
        }
    grant(s);
    return done;
}

static bool writable(void *argument) {
    struct session *s = argument;
    return !s->port || (s->told_start && control_place(s->port));
}

/* The copy may wait for a page of the program, and the port's own place may be another's meanwhile: hence a piece that is the caller's. */
static long stream_write(struct file *file, const struct iovec *vector, int count, int64_t position, uint8_t type) {
    struct session *s = file->data;
    long done = 0, error = 0;
    uint8_t *own = kmalloc(CONTROL_PIECE);
    (void)position;
    if (!own) return -ENOMEM;
    for (int i = 0; i < count && !error; i++)
        for (size_t at = 0; at < vector[i].length && !error;) {
            size_t piece = vector[i].length - at < CONTROL_PIECE ? vector[i].length - at : CONTROL_PIECE;
            if (user_copy_in(own, (const uint8_t *)vector[i].base + at, piece)) error = -EFAULT;
            else if (!writable(s)) error = file->flags & O_NONBLOCK ? -EAGAIN : wait_until(&s->changes, writable, s, 0, true);
            if (error) break;
            if (s->port && !control_send(s->port, type, own, piece)) continue;
            at += piece;
            done += (long)piece;
        }
    kfree(own);
    return done ? done : error;
}
static long out_write(struct file *file, const struct iovec *vector, int count, int64_t position) { return stream_write(file, vector, count, position, HULL_RECORD_STDOUT); }
static long error_write(struct file *file, const struct iovec *vector, int count, int64_t position) { return stream_write(file, vector, count, position, HULL_RECORD_STDERR); }

static int stream_stat(struct file *file, struct linux_stat *out) {
    out->mode = S_IFIFO | 0600;
    out->dev = 5;
    out->ino = 16 + (uint64_t)(uintptr_t)file;
    out->blksize = PAGE_SIZE;
    return 0;
}

static unsigned in_poll(struct file *file, struct poll_wait *wait) {
    struct session *s = file->data;
    poll_wait_add(wait, &s->changes);
    if (!s->input && !(s->input = kmalloc(INPUT_ROOM))) return POLLERR;
    grant(s);
    return (s->head != s->tail ? POLLIN | POLLRDNORM : 0) | (s->input_ended || !s->port ? POLLHUP : 0);
}

static unsigned out_poll(struct file *file, struct poll_wait *wait) {
    struct session *s = file->data;
    poll_wait_add(wait, &s->changes);
    return writable(s) ? POLLOUT | POLLWRNORM : 0;
}

static void stream_close(struct file *file) { session_put(file->data); }

static const struct file_ops in_ops = {.kind = "pipe", .read = stream_read, .stat = stream_stat, .poll = in_poll, .close = stream_close};
static const struct file_ops out_ops = {.kind = "pipe", .write = out_write, .stat = stream_stat, .poll = out_poll, .close = stream_close};
static const struct file_ops error_ops = {.kind = "pipe", .write = error_write, .stat = stream_stat, .poll = out_poll, .close = stream_close};

struct file *session_stream(struct session *s, unsigned number) {
    struct file *file = file_create(number == 0 ? &in_ops : number == 1 ? &out_ops : &error_ops, number == 0 ? O_RDONLY : O_WRONLY, s);
    if (file) s->references++;
    return file;
}

/* What the host sends. */
void session_input(struct session *s, const void *bytes, size_t size) {
    if (s->pty) {
        line_receive(&s->pty->line, bytes, size);
        s->credit += (uint32_t)size; /* keys that do not fit are dropped, as on Linux */
        pty_changed(s->pty);
        return;
    }
    s->promised -= size < s->promised ? (uint32_t)size : s->promised;
    if (!s->input) return; /* without credit: nothing is due */
    if (size > INPUT_ROOM - (s->tail - s->head)) size = INPUT_ROOM - (s->tail - s->head);
    for (size_t i = 0; i < size; i++) s->input[s->tail++ % INPUT_ROOM] = ((const uint8_t *)bytes)[i];
    wait_queue_wake(&s->changes, -1);
}

void session_input_end(struct session *s) {
    s->input_ended = true;
    if (s->pty) {
        uint8_t end = s->pty->line.termios.cc[VEOF];
        line_receive(&s->pty->line, &end, 1);
        pty_changed(s->pty);
    }
    wait_queue_wake(&s->changes, -1);
}

void session_signal(struct session *s, int number) {
    if (!s->ended && number > 0 && number <= 64) signal_send(s->process, &(struct signal_info){.number = number, .code = SI_USER});
}

void session_resize(struct session *s, uint16_t rows, uint16_t columns) {
    s->rows = rows;
    s->columns = columns;
    if (!s->pty) return;
    s->pty->size.rows = rows;
    s->pty->size.columns = columns;
    if (s->pty->control.foreground) process_signal_group(s->pty->control.foreground, &(struct signal_info){.number = SIGWINCH, .code = SI_KERNEL});
}

void session_left(struct session *s) {
    session_input_end(s);
    leave_port(s);
    session_push(s);
}

/* The family's end queue: the program runs (it does not borrow a space any more), or the process has ended. */
static void end_changed(struct waiter *waiter) {
    struct session *s = (struct session *)((char *)waiter - offsetof(struct session, end));
    if (!s->started) {
        s->started = true;
        if (current_thread()->process == s->process) current_thread()->own_memory = false; /* the program is no libOS code */
        kfree(s->module);
        s->module = NULL;
        s->module_size = 0;
    }
    if (s->family->ended && !s->ended) {
        s->ended = true;
        s->wait_status = s->family->wait_status;
        deferred_raise(&s->reap); /* who ends is still at it */
    }
    wait_queue_wake(&s->changes, -1);
    if (!s->ended) session_push(s);
}

static void reap(struct deferred *deferred) {
    struct session *s = (struct session *)((char *)deferred - offsetof(struct session, reap));
    wait_queue_remove(&s->family->end, &s->end);
    process_reap(s->process);
    s->process = NULL;
    s->family = NULL;
    session_push(s);
}

static void drop_process(struct process *p) {
    if (p->space) vm_space_put(p->space);
    if (p->files) file_table_put(p->files);
    if (p->view) mount_view_put(p->view);
    kfree(p->signals);
    kfree(p->family);
    kfree(p);
}

/* With nothing of the first process but its root directory. */
static struct process *make_process(void) {
    struct process *p = kzalloc(sizeof *p);
    if (!p) return NULL;
    memcpy(p->name, "exec", 5);
    if (!(p->family = kzalloc(sizeof *p->family)) || !(p->signals = signal_state_create()) || !(p->files = kzalloc(sizeof *p->files)) ||
        !(p->space = vm_space_create()) || (first_process.view && !(p->view = mount_view_copy(first_process.view)))) {
        drop_process(p);
        return NULL;
    }
    p->files->references = 1;
    p->files->size = sizeof p->files->first / sizeof *p->files->first;
    p->family->references = 1;
    p->family->process = p;
    p->family->borrows = true; /* until its program runs */
    return p;
}

struct session *session_start(struct control_port *port, const uint8_t *module, size_t size, int *error) {
    struct thread *thread;
    struct session *s = kzalloc(sizeof *s);
    *error = -ENOMEM;
    if (!s) return NULL;
    if ((s->module = kmalloc(size))) memcpy(s->module, module, size);
    s->module_size = s->module ? size : 0;
    s->references = 1;
    s->port = port;
    s->reap.run = reap;
    s->end.wake = end_changed;
    uint32_t flags = 0;
    if (size >= 16) memcpy(&flags, module + 12, sizeof flags);
    s->wants_terminal = flags & HULL_FLAG_TTY;
    s->input_ended = !(flags & HULL_FLAG_STDIN);
    if (!s->module || !(s->process = make_process())) goto failed;
    s->family = s->process->family;
    for (unsigned i = 0; i < 3 && !s->wants_terminal; i++)
        if (!(s->process->files->first[i] = session_stream(s, i))) goto failed;
    if ((*error = thread_create_at(s->process, session_begin, &thread))) goto failed;
    s->process->pid = s->process->group = s->process->session = thread->tid;
    s->process->started_ns = thread->started_ns;
    struct process *last = &first_process;
    while (last->next) last = last->next;
    last->next = s->process;
    wait_queue_add(&s->family->end, &s->end);
    thread->robust_list = (uintptr_t)s; /* until session_begin has read it */
    thread_start(thread);
    *error = 0;
    return s;
failed:
    s->port = NULL;
    s->references++;
    if (s->process) drop_process(s->process); /* its streams let go of the session */
    s->references--;
    session_put(s);
    return NULL;
}
