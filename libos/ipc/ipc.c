/* Tables of System V IPC objects: see ipc.h. */
#include "ipc/ipc.h"
#include "clock/clock.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "task/task.h"

enum { INDEX_BITS = 15, INDEX_MASK = (1 << INDEX_BITS) - 1, SEQUENCE_MASK = 0xffff };

static const struct credentials *who(void) { return &current_process()->credentials; }

int64_t ipc_now(void) { return (int64_t)(clock_realtime_ns() / 1000000000); }

static bool in_group(uint32_t gid) {
    if (gid == who()->egid) return true;
    for (uint32_t i = 0; i < who()->group_count; i++)
        if (who()->groups[i] == gid) return true;
    return false;
}

int ipc_permission(const struct ipc_object *object, unsigned wanted) {
    uint32_t uid = who()->euid, granted = object->mode;
    if (!uid) return 0;
    if (uid == object->uid || uid == object->cuid) granted >>= 6;
    else if (in_group(object->gid) || in_group(object->cgid)) granted >>= 3;
    wanted = wanted >> 6 | wanted >> 3 | wanted;
    return wanted & ~granted & 7 ? -EACCES : 0;
}

int ipc_owner(const struct ipc_object *object) {
    uint32_t uid = who()->euid;
    return !uid || uid == object->uid || uid == object->cuid ? 0 : -EPERM;
}

/* Makes room for one more: the lowest free slot. */
static int free_slot(struct ipc_table *table) {
    if (table->count >= table->most) return -ENOSPC;
    for (uint32_t i = 0; i < table->room; i++)
        if (!table->slots[i]) return (int)i;
    uint32_t room = table->room ? table->room * 2 : 8;
    struct ipc_object **slots = kzalloc(room * sizeof *slots);
    if (!slots) return -ENOMEM;
    if (table->room) __builtin_memcpy(slots, table->slots, table->room * sizeof *slots);
    kfree(table->slots);
    int free = (int)table->room;
    table->slots = slots;
    table->room = room;
    return free;
}

static long enter(struct ipc_table *table, int key, int flags, const struct ipc_request *request) {
    struct ipc_object *object;
    int index = free_slot(table);
    if (index < 0) return index;
    int error = request->create(request, &object);
    if (error) return error;
    /* A number that was in use comes back with another sequence only. */
    if (index <= table->last) table->sequence = (table->sequence + 1) & SEQUENCE_MASK;
    table->last = index;
    object->key = key;
    object->uid = object->cuid = who()->euid;
    object->gid = object->cgid = who()->egid;
    object->mode = (uint32_t)flags & 0777;
    object->sequence = table->sequence;
    object->id = (int)(table->sequence << INDEX_BITS) + index;
    table->slots[index] = object;
    table->count++;
    return object->id;
}

long ipc_get(struct ipc_table *table, int key, int flags, const struct ipc_request *request) {
    if (key == IPC_PRIVATE) return enter(table, key, flags, request);
    for (uint32_t i = 0; i < table->room; i++) {
        struct ipc_object *object = table->slots[i];
        if (!object || object->key != key) continue;
        if (flags & IPC_CREAT && flags & IPC_EXCL) return -EEXIST;
        int error = request->check ? request->check(request, object) : 0;
        if (!error) error = ipc_permission(object, (unsigned)flags & 0777);
        return error ? error : object->id;
    }
    return flags & IPC_CREAT ? enter(table, key, flags, request) : -ENOENT;
}

int ipc_find_index(const struct ipc_table *table, int index, struct ipc_object **out) {
    if (index < 0 || (uint32_t)index >= table->room || !table->slots[index]) return -EINVAL;
    *out = table->slots[index];
    return 0;
}

int ipc_find(const struct ipc_table *table, int id, struct ipc_object **out) {
    int error = id < 0 ? -EINVAL : ipc_find_index(table, id & INDEX_MASK, out);
    return error ? error : (*out)->id == id ? 0 : -EINVAL;
}

long ipc_last_index(const struct ipc_table *table) {
    for (uint32_t i = table->room; i-- > 0;)
        if (table->slots[i]) return i;
    return 0;
}

struct ipc_object *ipc_next(const struct ipc_table *table, uint32_t *at) {
    while (*at < table->room) {
        struct ipc_object *object = table->slots[(*at)++];
        if (object) return object;
    }
    return NULL;
}

void ipc_remove(struct ipc_table *table, struct ipc_object *object) {
    table->slots[object->id & INDEX_MASK] = NULL;
    table->count--;
}

void ipc_fill(const struct ipc_object *object, struct linux_ipc_perm *out) {
    *out = (struct linux_ipc_perm){.key = object->key, .uid = object->uid, .gid = object->gid, .cuid = object->cuid, .cgid = object->cgid,
                                   .mode = object->mode, .sequence = (uint16_t)object->sequence};
}

void ipc_set(struct ipc_object *object, const struct linux_ipc_perm *in) {
    object->uid = in->uid;
    object->gid = in->gid;
    object->mode = (object->mode & ~0777u) | (in->mode & 0777);
}

unsigned ipc_octal(const struct ipc_object *object) {
    unsigned digits = 0;
    for (unsigned mode = object->mode & 07777, place = 1; mode; mode >>= 3, place *= 10) digits += (mode & 7) * place;
    return digits;
}
