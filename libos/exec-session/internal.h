/* Private to exec-session. */
#ifndef HULL_EXEC_SESSION_INTERNAL_H
#define HULL_EXEC_SESSION_INTERNAL_H
#include "abi/boot_abi.h"
#include "abi/linux_file.h"
#include "control/control.h"
#include "file/file.h"
#include "memory/memory.h"
#include "process/process.h"
#include "syscall/syscall.h"
#include "thread/thread.h"
#include "wait/wait.h"

struct pty;
#define INPUT_ROOM 16384u
struct session {
    uint32_t references;           /* the port's, and each open stream's */
    struct control_port *port;     /* NULL: the host has left it, or knows the end */
    uint8_t *module;               /* freed when the program runs */
    size_t module_size;
    uintptr_t *argv, *environment; /* pointers into it */
    char *path;                    /* what is tried of PATH */
    struct process *process;
    struct family *family;
    struct waiter end;             /* on the family's: exec done, or the end */
    struct deferred reap;
    bool started, told_start, ended, over;
    uint32_t start_error;          /* errno */
    uint32_t wait_status;
    struct wait_queue changes;     /* of streams */
    bool input_ended;
    uint8_t *input;                /* a ring; without a terminal */
    uint32_t head, tail, promised, credit; /* credit: to be said */
    struct file *master;           /* with a terminal */
    struct pty *pty;
    uint16_t rows, columns;
    bool wants_terminal, has_input;
};
const void *session_record(const struct session *, uint32_t type, size_t *size);
void session_begin(void *thread);       /* of its first thread */
struct file *session_stream(struct session *, unsigned number);
void session_put(struct session *);
void session_push(struct session *);    /* sends what waits, if there is room */
#endif
