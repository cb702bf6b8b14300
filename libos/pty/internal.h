/* Private to pty. */
#ifndef HULL_PTY_INTERNAL_H
#define HULL_PTY_INTERNAL_H
#include "abi/linux_file.h"
#include "input/line.h"
#include "job-control/job_control.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"
#include "wait/wait.h"

#define PTY_MOST 256
#define PTY_ROOM 4096 /* bytes from the slave that the master has not read */
struct pty {
    struct line line;                /* what the master typed, for the slave */
    struct terminal_control control;
    struct linux_winsize size;
    struct wait_queue changes;       /* of anything: readers, writers and pollers of both sides */
    struct inode *inode;             /* its name in devpts */
    uint32_t head, tail;             /* of output; free-running */
    uint32_t slaves;                 /* open files */
    unsigned number;
    bool master, locked, opened;     /* opened: a slave was, so that none means a hang-up */
    bool packets;                    /* TIOCPKT */
    void (*watch)(void *);           /* told of each change; NULL: nobody */
    void *watcher;
    uint8_t events;                  /* TIOCPKT_* that the master was not told */
    uint8_t output[PTY_ROOM];
};
struct pty *pty_find(unsigned number); /* NULL: none, or its master is closed */
unsigned pty_next(unsigned number);    /* the least one in use that is >= number, or PTY_MOST */
int pty_open_slave(struct pty *, uint32_t flags, struct file **out);
long pty_ioctl(struct pty *, bool master, unsigned long request, unsigned long argument);
void pty_changed(struct pty *);
/* devpts. */
struct inode *devpts_inode(unsigned number); /* NULL: out of memory */
void devpts_forget(struct inode *);          /* the terminal is gone */
enum { PACKET_FLUSH_READ = 1, PACKET_FLUSH_WRITE = 2, PACKET_NO_STOP = 16, PACKET_DO_STOP = 32 };
#endif
