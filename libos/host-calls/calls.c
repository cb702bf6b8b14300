/*
 * System calls that the host asks for (abi/boot_abi.h, struct hull_call). Owns the thread that makes them, its process (root, no memory, no signals, in no list), what waits, and whose turn it is.
 * Context: calls_take, calls_room and calls_left come from bottom halves; everything else is the thread's.
 */
#include "abi/boot_abi.h"
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "control/control.h"
#include "file/file.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "thread/thread.h"
#include "vfs/vfs.h"
#include "wait/wait.h"

enum { WAITING_MOST = 64, REPLY_HEAD = 16, HOLD_SECONDS = 30 };

struct request { struct request *next; struct control_port *port; size_t size; uint8_t *bytes; }; /* bytes NULL: the host of the port has left */
static struct request *first, **last = &first;
static unsigned waiting;
static struct wait_queue changes;
static struct control_port *host; /* the last one that asked */
static bool host_came, host_left;
static struct process server = {.name = "host-calls"};
static struct file_table server_files;
static struct thread *thread;
static int64_t last_result;

long sys_read(int, void *, size_t);
long sys_write(int, const void *, size_t);
long sys_close(int);
long sys_close_range(unsigned, unsigned, unsigned);
long sys_fchmodat(int, const char *, uint32_t);
long sys_fchownat(int, const char *, uint32_t, uint32_t, int);
long sys_getdents64(int, void *, unsigned);
long sys_linkat(int, const char *, int, const char *, int);
long sys_llistxattr(const char *, char *, size_t);
long sys_lgetxattr(const char *, const char *, void *, size_t);
long sys_lsetxattr(const char *, const char *, const void *, size_t, int);
long sys_mkdirat(int, const char *, uint32_t);
long sys_newfstatat(int, const char *, struct linux_stat *, int);
long sys_openat(int, const char *, int, uint32_t);
long sys_readlinkat(int, const char *, char *, int);
long sys_symlinkat(const char *, int, const char *);
long sys_sync(void);
long sys_unlinkat(int, const char *, int);
long sys_utimensat(int, const char *, const struct linux_timespec *, int);

static long stat_at(int directory, const char *path, struct hull_stat *out, int flags) {
    struct linux_stat s;
    long error = sys_newfstatat(directory, path, &s, flags);
    if (error) return error;
    *out = (struct hull_stat){.dev = s.dev, .ino = s.ino, .nlink = s.nlink, .mode = s.mode, .uid = s.uid, .gid = s.gid, .rdev = s.rdev, .size = s.size, .blksize = s.blksize, .blocks = s.blocks,
                              .times = {s.atime.seconds, s.atime.nanoseconds, s.mtime.seconds, s.mtime.nanoseconds, s.ctime.seconds, s.ctime.nanoseconds}};
    return 0;
}

static long perform(const struct hull_call *call, const uint64_t *a) {
    int d = (int)a[0];
    switch (call->number) {
    case HULL_CALL_READ: return sys_read(d, (void *)a[1], a[2]);
    case HULL_CALL_WRITE: return sys_write(d, (const void *)a[1], a[2]);
    case HULL_CALL_CLOSE: return sys_close(d);
    case HULL_CALL_SYNC: return sys_sync();
    case HULL_CALL_LSETXATTR: return sys_lsetxattr((const char *)a[0], (const char *)a[1], (const void *)a[2], a[3], (int)a[4]);
    case HULL_CALL_LGETXATTR: return sys_lgetxattr((const char *)a[0], (const char *)a[1], (void *)a[2], a[3]);
    case HULL_CALL_LLISTXATTR: return sys_llistxattr((const char *)a[0], (char *)a[1], a[2]);
    case HULL_CALL_GETDENTS64: return sys_getdents64(d, (void *)a[1], (unsigned)a[2]);
    case HULL_CALL_OPENAT: return sys_openat(d, (const char *)a[1], (int)open_flags_of_host((uint32_t)a[2]), (uint32_t)a[3]);
    case HULL_CALL_MKDIRAT: return sys_mkdirat(d, (const char *)a[1], (uint32_t)a[2]);
    case HULL_CALL_MKNODAT: return vfs_make_node_at(d, (const char *)a[1], (uint32_t)a[2], a[3]);
    case HULL_CALL_FCHOWNAT: return sys_fchownat(d, (const char *)a[1], (uint32_t)a[2], (uint32_t)a[3], (int)a[4]);
    case HULL_CALL_NEWFSTATAT: return stat_at(d, (const char *)a[1], (struct hull_stat *)a[2], (int)a[3]);
    case HULL_CALL_UNLINKAT: return sys_unlinkat(d, (const char *)a[1], (int)a[2]);
    case HULL_CALL_LINKAT: return sys_linkat(d, (const char *)a[1], (int)a[2], (const char *)a[3], (int)a[4]);
    case HULL_CALL_SYMLINKAT: return sys_symlinkat((const char *)a[0], (int)a[1], (const char *)a[2]);
    case HULL_CALL_READLINKAT: return sys_readlinkat(d, (const char *)a[1], (char *)a[2], (int)a[3]);
    case HULL_CALL_FCHMODAT: return sys_fchmodat(d, (const char *)a[1], (uint32_t)a[2]);
    case HULL_CALL_UTIMENSAT: return sys_utimensat(d, (const char *)a[1], (const struct linux_timespec *)a[2], (int)a[3]);
    default: return -ENOSYS;
    }
}

