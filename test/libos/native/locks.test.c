/*
 * Lock ranges against a model that keeps each byte's lock by itself: the same answers, and an owner's ranges stay apart, joined and in order.
 * sources: libos/file-locks/ranges.c
 */
#include "stand_ins.h"
#include "file-locks/internal.h"

enum { BYTES = 24, OWNERS = 4, STEPS = 300000 };
static long allocated;
static bool fail_next;
void *kmalloc(size_t size) {
    if (fail_next) return NULL;
    allocated++;
    return malloc(size);
}
void kfree(void *p) {
    if (p) allocated--;
    free(p);
}

static struct inode_locks locks;
static char owners[OWNERS];
static uint8_t model[OWNERS][2][BYTES + 1]; /* the last one stands for all that follows */

static bool model_conflict(const struct file_lock *wanted, int owner) {
    int end = wanted->end == LOCK_END ? BYTES : (int)wanted->end;
    for (int other = 0; other < OWNERS; other++)
        for (int64_t i = wanted->start; i <= end && other != owner; i++) {
            uint8_t held = model[other][wanted->kind][i];
            if (held != LOCK_NONE && (held == LOCK_WRITE || wanted->type == LOCK_WRITE)) return true;
        }
    return false;
}

static void check_all(void) {
    long count = 0;
    int64_t before = 0;
    uint8_t seen[OWNERS][2][BYTES + 1];
    for (unsigned i = 0; i < sizeof seen; i++) ((uint8_t *)seen)[i] = LOCK_NONE;
    for (const struct file_lock *lock = locks.first; lock; lock = lock->next, count++) {
        int owner = (int)((const char *)lock->owner - owners), end = lock->end == LOCK_END ? BYTES : (int)lock->end;
        CHECK(lock->start >= before && lock->start <= lock->end);
        before = lock->start;
        for (int64_t i = lock->start; i <= end; i++) {
            CHECK(seen[owner][lock->kind][i] == LOCK_NONE);
            seen[owner][lock->kind][i] = lock->type;
        }
        for (const struct file_lock *next = lock->next; next; next = next->next)
            CHECK(next->owner != lock->owner || next->kind != lock->kind || next->type != lock->type || lock->end + 1 < next->start);
    }
    for (unsigned i = 0; i < sizeof seen; i++) CHECK(((uint8_t *)seen)[i] == ((uint8_t *)model)[i]);
    CHECK(count == allocated);
}

int main(void) {
    long granted = 0, refused = 0;
    for (unsigned i = 0; i < sizeof model; i++) ((uint8_t *)model)[i] = LOCK_NONE;
    for (int step = 0; step < STEPS; step++) {
        int owner = (int)any(OWNERS), start = (int)any(BYTES), length = 1 + (int)any(6);
        bool to_end = !any(8);
        if (start + length > BYTES) length = BYTES - start;
        struct file_lock wanted = {.owner = &owners[owner], .start = start, .end = to_end ? LOCK_END : start + length - 1,
                                   .type = (uint8_t)any(3), .kind = any(5) ? LOCK_RECORD : LOCK_WHOLE};
        struct file_lock *found = locks_conflict(&locks, &wanted);
        if (wanted.type == LOCK_NONE) found = NULL;
        else CHECK((found != NULL) == model_conflict(&wanted, owner));
        if (found) {
            refused++;
            continue;
        }
        if (!any(50)) {
            fail_next = true;
            EQUAL(locks_set(&locks, &wanted), -37); /* ENOLCK */
            fail_next = false;
        } else {
            EQUAL(locks_set(&locks, &wanted), 0);
            for (int i = start; i <= (to_end ? BYTES : start + length - 1); i++) model[owner][wanted.kind][i] = wanted.type;
            granted++;
        }
        check_all();
    }
    CHECK(granted > 1000 && refused > 1000);
    for (int owner = 0; owner < OWNERS; owner++)
        for (int kind = 0; kind < 2; kind++)
            locks_set(&locks, &(struct file_lock){.owner = &owners[owner], .end = LOCK_END, .type = LOCK_NONE, .kind = (uint8_t)kind});
    CHECK(!locks.first && !allocated);
    return report("locks");
}
