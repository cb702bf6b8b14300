/* /proc/net/unix, in Linux's format (proc(5)), in the component proc-net. Addresses of kernel objects are 0, as Linux shows them to programs. */
#include "unix-socket/internal.h"
#include "procfs/procfs.h"

#pragma weak unix_all
enum { ACCEPTS = 0x10000, UNCONNECTED = 1, CONNECTED = 3 };

static void show_unix(struct proc_text *out) {
    proc_print(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    for (const struct unix_socket *it = &unix_all ? unix_all : NULL; it; it = it->next) {
        proc_upper(out, "0000000000000000: %08x ", it->references);
        proc_print(out, "00000000 %08x %04x %02x %5lu", it->state == UNIX_LISTENING ? ACCEPTS : 0, (unsigned)it->socket.type, it->state == UNIX_CONNECTED ? CONNECTED : UNCONNECTED,
                   it->socket.file ? (unsigned long)it->socket.serial : 0ul);
        if (it->name && it->name->address.length > sizeof it->name->address.family) {
            const struct address *address = &it->name->address;
            size_t length = address->length - sizeof address->family;
            const char *path = (const char *)address->bytes + sizeof address->family;
            proc_print(out, " ");
            if (!*path) {
                for (size_t i = 0; i < length; i++) proc_print(out, "%c", path[i] ? path[i] : '@');
            } else {
                for (size_t i = 0; i < length && path[i]; i++) proc_print(out, "%c", path[i]);
            }
        }
        proc_print(out, "\n");
    }
}

static const struct proc_file net_files[] = { { .path = "net/unix", .mode = PROC_READ, .show = show_unix } };
HULL_PROC_FILES(PROC_PROCESS, net_files);
