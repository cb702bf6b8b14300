/*
 * System V shared memory: shmget(2), shmop(2), shmctl(2). A segment is a pair of files without a name, one to write and one to read only, over
 * the pages of one piece of shared anonymous memory. Each mapping holds a reference to its file, so the references beyond the segment's own are
 * the attachments: fork, exec, exit and munmap all count without being told apart.
 */
#include "abi/linux_file.h"
#include "file/file.h"
#include "ipc/ipc.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vm/vm.h"

enum { SHM_RDONLY = 010000, SHM_RND = 020000, SHM_REMAP = 040000, SHM_EXEC = 0100000 };
enum { SHM_LOCK = 11, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY };
enum { SHM_HUGETLB = 04000, SHM_DEST = 01000, SHM_LOCKED = 02000, MOST = 4096 };
#define SIZE_MOST (~0ul - (1ul << 24))

struct shm {
    struct ipc_object object; /* first */
    size_t size;
    int64_t attached, detached, changed;
    int creator, last;
    struct file *memory, *files[2]; /* files: [0] for writing, [1] for reading only, made when it is asked for */
};
struct linux_shmid { struct linux_ipc_perm perm; uint64_t size; int64_t atime, dtime, ctime; int32_t cpid, lpid; uint64_t attachments, unused[2]; };
struct linux_shminfo { uint64_t most_size, least_size, most, most_attached, most_pages, unused[4]; };
struct linux_shm_info { int32_t used, pad; uint64_t pages, resident, swapped, swap_attempts, swap_successes; };
_Static_assert(sizeof(struct linux_shmid) == 112, "struct shmid64_ds of the x86-64 ABI");

static struct ipc_table table = {.most = MOST, .last = -1};

struct file *shared_memory_create(void); /* by shared-memory */

static bool removed(const struct shm *shm) { return shm->object.mode & SHM_DEST; }

static uint64_t attachments(const struct shm *shm) {
    uint64_t count = 0;
    for (int i = 0; i < 2; i++)
        if (shm->files[i]) count += shm->files[i]->references - !removed(shm);
    return count;
}

static void unmapped(struct file *file) {
    struct shm *shm = file->data;
    shm->detached = ipc_now();
    shm->last = current_process()->pid;
}

/* A file's last reference is gone: with the other one the segment goes. */
static void shm_close(struct file *file) {
    struct shm *shm = file->data;
    for (int i = 0; i < 2; i++)
        if (shm->files[i] == file) shm->files[i] = NULL;
    if (shm->files[0] || shm->files[1]) return;
    ipc_remove(&table, &shm->object);
    file_put(shm->memory);
    kfree(shm);
}

static int shm_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    struct shm *shm = file->data;
    if (index >= (shm->size + PAGE_SIZE - 1) >> PAGE_SHIFT) return -ENXIO;
    return shm->memory->ops->get_page(shm->memory, index, how == FILE_PAGE_AT_HAND ? how : FILE_PAGE_CREATE, physical);
}

static const struct file_ops shm_ops = {.kind = "SYSV (deleted)", .close = shm_close, .get_page = shm_page, .unmapped = unmapped};

static int shm_create(const struct ipc_request *request, struct ipc_object **out) {
    if (!request->size || request->size > SIZE_MOST) return -EINVAL;
    if (request->size > memory_total()) return -ENOMEM;
    struct shm *shm = kzalloc(sizeof *shm);
    if (shm) shm->memory = shared_memory_create();
    if (shm && shm->memory) shm->files[0] = file_create(&shm_ops, O_RDWR, shm);
    if (!shm || !shm->files[0]) {
        if (shm && shm->memory) file_put(shm->memory);
        kfree(shm);
        return -ENOMEM;
    }
    shm->size = request->size;
    shm->creator = current_process()->pid;
    shm->changed = ipc_now();
    *out = &shm->object;
    return 0;
}

static int shm_check(const struct ipc_request *request, const struct ipc_object *object) {
    return request->size > ((const struct shm *)object)->size ? -EINVAL : 0;
}

