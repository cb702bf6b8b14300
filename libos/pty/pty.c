/*
 * Pseudoterminals (pty(7), ioctl_tty(2)). Owns their table. The master's writes are keys for the line discipline that the console has, too (input/line.h); what the slave
 * writes goes through output processing into a ring that the master reads. A pty lives while a file of either side is open; its number is free again then.
 */
#include "pty/internal.h"

#pragma weak process_signal_group
static struct pty *ptys[PTY_MOST];

struct pty *pty_find(unsigned number) {
    struct pty *pty = number < PTY_MOST ? ptys[number] : NULL;
    return pty && pty->master ? pty : NULL;
}

unsigned pty_next(unsigned number) {
    while (number < PTY_MOST && !pty_find(number)) number++;
    return number;
}

void pty_changed(struct pty *pty) {
    wait_queue_wake(&pty->changes, -1);
    if (pty->watch) pty->watch(pty->watcher);
}

static uint32_t output_room(const struct pty *pty) { return PTY_ROOM - (pty->tail - pty->head); }

static void put_output(struct pty *pty, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size && output_room(pty); i++) pty->output[pty->tail++ % PTY_ROOM] = bytes[i];
}

static void echo(struct line *line, const char *bytes, size_t size) {
    put_output((struct pty *)line, (const uint8_t *)bytes, size); /* the line is its first member; what does not fit is lost, as typing ahead is */
}

static void raise_signal(struct line *line, int number) {
    struct pty *pty = (struct pty *)line;
    if (process_signal_group && pty->control.foreground) process_signal_group(pty->control.foreground, &(struct signal_info){ .number = number, .code = SI_KERNEL });
    if (number != LINE_SIGTSTP && pty->packets) pty->events |= PACKET_FLUSH_READ | PACKET_FLUSH_WRITE;
}

static bool hung_up(const struct line *line) { return !((const struct pty *)line)->master; }

static void let_go(struct pty *pty) {
    if (pty->master || pty->slaves) return;
    ptys[pty->number] = NULL;
    kfree(pty);
}

/* The slave. */
static long slave_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct pty *pty = file->data;
    (void)position;
    long stopped = job_control_check(&pty->control, SIGTTIN);
    if (stopped) return stopped;
    if (!pty->master) return 0;
    long done = line_wait_and_read(&pty->line, &pty->changes, hung_up, file, vector, count);
    if (done > 0) pty_changed(pty); /* the master may have waited for room */
    return done;
}

static bool has_room(void *argument) {
    const struct pty *pty = argument;
    return output_room(pty) >= 2 || !pty->master;
}

static long slave_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct pty *pty = file->data;
    long done = 0, stopped = pty->line.termios.lflag & TOSTOP ? job_control_check(&pty->control, SIGTTOU) : 0;
    (void)position;
    if (stopped) return stopped;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < vector[i].length;) {
            uint8_t in[256], out[512];
            size_t piece = vector[i].length - at < sizeof in ? vector[i].length - at : sizeof in;
            if (user_copy_in(in, (const uint8_t *)vector[i].base + at, piece)) return done ? done : -EFAULT; /* may sleep: room is looked for behind it */
            if (!has_room(pty)) {
                if (file->flags & O_NONBLOCK) return done ? done : -EAGAIN;
                pty_changed(pty);
                int error = wait_until(&pty->changes, has_room, pty, 0, true);
                if (error) return done ? done : error;
            }
            if (!pty->master) return done ? done : -EIO;
            if (piece > output_room(pty) / 2) piece = output_room(pty) / 2;
            put_output(pty, out, line_output(&pty->line, in, piece, out));
            at += piece;
            done += (long)piece;
        }
    pty_changed(pty);
    return done;
}

static unsigned slave_poll(struct file *file, struct poll_wait *wait) {
    struct pty *pty = file->data;
    poll_wait_add(wait, &pty->changes);
    if (!pty->master) return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    return (line_readable(&pty->line) ? POLLIN | POLLRDNORM : 0) | (output_room(pty) >= 2 ? POLLOUT | POLLWRNORM : 0);
}

