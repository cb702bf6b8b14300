/*
 * Dentries: names in directories, as a cached tree. Owns the hash table of (parent, name) and the idle list: a dentry that nobody uses
 * stays findable until so many others have become idle after it as memory allows (about a hundredth of it): a file's cached pages go with its last name. Each holds its inode and its parent.
 */
#include "vfs/internal.h"
#include "vfs/notify.h"
#include "wait/wait.h"

#define BUCKETS 1024
#define IDLE_LEAST 512 /* idle ones that are kept in any case; where memory is large, one for each: */
#define IDLE_SHARE 65536
static struct dentry *buckets[BUCKETS];
static struct dentry *idle_first, *idle_last; /* oldest first */
static uint32_t idle_count;

static uint32_t hash_of(const struct dentry *parent, struct name name) {
    uint32_t hash = (uint32_t)((uintptr_t)parent >> 4) * 2654435761u;
    for (size_t i = 0; i < name.length; i++) hash = (hash ^ (uint8_t)name.text[i]) * 16777619u;
    return hash ^ hash >> 16;
}

static void hash_in(struct dentry *dentry) {
    dentry->hash = hash_of(dentry->parent, (struct name){ dentry->name, dentry->name_length });
    struct dentry **bucket = &buckets[dentry->hash % BUCKETS];
    dentry->hash_next = *bucket;
    *bucket = dentry;
    dentry->hashed = true;
}

static void hash_out(struct dentry *dentry) {
    if (!dentry->hashed) return;
    struct dentry **at = &buckets[dentry->hash % BUCKETS];
    while (*at != dentry) at = &(*at)->hash_next;
    *at = dentry->hash_next;
    dentry->hashed = false;
}

static void idle_out(struct dentry *dentry) {
    *(dentry->idle_previous ? &dentry->idle_previous->idle_next : &idle_first) = dentry->idle_next;
    *(dentry->idle_next ? &dentry->idle_next->idle_previous : &idle_last) = dentry->idle_previous;
    dentry->idle_next = dentry->idle_previous = NULL;
    idle_count--;
}

static void idle_in(struct dentry *dentry) {
    dentry->idle_previous = idle_last;
    *(idle_last ? &idle_last->idle_next : &idle_first) = dentry;
    idle_last = dentry;
    idle_count++;
}

void dentry_get(struct dentry *dentry) {
    if (dentry->references++ == 0) idle_out(dentry);
}

/* Frees one and gives back its reference on the parent: a loop, since a deep tree may go at once. */
static void free_chain(struct dentry *dentry) {
    while (dentry) {
        struct dentry *parent = dentry->parent;
        hash_out(dentry);
        if (!dentry->inode->nlink && inotify_inode_gone) inotify_inode_gone(dentry->inode);
        inode_put(dentry->inode);
        kfree(dentry->name);
        kfree(dentry);
        if (!parent || --parent->references) return;
        if (!parent->deleted) {
            idle_in(parent);
            return;
        }
        dentry = parent;
    }
}

void dentry_put(struct dentry *dentry) {
    if (--dentry->references) return;
    if (dentry->deleted) {
        free_chain(dentry);
        return;
    }
    idle_in(dentry);
    uint64_t share = memory_total() / IDLE_SHARE;
    while (idle_count > IDLE_LEAST && idle_count > share) {
        struct dentry *oldest = idle_first;
        idle_out(oldest);
        free_chain(oldest);
    }
}

void vfs_forget_idle(void) {
    while (idle_first) { /* a parent may become idle, and goes as well */
        struct dentry *oldest = idle_first;
        idle_out(oldest);
        free_chain(oldest);
    }
}

void dentry_forget(struct superblock *super) {
    for (struct dentry *at = idle_first, *next; at; at = next) {
        next = at->idle_next;
        if (at->inode->super != super) continue;
        idle_out(at);
        free_chain(at);
        next = idle_first; /* its parent may have become idle, or gone */
    }
}