/* Arguments that name data are addresses in the request, or of the reply. NULL: the request is not one. */
static const struct hull_call *resolve(struct request *request, uint8_t *out, uint64_t *arguments) {
    const struct hull_call *call = (const void *)request->bytes;
    if (request->size < sizeof *call || call->out > CONTROL_PIECE - REPLY_HEAD) return NULL;
    for (unsigned i = 0; i < 6; i++) {
        arguments[i] = call->arguments[i];
        if (call->kinds[i] == HULL_CALL_IS_LAST) arguments[i] = (uint64_t)last_result;
        else if (call->kinds[i] == HULL_CALL_IS_OUT) arguments[i] = (uintptr_t)out;
        else if (call->kinds[i] == HULL_CALL_IS_DATA) {
            if (call->arguments[i] > request->size - sizeof *call) return NULL;
            arguments[i] = (uintptr_t)(request->bytes + sizeof *call + call->arguments[i]);
        }
    }
    return call;
}

static bool has_room(void *port) { return control_place(port) != NULL; }
static bool has_request(void *unused) { return (void)unused, first != NULL; }
static bool has_left(void *unused) { return (void)unused, host_left; }
static bool has_come(void *unused) { return (void)unused, host_came || host_left; }

static void serve(struct request *request) {
    static uint8_t reply[CONTROL_PIECE] __attribute__((aligned(16)));
    uint64_t arguments[6];
    if (!request->bytes) {
        sys_close_range(0, ~0u, 0);
        host_left = true;
        wait_queue_wake(&changes, -1);
        return;
    }
    const struct hull_call *call = resolve(request, reply + REPLY_HEAD, arguments);
    int64_t result = call ? perform(call, arguments) : -EINVAL;
    if (call && call->number == HULL_CALL_OPENAT) last_result = result;
    uint32_t head[2] = {call ? call->id : 0, 0};
    memcpy(reply, head, sizeof head);
    memcpy(reply + sizeof head, &result, sizeof result);
    size_t size = REPLY_HEAD + (call && result >= 0 ? call->out : 0);
    wait_until(&changes, has_room, request->port, 0, false);
    control_send(request->port, HULL_RECORD_RETURN, reply, size);
}

static void run(void *argument) {
    struct thread *self = argument;
    sched_resumed();
    self->own_memory = true;
    for (;;) {
        wait_until(&changes, has_request, NULL, 0, false);
        struct request *request = first;
        if (!(first = request->next)) last = &first;
        waiting--;
        serve(request);
        kfree(request->bytes);
        kfree(request);
    }
}

static int start(void) {
    if (thread) return 0;
    if (!server.view) return -ENOMEM;
    server.files = &server_files;
    server_files.references = 1;
    server_files.size = sizeof server_files.first / sizeof *server_files.first;
    int error = thread_create_at(&server, run, &thread);
    if (error) return error;
    server.pid = server.group = server.session = thread->tid;
    thread_start(thread);
    return 0;
}

static bool append(struct control_port *port, uint8_t *bytes, size_t size) {
    struct request *request = waiting < WAITING_MOST && !start() ? kzalloc(sizeof *request) : NULL;
    if (!request) return false;
    request->port = port;
    request->bytes = bytes;
    request->size = size;
    *last = request;
    last = &request->next;
    waiting++;
    wait_queue_wake(&changes, -1);
    return true;
}

bool calls_take(struct control_port *port, uint8_t *bytes, size_t size) {
    host = port;
    host_came = true;
    return bytes && append(port, bytes, size);
}

void calls_room(void) { wait_queue_wake(&changes, -1); }

void calls_left(struct control_port *port) {
    if (port != host) return;
    host = NULL;
    if (!append(port, NULL, 0)) host_left = true; /* what it opened stays open until the machine's end */
    wait_queue_wake(&changes, -1);
}

/* Before the program starts, whose root directory may be another later. */
void calls_hold(void) {
    if (first_process.view && (server.view = mount_view_copy(first_process.view))) server.view->umask = 0;
    if (!(boot_flags() & HULL_FLAG_HOLD)) return;
    wait_until(&changes, has_come, NULL, clock_monotonic_ns() + HOLD_SECONDS * 1000000000ull, false);
    if (host_came) wait_until(&changes, has_left, NULL, 0, false);
    machine_end(0);
}
