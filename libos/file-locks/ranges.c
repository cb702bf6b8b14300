/* The locks of one inode, by start; an owner's ranges of one kind never overlap, and touching ones of one type are one. Hardware-free. */
#include "file-locks/internal.h"
#include "memory/memory.h"
#include "syscall/errno.h"

struct file_lock *locks_conflict(const struct inode_locks *locks, const struct file_lock *wanted) {
    for (struct file_lock *lock = locks->first; lock; lock = lock->next)
        if (lock->kind == wanted->kind && lock->owner != wanted->owner && (lock->type == LOCK_WRITE || wanted->type == LOCK_WRITE) &&
            lock->start <= wanted->end && wanted->start <= lock->end)
            return lock;
    return NULL;
}

static void insert(struct inode_locks *locks, struct file_lock *lock) {
    struct file_lock **link = &locks->first;
    while (*link && (*link)->start <= lock->start) link = &(*link)->next;
    lock->next = *link;
    *link = lock;
}

/* Do they overlap, or touch? */
static bool meets(const struct file_lock *lock, int64_t start, int64_t end) {
    return (lock->end == LOCK_END || lock->end + 1 >= start) && (end == LOCK_END || lock->start <= end + 1);
}

int locks_set(struct inode_locks *locks, const struct file_lock *wanted) {
    struct file_lock *made = kmalloc(sizeof *made), *rest = kmalloc(sizeof *rest); /* for the range itself, for what a split leaves */
    int64_t start = wanted->start, end = wanted->end;
    if (!made || !rest) {
        kfree(made);
        kfree(rest);
        return -ENOLCK;
    }
    for (struct file_lock **link = &locks->first, *lock; (lock = *link);) {
        bool own = lock->kind == wanted->kind && lock->owner == wanted->owner, gone = false;
        if (own && lock->type == wanted->type && meets(lock, start, end)) {
            if (lock->start < start) start = lock->start;
            if (lock->end > end) end = lock->end;
            gone = true;
        } else if (own && lock->start <= end && start <= lock->end) {
            if (lock->start < start && lock->end > end) {
                *rest = *lock;
                rest->start = end + 1;
                lock->end = start - 1;
                insert(locks, rest);
                rest = NULL;
                break; /* it held all of the range: nothing else of this owner is there */
            }
            if (lock->start < start) lock->end = start - 1;
            else if (lock->end > end) { /* begins later now: to its new place */
                *link = lock->next;
                lock->start = end + 1;
                insert(locks, lock);
                break; /* what follows of this owner lies behind the range */
            } else gone = true;
        }
        if (gone) {
            *link = lock->next;
            kfree(lock);
        } else {
            link = &lock->next;
        }
    }
    if (wanted->type != LOCK_NONE) {
        *made = *wanted;
        made->start = start;
        made->end = end;
        insert(locks, made);
        made = NULL;
    }
    kfree(made);
    kfree(rest);
    return 0;
}
