/*
 * What waits for a thread that ends: mutexes of its robust list (Linux: Documentation/locking/robust-futex-ABI.rst) get FUTEX_OWNER_DIED and
 * one waiter each is woken; clear_child_tid gets 0 and is woken. The list is the program's: every pointer may be bad, its length is bounded.
 */
#include "futex/internal.h"
#include "vm/vm.h"

enum { LIST_MOST = 2048 };
struct robust_head { uintptr_t next; long offset; uintptr_t pending; };

static void wake_one(uint32_t *word) {
    struct futex_key key;
    if (!futex_key(word, true, &key)) futex_wake(key, 1, ~0u);
}

static bool owner_died(const struct thread *thread, uintptr_t entry, long offset, bool pending) {
    uint32_t *word = (uint32_t *)((entry & ~1ul) + (uintptr_t)offset), value;
    if ((uintptr_t)word & 3 || user_copy_in(&value, word, sizeof value)) return false;
    if (pending && !value) wake_one(word); /* it was unlocked, and the wake was still to come */
    if ((value & FUTEX_TID) != (uint32_t)thread->tid) return true;
    uint32_t died = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (user_copy_out(word, &died, sizeof died)) return false;
    if (value & FUTEX_WAITERS && !(entry & 1)) wake_one(word); /* bit 0: a PI mutex */
    return true;
}

static void release_robust(struct thread *thread) {
    struct robust_head head;
    uintptr_t at = thread->robust_list, entry;
    thread->robust_list = 0;
    if (!at || user_copy_in(&head, (void *)at, sizeof head)) return;
    entry = head.next;
    for (int i = 0; i < LIST_MOST && (entry & ~1ul) != at; i++) {
        uintptr_t next;
        bool more = !user_copy_in(&next, (void *)(entry & ~1ul), sizeof next);
        if (entry != head.pending && !owner_died(thread, entry, head.offset, false)) return;
        if (!more) return;
        entry = next;
    }
    if (head.pending) owner_died(thread, head.pending, head.offset, true);
}

void futex_thread_end(struct thread *thread) {
    struct process *process = thread->process;
    int zero = 0, *tid = thread->clear_child_tid;
    futex_pi_owner_died(thread);
    release_robust(thread);
    thread->clear_child_tid = NULL;
    /* Alone, nobody looks at it any more. */
    if (!tid || (!process->threads->next && (!process->space || process->space->references == 1))) return;
    if (!user_copy_out(tid, &zero, sizeof zero)) wake_one((uint32_t *)tid);
}