static long slave_ioctl(struct file *file, unsigned long request, unsigned long argument) { return pty_ioctl(file->data, false, request, argument); }

static int slave_stat(struct file *file, struct linux_stat *out) {
    struct pty *pty = file->data;
    if (!vfs_stat_of(file, out)) return 0;
    out->mode = S_IFCHR | 0620;
    out->rdev = DEVICE_NUMBER(136, pty->number);
    out->ino = pty->number + 3;
    return 0;
}

static void slave_close(struct file *file) {
    struct pty *pty = file->data;
    pty->slaves--;
    pty_changed(pty);
    let_go(pty);
}

static const struct file_ops slave_ops = {
    .kind = "pts", .read = slave_read, .write = slave_write, .ioctl = slave_ioctl, .poll = slave_poll, .stat = slave_stat, .close = slave_close };

int pty_open_slave(struct pty *pty, uint32_t flags, struct file **out) {
    if (pty->locked || !pty->master) return -EIO;
    if (!(*out = file_create(&slave_ops, flags & ~(uint32_t)O_NOCTTY, pty))) return -ENOMEM;
    pty->slaves++;
    pty->opened = true;
    if (!(flags & O_NOCTTY) && !pty->control.session) job_control_ioctl(&pty->control, TIOCSCTTY, 0); /* a session's leader without terminal */
    pty_changed(pty);
    return 0;
}

int pty_open_controlling(struct terminal_control *, uint32_t flags, struct file **out);
int pty_open_controlling(struct terminal_control *control, uint32_t flags, struct file **out) {
    for (unsigned i = 0; i < PTY_MOST; i++)
        if (ptys[i] && &ptys[i]->control == control) return pty_open_slave(ptys[i], flags | O_NOCTTY, out);
    return -ENXIO;
}

/* For /proc/PID/stat: the number of the device, and the foreground group. */
unsigned pty_number_of(const struct terminal_control *);
unsigned pty_number_of(const struct terminal_control *control) {
    for (unsigned i = 0; i < PTY_MOST; i++)
        if (ptys[i] && &ptys[i]->control == control) return 136u << 8 | i;
    return 0;
}

/* The master. */
static bool master_ready(void *argument) {
    const struct pty *pty = argument;
    return pty->head != pty->tail || (pty->packets && pty->events) || (pty->opened && !pty->slaves);
}

static long master_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct pty *pty = file->data;
    uint8_t none = 0;
    long done = 0;
    (void)position;
    if (!master_ready(pty)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&pty->changes, master_ready, pty, 0, true);
        if (error) return error;
    }
    bool first = pty->packets;
    if (first && pty->events) { /* a packet of control information alone */
        if (!count || !vector[0].length || user_copy_out(vector[0].base, &pty->events, 1)) return -EFAULT;
        pty->events = 0;
        return 1;
    }
    if (pty->head == pty->tail) return -EIO; /* the last slave has gone */
    for (int i = 0; i < count && pty->head != pty->tail; i++) {
        uint8_t *to = vector[i].base;
        size_t left = vector[i].length;
        if (first && left) {
            if (user_copy_out(to++, &none, 1)) return -EFAULT;
            left--;
            done++;
            first = false;
        }
        while (left && pty->head != pty->tail) {
            uint32_t head = pty->head, at = head % PTY_ROOM, piece = PTY_ROOM - at;
            if (piece > pty->tail - head) piece = pty->tail - head;
            if (piece > left) piece = (uint32_t)left;
            if (user_copy_out(to, pty->output + at, piece)) return done ? done : -EFAULT;
            if (pty->head != head) continue; /* the copy slept, and another reader has these bytes */
            pty->head += piece;
            to += piece;
            left -= piece;
            done += piece;
        }
    }
    pty_changed(pty);
    return done;
}

