/*
 * The queue of inotify events: order, names, equal ones joined, overflow once, memory that runs out.
 * sources: libos/inotify/queue.c
 */
#include "stand_ins.h"
#include "inotify/queue.h"
#include "lib/string.h"

static long allocated;
static bool full;
void *kzalloc(size_t size) {
    if (full) return NULL;
    allocated++;
    return calloc(1, size);
}
void kfree(void *p) {
    if (p) allocated--;
    free(p);
}

enum { KEPT = 32 };
struct wanted { int watch; uint32_t mask, cookie; char name[EVENT_NAME_MOST + 1]; size_t length; };
static struct wanted model[KEPT];

int main(void) {
    struct event_queue queue = {0};
    unsigned count = 0;
    long joined = 0;
    for (int step = 0; step < 100000; step++) {
        if (count && (count == KEPT || !any(3))) {
            struct event *event = events_take(&queue);
            const struct wanted *first = &model[0];
            EQUAL(event->head.watch, first->watch);
            EQUAL(event->head.mask, first->mask);
            EQUAL(event->head.cookie, first->cookie);
            EQUAL(event->head.name_size, first->length ? (first->length + 16) / 16 * 16 : 0);
            CHECK(!memcmp(event->name, first->name, first->length));
            for (size_t i = first->length; i < event->head.name_size; i++) CHECK(!event->name[i]);
            kfree(event);
            memmove(&model[0], &model[1], (count - 1) * sizeof *model);
            count--;
        } else {
            struct wanted next = {.watch = (int)any(2), .mask = any(2), .cookie = any(2), .length = any(4) ? any(3) : any(EVENT_NAME_MOST + 1)};
            for (size_t i = 0; i < next.length; i++) next.name[i] = (char)('a' + any(2));
            struct wanted *last = count ? &model[count - 1] : NULL;
            bool same = last && last->watch == next.watch && last->mask == next.mask && last->cookie == next.cookie && last->length == next.length &&
                        !memcmp(last->name, next.name, next.length);
            EQUAL(events_add(&queue, next.watch, next.mask, next.cookie, next.name, next.length), !same);
            joined += same;
            if (!same) model[count++] = next;
        }
        EQUAL(queue.count, count);
        size_t bytes = 0;
        for (unsigned i = 0; i < count; i++) bytes += 16 + (model[i].length ? (model[i].length + 16) / 16 * 16 : 0);
        EQUAL(queue.bytes, bytes);
    }
    CHECK(joined > 100);
    for (struct event *event; (event = events_take(&queue));) kfree(event);
    /* Overflow, once, and again after it was read */
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < EVENTS_MOST; i++) CHECK(events_add(&queue, 1, 2, i + 1, "", 0));
        CHECK(events_add(&queue, 1, 2, 9999999, "x", 1));
        CHECK(!events_add(&queue, 1, 2, 9999998, "x", 1));
        EQUAL(queue.count, EVENTS_MOST + 1);
        EQUAL(queue.last->head.mask, IN_Q_OVERFLOW);
        EQUAL(queue.last->head.watch, -1);
        for (struct event *event; (event = events_take(&queue));) kfree(event);
        CHECK(!queue.overflown && !queue.last);
    }
    full = true;
    CHECK(!events_add(&queue, 1, 2, 3, "name", 4));
    CHECK(!queue.overflown && !queue.first); /* not even the overflow event: the next one tries again */
    full = false;
    CHECK(events_add(&queue, 1, 2, 3, "name", 4));
    kfree(events_take(&queue));
    EQUAL(allocated, 0);
    return report("inotify");
}