static struct dentry *make(struct dentry *parent, struct name name, struct inode *inode) {
    struct dentry *dentry = kzalloc(sizeof *dentry);
    char *copy = kmalloc(name.length + 1);
    if (!dentry || !copy) {
        kfree(dentry);
        kfree(copy);
        inode_put(inode);
        return NULL;
    }
    memcpy(copy, name.text, name.length);
    copy[name.length] = 0;
    dentry->name = copy;
    dentry->name_length = (uint16_t)name.length;
    dentry->inode = inode;
    dentry->references = 1;
    dentry->parent = parent;
    if (parent) {
        dentry_get(parent);
        hash_in(dentry);
    }
    return dentry;
}

struct dentry *dentry_root(struct inode *inode) {
    return make(NULL, (struct name){ "", 0 }, inode);
}

int dentry_add(struct dentry *parent, struct name name, struct inode *inode, struct dentry **out) {
    *out = make(parent, name, inode);
    return *out ? 0 : -ENOMEM;
}

static struct dentry *cached(const struct dentry *parent, struct name name) {
    uint32_t hash = hash_of(parent, name);
    for (struct dentry *at = buckets[hash % BUCKETS]; at; at = at->hash_next)
        if (at->hash == hash && at->parent == parent && at->name_length == name.length && !memcmp(at->name, name.text, name.length))
            return at;
    return NULL;
}

static struct names_lock *held; /* on their holders' stacks */
static struct wait_queue names_free;

static const struct names_lock *holder(const struct dentry *directory) {
    const struct names_lock *at = held;
    while (at && at->directory != directory) at = at->next;
    return at;
}
static bool is_free(void *directory) { return !holder(directory); }

void names_lock(struct names_lock *lock, struct dentry *directory) {
    const struct names_lock *other = holder(directory);
    struct thread *self = current_thread();
    *lock = (struct names_lock){ NULL, NULL, self };
    if (other && other->owner == self) return;
    while (holder(directory)) wait_until(&names_free, is_free, directory, 0, false);
    lock->directory = directory;
    lock->next = held;
    held = lock;
}

void names_unlock(struct names_lock *lock) {
    if (!lock->directory) return; /* it was within another of the same */
    struct names_lock **at = &held;
    while (*at != lock) at = &(*at)->next;
    *at = lock->next;
    if (names_free.first) wait_queue_wake(&names_free, -1);
}

/* What is not in the cache. */
static int look(struct dentry *parent, struct name name, struct dentry **out) {
    struct inode *inode;
    if (!parent->inode->ops->lookup) return -ENOTDIR;
    if (parent->deleted) return -ENOENT;
    int error = parent->inode->ops->lookup(parent->inode, name.text, name.length, &inode);
    return error ? error : dentry_add(parent, name, inode, out);
}

int dentry_lookup(struct dentry *parent, struct name name, struct dentry **out) {
    struct dentry *found;
again:
    found = cached(parent, name);
    if (found) {
        int error = 0;
        dentry_get(found);
        *out = found;
        if (found->inode->ops->refresh) error = found->inode->ops->refresh(found->inode);
        if (!error && found->deleted && found->parent == parent) { /* meanwhile */
            dentry_put(found);
            goto again;
        }
        if (error != -ENOENT && error != -ESTALE) {
            if (error) dentry_put(found);
            return error;
        }
        if (found->mounts) return 0;
        dentry_delete(found); /* it leads elsewhere now: looked up below */
        dentry_put(found);
    }
    struct names_lock lock;
    names_lock(&lock, parent);
    int error = 0;
    bool came = cached(parent, name); /* while this one waited */
    if (!came) error = look(parent, name, out);
    names_unlock(&lock);
    if (came) goto again;
    return error;
}

void dentry_delete(struct dentry *dentry) {
    hash_out(dentry);
    dentry->deleted = true;
}

int dentry_move(struct dentry *dentry, struct dentry *parent, struct name name) {
    char *copy = kmalloc(name.length + 1);
    if (!copy) return -ENOMEM;
    memcpy(copy, name.text, name.length);
    copy[name.length] = 0;
    struct dentry *old = dentry->parent;
    hash_out(dentry);
    kfree(dentry->name);
    dentry->name = copy;
    dentry->name_length = (uint16_t)name.length;
    dentry_get(parent);
    dentry->parent = parent;
    hash_in(dentry);
    dentry_put(old);
    return 0;
}

bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor) {
    for (; dentry; dentry = dentry->parent)
        if (dentry == ancestor) return true;
    return false;
}
