/* The options that set a socket's filter (socket(7)). */
#include "lib/string.h"
#include "memory/memory.h"
#include "socket/socket.h"
#include "socket-filter/socket_filter.h"
#include "syscall/syscall.h"

enum { SO_ATTACH_FILTER = 26, SO_DETACH_FILTER = 27, SO_LOCK_FILTER = 44 };
struct sock_fprog { uint16_t count; struct filter_instruction *program; };

void filter_end(struct socket_filter *filter) {
    kfree(filter->program);
    filter->program = NULL;
    filter->count = 0;
}

static int attach(struct socket_filter *filter, const void *value, uint32_t size) {
    struct sock_fprog wanted;
    if (size != sizeof wanted) return -EINVAL;
    memcpy(&wanted, value, sizeof wanted);
    if (!wanted.count || wanted.count > FILTER_MOST || !wanted.program) return -EINVAL;
    struct filter_instruction *program = kmalloc(wanted.count * sizeof *program);
    if (!program) return -ENOMEM;
    int error = user_copy_in(program, wanted.program, wanted.count * sizeof *program) ? -EFAULT : filter_check(program, wanted.count) ? 0 : -EINVAL;
    if (error) {
        kfree(program);
        return error;
    }
    filter_end(filter);
    filter->program = program;
    filter->count = wanted.count;
    return 0;
}

int filter_set_option(struct socket_filter *filter, int level, int name, const void *value, uint32_t size) {
    int number = 0;
    if (level != SOL_SOCKET || (name != SO_ATTACH_FILTER && name != SO_DETACH_FILTER && name != SO_LOCK_FILTER)) return -ENOPROTOOPT;
    if (size < sizeof number) return -EINVAL;
    memcpy(&number, value, sizeof number);
    if (name == SO_LOCK_FILTER) {
        if (filter->locked && !number) return -EPERM;
        filter->locked = number != 0;
        return 0;
    }
    if (filter->locked) return -EPERM;
    if (name == SO_ATTACH_FILTER) return attach(filter, value, size);
    if (!filter->program) return -ENOENT;
    filter_end(filter);
    return 0;
}