SYSCALL_DEFINE(shmget, int key, size_t size, int flags) {
    if (flags & SHM_HUGETLB) return -ENOMEM; /* there are no huge pages */
    return ipc_get(&table, key, flags, &(struct ipc_request){shm_create, shm_check, size});
}

/* Where the caller wants it, or where there is room; replaces what is there with SHM_REMAP only. Negative: -errno. */
static long place(struct address_space *space, uintptr_t address, size_t size, int flags) {
    if (!address) {
        uintptr_t room = flags & SHM_REMAP ? 0 : vm_room(space, size);
        return room ? (long)room : flags & SHM_REMAP ? -EINVAL : -ENOMEM;
    }
    if (address & (PAGE_SIZE - 1)) {
        if (!(flags & SHM_RND)) return -EINVAL;
        address &= ~(PAGE_SIZE - 1);
    }
    if (address < VM_LOWEST || address > VM_HIGHEST || size > VM_HIGHEST - address) return -EINVAL;
    struct vm_area *area = areas_find(&space->areas, address);
    return !(flags & SHM_REMAP) && area && area->start < address + size ? -EINVAL : (long)address;
}

SYSCALL_DEFINE(shmat, int id, uintptr_t address, int flags) {
    struct ipc_object *object;
    struct address_space *space = current_process()->space;
    bool read_only = flags & SHM_RDONLY;
    int error = ipc_find(&table, id, &object);
    if (error) return error;
    error = ipc_permission(object, IPC_READ | (read_only ? 0 : IPC_WRITE) | (flags & SHM_EXEC ? 0111 : 0));
    if (error) return error;
    struct shm *shm = (struct shm *)object;
    size_t size = (shm->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    long at = place(space, address, size, flags);
    if (at < 0) return at;
    struct file **file = &shm->files[read_only];
    bool fresh = !*file;
    if (fresh && !(*file = file_create(&shm_ops, read_only ? O_RDONLY : O_RDWR, shm))) return -ENOMEM;
    unsigned protection = PROT_READ | (read_only ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
    error = vm_map(space, (uintptr_t)at, size, protection, VM_SHARED, *file, 0);
    if (error) {
        if (fresh) file_put(*file);
        return error;
    }
    if (fresh && removed(shm)) file_put(*file); /* only the mapping holds it */
    shm->attached = ipc_now();
    shm->last = current_process()->pid;
    return at;
}

/* All that the attachment at this address still maps. */
SYSCALL_DEFINE(shmdt, uintptr_t address) {
    struct address_space *space = current_process()->space;
    const struct file *file = NULL;
    if (address & (PAGE_SIZE - 1)) return -EINVAL;
    uint64_t size = 0;
    for (struct vm_area *area = areas_find(&space->areas, address), *next; area; area = next) {
        uintptr_t end = area->end;
        if (area->file && area->file->ops == &shm_ops && (!file || area->file == file) && area->start - area->offset == address) {
            if (!file) size = ((struct shm *)area->file->data)->size;
            file = area->file;
            if (vm_unmap(space, area->start, end - area->start)) return -ENOMEM;
        }
        if (file ? end - address >= size : end - address >= SIZE_MOST) break;
        next = areas_find(&space->areas, end);
    }
    return file ? 0 : -EINVAL;
}

static long shm_stat(struct shm *shm, void *out, long result) {
    struct linux_shmid stat = {.size = shm->size, .atime = shm->attached, .dtime = shm->detached, .ctime = shm->changed, .cpid = shm->creator,
                               .lpid = shm->last, .attachments = attachments(shm)};
    ipc_fill(&shm->object, &stat.perm);
    return user_copy_out(out, &stat, sizeof stat) ? -EFAULT : result;
}

static long shm_remove(struct shm *shm) {
    struct file *files[2] = {shm->files[0], shm->files[1]};
    if (removed(shm)) return 0;
    shm->object.mode |= SHM_DEST;
    shm->object.key = IPC_PRIVATE; /* nobody finds it any more */
    for (int i = 0; i < 2; i++)
        if (files[i]) file_put(files[i]); /* the last one takes the segment along */
    return 0;
}

static long shm_info(int command, void *out) {
    struct linux_shminfo limits = {SIZE_MOST, 1, MOST, MOST, SIZE_MOST, {0}};
    struct linux_shm_info now = {0};
    uint32_t at = 0;
    if (command == IPC_INFO) return user_copy_out(out, &limits, sizeof limits) ? -EFAULT : ipc_last_index(&table);
    now.used = (int)table.count;
    for (struct shm *shm; (shm = (struct shm *)ipc_next(&table, &at));) now.pages += (shm->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    now.resident = now.pages; /* nothing is ever paged out */
    return user_copy_out(out, &now, sizeof now) ? -EFAULT : ipc_last_index(&table);
}

SYSCALL_DEFINE(shmctl, int id, int command, void *argument) {
    struct ipc_object *object;
    struct linux_shmid in;
    if (id < 0) return -EINVAL;
    if (command == IPC_INFO || command == SHM_INFO) return shm_info(command, argument);
    bool by_index = command == SHM_STAT || command == SHM_STAT_ANY;
    if (command != IPC_STAT && command != IPC_SET && command != IPC_RMID && command != SHM_LOCK && command != SHM_UNLOCK && !by_index) return -EINVAL;
    if (command == IPC_SET && user_copy_in(&in, argument, sizeof in)) return -EFAULT;
    long error = by_index ? ipc_find_index(&table, id, &object) : ipc_find(&table, id, &object);
    if (error) return error;
    struct shm *shm = (struct shm *)object;
    switch (command) {
    case IPC_STAT: case SHM_STAT:
        error = ipc_permission(object, IPC_READ);
        return error ? error : shm_stat(shm, argument, by_index ? object->id : 0);
    case SHM_STAT_ANY: return shm_stat(shm, argument, object->id);
    }
    if ((error = ipc_owner(object))) return error;
    if (command == IPC_RMID) return shm_remove(shm);
    if (command == IPC_SET) {
        ipc_set(object, &in.perm);
        shm->changed = ipc_now();
    } else if (command == SHM_LOCK) {
        object->mode |= SHM_LOCKED; /* which all memory is */
    } else {
        object->mode &= ~(uint32_t)SHM_LOCKED;
    }
    return 0;
}

/* What is there, and its limits, in /proc, where there is one. */
#pragma weak proc_show_text
#pragma weak proc_print
static uint64_t resident(const struct shm *shm) {
    uint64_t pages = 0, page;
    for (uint64_t i = 0; i < (shm->size + PAGE_SIZE - 1) >> PAGE_SHIFT; i++) {
        if (shm->memory->ops->get_page(shm->memory, i, FILE_PAGE_AT_HAND, &page)) continue;
        page_put(page);
        pages++;
    }
    return pages;
}
static void show_all(struct proc_text *out) {
    uint32_t at = 0;
    proc_print(out, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n");
    for (struct shm *shm; (shm = (struct shm *)ipc_next(&table, &at));) {
        const struct ipc_object *o = &shm->object;
        proc_print(out, "%10d %10d  %4u %21lu %5d %5d  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21u\n", o->key, o->id, ipc_octal(o), (unsigned long)shm->size, shm->creator, shm->last,
                   (unsigned long)attachments(shm), o->uid, o->gid, o->cuid, o->cgid, (unsigned long)shm->attached, (unsigned long)shm->detached, (unsigned long)shm->changed,
                   (unsigned long)resident(shm) * PAGE_SIZE, 0u);
    }
}
static const struct proc_file setting_files[] = {
    { .path = "sysvipc/shm", .mode = PROC_READ, .show = show_all },
    { .path = "sys/kernel/shmmax", .mode = PROC_READ, .show = proc_show_text, .argument = "18446744073692774399\n" },
    { .path = "sys/kernel/shmall", .mode = PROC_READ, .show = proc_show_text, .argument = "18446744073692774399\n" },
    { .path = "sys/kernel/shmmni", .mode = PROC_READ, .show = proc_show_text, .argument = "4096\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);