/* Keys are taken while they fit. A line that is too long and without an end is never readable: then they are dropped, as on Linux. */
static bool takes_keys(void *argument) {
    const struct pty *pty = argument;
    return line_room(&pty->line) > 1 || !line_readable(&pty->line);
}

static long master_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct pty *pty = file->data;
    long done = 0;
    (void)position;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < vector[i].length;) {
            uint8_t bytes[256];
            size_t piece = vector[i].length - at < sizeof bytes ? vector[i].length - at : sizeof bytes;
            if (user_copy_in(bytes, (const uint8_t *)vector[i].base + at, piece)) return done ? done : -EFAULT; /* may sleep */
            if (!takes_keys(pty)) {
                if (file->flags & O_NONBLOCK) return done ? done : -EAGAIN;
                int error = wait_until(&pty->changes, takes_keys, pty, 0, true);
                if (error) return done ? done : error;
            }
            size_t room = line_room(&pty->line);
            if (room > 1 && piece > room - 1) piece = room - 1;
            line_receive(&pty->line, bytes, piece);
            at += piece;
            done += (long)piece;
            pty_changed(pty);
        }
    return done;
}

static unsigned master_poll(struct file *file, struct poll_wait *wait) {
    struct pty *pty = file->data;
    poll_wait_add(wait, &pty->changes);
    unsigned events = takes_keys(pty) ? POLLOUT | POLLWRNORM : 0;
    if (pty->head != pty->tail) events |= POLLIN | POLLRDNORM;
    if (pty->packets && pty->events) events |= POLLPRI | POLLIN | POLLRDNORM;
    if (pty->opened && !pty->slaves) events |= POLLHUP;
    return events;
}

static long master_ioctl(struct file *file, unsigned long request, unsigned long argument) { return pty_ioctl(file->data, true, request, argument); }

static int master_stat(struct file *file, struct linux_stat *out) {
    if (!vfs_stat_of(file, out)) return 0;
    out->mode = S_IFCHR | 0666;
    out->rdev = DEVICE_NUMBER(5, 2);
    return 0;
}

static void master_close(struct file *file) {
    struct pty *pty = file->data;
    pty->master = false;
    devpts_forget(pty->inode);
    job_control_hang_up(&pty->control);
    pty_changed(pty);
    let_go(pty);
}

static const struct file_ops master_ops = {
    .kind = "ptmx", .read = master_read, .write = master_write, .ioctl = master_ioctl, .poll = master_poll, .stat = master_stat, .close = master_close };

static int open_master(struct inode *inode, uint32_t flags, struct file **out) {
    unsigned number = 0;
    (void)inode;
    while (number < PTY_MOST && ptys[number]) number++;
    if (number == PTY_MOST) return -ENOSPC;
    struct pty *pty = kzalloc(sizeof *pty);
    *out = pty ? file_create(&master_ops, flags & ~(uint32_t)O_NOCTTY, pty) : NULL;
    if (!*out || !(pty->inode = devpts_inode(number))) {
        if (pty && *out) {
            (*out)->ops = &slave_ops; /* nothing of a master to undo */
            pty->slaves = 1;
            pty->number = number;
            file_put(*out);
        } else {
            kfree(pty);
        }
        return -ENOMEM;
    }
    line_init(&pty->line);
    pty->line.termios.iflag = ICRNL | IXON;
    pty->line.echo = echo;
    pty->line.signal = raise_signal;
    pty->number = number;
    pty->master = pty->locked = true;
    ptys[number] = pty;
    return 0;
}
HULL_DEVICE(pty_master) = { .name = "ptmx", .mode = S_IFCHR | 0666, .major = 5, .minor = 2, .open = open_master };

static int open_by_number(struct inode *inode, uint32_t flags, struct file **out) {
    struct pty *pty = pty_find((unsigned)inode->rdev & 0xff);
    return pty ? pty_open_slave(pty, flags, out) : -EIO;
}
HULL_DEVICE(pty_slave) = { .mode = S_IFCHR | 0620, .major = 136, .minor = 0, .count = PTY_MOST, .open = open_by_number };
