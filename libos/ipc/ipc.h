/*
 * What the three kinds of System V IPC share (sysvipc(7)): tables of objects by key and identifier, permissions, the answer's first part.
 * A table owns its slots, the kind its objects: they begin with struct ipc_object. An identifier is a slot's index and a sequence number above
 * it, so that a stale one is known. Context: calls. Lock: the table's (one CPU: nothing; calls are not preempted).
 */
#ifndef HULL_IPC_IPC_H
#define HULL_IPC_IPC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IPC_PRIVATE = 0, IPC_CREAT = 01000, IPC_EXCL = 02000, IPC_NOWAIT = 04000 };
enum { IPC_RMID = 0, IPC_SET = 1, IPC_STAT = 2, IPC_INFO = 3 };
enum { IPC_READ = 0444, IPC_WRITE = 0222 };

struct ipc_object { int key, id; uint32_t uid, gid, cuid, cgid, mode, sequence; };
struct ipc_table { struct ipc_object **slots; uint32_t room, count, most, sequence; int last; };

/* Linux's struct ipc64_perm, which the answers of IPC_STAT begin with. */
struct linux_ipc_perm { int32_t key; uint32_t uid, gid, cuid, cgid, mode; uint16_t sequence, pad[3]; uint64_t unused[2]; };
_Static_assert(sizeof(struct linux_ipc_perm) == 48, "struct ipc64_perm of the x86-64 ABI");

/* What get asks of a kind. create: a fresh object, zeroed but for its own fields; check: does what is there fit the request? 0 or -errno. */
struct ipc_request {
    int (*create)(const struct ipc_request *, struct ipc_object **out);
    int (*check)(const struct ipc_request *, const struct ipc_object *);
    size_t size;
};
long ipc_get(struct ipc_table *, int key, int flags, const struct ipc_request *); /* the identifier or -errno */
int ipc_find(const struct ipc_table *, int id, struct ipc_object **out);          /* 0, -EINVAL: none, or a stale number */
/* By index, for the STAT commands of ipcs. */
int ipc_find_index(const struct ipc_table *, int index, struct ipc_object **out);
long ipc_last_index(const struct ipc_table *); /* the highest one in use; 0 when none is */
void ipc_remove(struct ipc_table *, struct ipc_object *);
/* The next object at or after slot *at, which moves behind it; NULL after the last. */
struct ipc_object *ipc_next(const struct ipc_table *, uint32_t *at);
int ipc_permission(const struct ipc_object *, unsigned wanted); /* 0 or -EACCES */
int ipc_owner(const struct ipc_object *);                       /* may change and remove it: 0 or -EPERM */
void ipc_fill(const struct ipc_object *, struct linux_ipc_perm *out);
void ipc_set(struct ipc_object *, const struct linux_ipc_perm *in); /* IPC_SET: owner, group, permission bits */
unsigned ipc_octal(const struct ipc_object *);                     /* its mode, such that its decimal digits are the octal ones: for /proc/sysvipc */
int64_t ipc_now(void);                                              /* seconds since 1970 */
#endif
