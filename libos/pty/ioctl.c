/* What can be asked of either side of a pseudoterminal (ioctl_tty(2)). */
#include "lib/format.h"
#include "pty/internal.h"

#pragma weak process_signal_group

enum { TIOCPKT_ = 0x5420, TIOCGPTN_ = 0x80045430, TIOCSPTLCK_ = 0x40045431, TIOCSIG_ = 0x40045436, TIOCGPKT_ = 0x80045438, TIOCGPTLCK_ = 0x80045439,
       TIOCGPTPEER_ = 0x5441, TIOCGDEV_ = 0x80045432 };

static long give(unsigned long argument, int number) { return user_copy_out((void *)argument, &number, sizeof number); }

static long set_modes(struct pty *pty, unsigned long argument, bool flush) {
    struct linux_termios next, before = pty->line.termios;
    if (user_copy_in(&next, (const void *)argument, sizeof next)) return -EFAULT;
    if (flush) line_flush(&pty->line);
    pty->line.termios = next;
    if (pty->packets && (before.iflag ^ next.iflag) & IXON) { /* does ^S stop? The other side's emulation wants to know */
        pty->events &= (uint8_t)~(PACKET_NO_STOP | PACKET_DO_STOP);
        pty->events |= next.iflag & IXON ? PACKET_DO_STOP : PACKET_NO_STOP;
    }
    pty_changed(pty);
    return 0;
}

static long set_size(struct pty *pty, unsigned long argument) {
    struct linux_winsize next;
    if (user_copy_in(&next, (const void *)argument, sizeof next)) return -EFAULT;
    if (!memcmp(&next, &pty->size, sizeof next)) return 0;
    pty->size = next;
    if (process_signal_group && pty->control.foreground)
        process_signal_group(pty->control.foreground, &(struct signal_info){ .number = SIGWINCH, .code = SI_KERNEL });
    return 0;
}

/* TCFLSH: 0 what was typed, 1 what was written, 2 both. */
static long flush(struct pty *pty, unsigned long which) {
    if (which > 2) return -EINVAL;
    if (which != 1) line_flush(&pty->line);
    if (which != 0) pty->head = pty->tail;
    if (pty->packets) pty->events |= (which != 1 ? PACKET_FLUSH_READ : 0) | (which != 0 ? PACKET_FLUSH_WRITE : 0);
    pty_changed(pty);
    return 0;
}

static long send_signal(struct pty *pty, unsigned long number) {
    if (number < 1 || number > SIGNAL_COUNT) return -EINVAL;
    if (process_signal_group && pty->control.foreground)
        process_signal_group(pty->control.foreground, &(struct signal_info){ .number = (int)number, .code = SI_KERNEL });
    return 0;
}

/* The slave's descriptor, also where no devpts is mounted; by its name where there is one. */
static long open_peer(struct pty *pty, unsigned long flags) {
    struct file *file;
    char path[32];
    format_text(path, sizeof path, "/dev/pts/%u", pty->number);
    int error = vfs_open(path, (uint32_t)flags & ~(uint32_t)O_CLOEXEC, 0, &file);
    if (error == -ENOENT) error = pty_open_slave(pty, (uint32_t)flags & ~(uint32_t)O_CLOEXEC, &file);
    if (error) return error;
    error = file_install(file, 0, (flags & O_CLOEXEC) != 0);
    if (error < 0) file_put(file);
    return error;
}

static long master_only(struct pty *pty, unsigned long request, unsigned long argument) {
    int number = 0;
    switch (request) {
    case TIOCGPTN_: return give(argument, (int)pty->number);
    case TIOCGPTLCK_: return give(argument, pty->locked);
    case TIOCGPKT_: return give(argument, pty->packets);
    case TIOCGPTPEER_: return open_peer(pty, argument);
    case TIOCSIG_: return send_signal(pty, argument);
    case TIOCGPGRP: return give(argument, pty->control.foreground); /* the slave's, for who is not of its session */
    case TIOCGSID: return pty->control.session ? give(argument, pty->control.session) : -ENOTTY;
    case TIOCSPTLCK_: case TIOCPKT_:
        if (user_copy_in(&number, (const void *)argument, sizeof number)) return -EFAULT;
        *(request == TIOCPKT_ ? &pty->packets : &pty->locked) = number != 0;
        if (request == TIOCPKT_) pty->events = 0;
        return 0;
    }
    return -ENOTTY;
}

long pty_ioctl(struct pty *pty, bool master, unsigned long request, unsigned long argument) {
    if (!master && !pty->master) return request == FIONREAD ? give(argument, 0) : -EIO;
    long stopped = 0;
    switch (request) { /* from the background these stop the caller */
    case TCSETS: case TCSETSW: case TCSETSF: case TCFLSH: case TCSBRK: case TCSBRKP: case TCXONC:
        stopped = master ? 0 : job_control_check(&pty->control, SIGTTOU);
        if (stopped) return stopped;
    }
    switch (request) {
    case TCGETS: return user_copy_out((void *)argument, &pty->line.termios, sizeof pty->line.termios);
    case TCSETS: case TCSETSW: return set_modes(pty, argument, false);
    case TCSETSF: return set_modes(pty, argument, true);
    case TIOCGWINSZ: return user_copy_out((void *)argument, &pty->size, sizeof pty->size);
    case TIOCSWINSZ: return set_size(pty, argument);
    case TCFLSH: return flush(pty, argument);
    case TCSBRK: case TCSBRKP: case TCXONC: return 0; /* nothing is on a wire */
    case TIOCOUTQ: return give(argument, master ? 0 : (int)(pty->tail - pty->head));
    case TIOCGDEV_: return give(argument, (int)DEVICE_NUMBER(136, pty->number));
    case FIONREAD: {
        long available = master ? (long)(pty->tail - pty->head) : line_available(&pty->line);
        return give(argument, available < 0 ? 0 : (int)available);
    }
    }
    if (master) {
        long result = master_only(pty, request, argument);
        if (result != -ENOTTY) return result;
    }
    return job_control_ioctl(&pty->control, request, argument);
}
