/*
 * Sets of files and who of them is ready. Owns a set's members (by file and descriptor, hashed), the waiter that each has in its file's
 * queues, and the ready list: a wake puts the member there, so a wait never looks at members that nothing happened to.
 * A member does not hold its file: the end of the file ends the member (epoll_file_gone). Wakes come from calls and bottom halves.
 */
#include "epoll/internal.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "task/task.h"

#define NESTS_MOST 4

static void ready_out(struct epoll_item *item) {
    struct epoll *epoll = item->epoll;
    if (!item->ready) return;
    *(item->ready_previous ? &item->ready_previous->ready_next : &epoll->ready_first) = item->ready_next;
    *(item->ready_next ? &item->ready_next->ready_previous : &epoll->ready_last) = item->ready_previous;
    item->ready = false;
    epoll->ready_count--;
}

static void ready_in(struct epoll_item *item) {
    struct epoll *epoll = item->epoll;
    if (item->ready) return;
    item->ready_next = NULL;
    item->ready_previous = epoll->ready_last;
    *(epoll->ready_last ? &epoll->ready_last->ready_next : &epoll->ready_first) = item;
    epoll->ready_last = item;
    item->ready = true;
    epoll->ready_count++;
}

/* One sleeper is enough: it wakes the next when it leaves something. */
static void announce(struct epoll_item *item) {
    ready_in(item);
    wait_queue_wake(&item->epoll->sleepers, 1);
    wait_queue_wake(&item->epoll->pollers, -1);
}

static uint32_t wanted(const struct epoll_item *item) { return item->events ? (item->events & 0xffff) | POLLERR | POLLHUP : 0; }

static void woken(struct waiter *waiter) {
    struct epoll_item *item = ((struct hook *)waiter)->item;
    if (item->events) announce(item);
}

struct adder { struct poll_wait wait; struct epoll_item *item; };
static void hook_add(struct poll_wait *wait, struct wait_queue *queue) {
    struct epoll_item *item = ((struct adder *)wait)->item;
    struct hook *hook = item->hooked ? kmalloc(sizeof *hook) : &item->first_hook;
    if (!hook) {
        item->out_of_memory = true;
        return;
    }
    *hook = (struct hook){.waiter = {.thread = current_thread(), .wake = woken}, .queue = queue, .item = item, .next = item->hooks};
    item->hooks = hook;
    item->hooked = true;
    wait_queue_add(queue, &hook->waiter);
}

static void hooks_remove(struct epoll_item *item) {
    for (struct hook *hook = item->hooks, *next; hook; hook = next) {
        next = hook->next;
        wait_queue_remove(hook->queue, &hook->waiter);
        if (hook != &item->first_hook) kfree(hook);
    }
}

static struct epoll_item **bucket_of(struct epoll *epoll, const struct file *file, int descriptor) {
    uint32_t hash = ((uint32_t)((uintptr_t)file >> 4) ^ (uint32_t)descriptor) * 2654435761u;
    return &epoll->buckets[(hash >> 8) & (epoll->bucket_count - 1)];
}

struct epoll_item *epoll_find(struct epoll *epoll, struct file *file, int descriptor) {
    struct epoll_item *item = *bucket_of(epoll, file, descriptor);
    while (item && (item->file != file || item->descriptor != descriptor)) item = item->hash_next;
    return item;
}

/* A table that cannot grow still works. */
static void grow(struct epoll *epoll) {
    struct epoll_item **old = epoll->buckets;
    uint32_t count = epoll->bucket_count;
    struct epoll_item **buckets = kzalloc(count * 4 * sizeof *buckets);
    if (!buckets) return;
    epoll->buckets = buckets;
    epoll->bucket_count = count * 4;
    for (uint32_t i = 0; i < count; i++)
        for (struct epoll_item *item = old[i], *next; item; item = next) {
            next = item->hash_next;
            struct epoll_item **bucket = bucket_of(epoll, item->file, item->descriptor);
            item->hash_next = *bucket;
            *bucket = item;
        }
    if (old != epoll->few) kfree(old);
}

int epoll_add(struct epoll *epoll, struct file *file, int descriptor, const struct epoll_event *event) {
    struct epoll_item *item = kzalloc(sizeof *item);
    if (!item) return -ENOMEM;
    if (epoll->count >= epoll->bucket_count * 2) grow(epoll);
    *item = (struct epoll_item){.epoll = epoll, .file = file, .descriptor = descriptor, .events = event->events | POLLERR | POLLHUP, .data = event->data};
    struct epoll_item **bucket = bucket_of(epoll, file, descriptor);
    item->hash_next = *bucket;
    *bucket = item;
    item->watcher_next = file->watchers;
    file->watchers = item;
    epoll->count++;
    struct adder adder = {.wait.add = hook_add, .item = item};
    unsigned now = file->ops->poll(file, &adder.wait);
    if (item->out_of_memory) {
        epoll_remove(item);
        return -ENOMEM;
    }
    if (now & wanted(item)) announce(item);
    return 0;
}

void epoll_change(struct epoll_item *item, const struct epoll_event *event) {
    item->events = event->events | POLLERR | POLLHUP;
    item->data = event->data;
    if (item->file->ops->poll(item->file, NULL) & wanted(item)) announce(item);
}

void epoll_remove(struct epoll_item *item) {
    struct epoll_item **link = bucket_of(item->epoll, item->file, item->descriptor);
    hooks_remove(item);
    ready_out(item);
    while (*link != item) link = &(*link)->hash_next;
    *link = item->hash_next;
    for (link = &item->file->watchers; *link != item;) link = &(*link)->watcher_next;
    *link = item->watcher_next;
    item->epoll->count--;
    kfree(item);
}

void epoll_file_gone(struct file *file);
void epoll_file_gone(struct file *file) {
    while (file->watchers) epoll_remove(file->watchers);
}

unsigned epoll_harvest(struct epoll *epoll, struct epoll_event *out, unsigned room, uint32_t *looks) {
    unsigned found = 0;
    for (struct epoll_item *item; found < room && *looks && (item = epoll->ready_first); --*looks) {
        ready_out(item);
        uint32_t events = item->file->ops->poll(item->file, NULL) & wanted(item);
        if (!events) continue;
        out[found++] = (struct epoll_event){events, item->data};
        if (item->events & EPOLLONESHOT) item->events = 0;
        else if (!(item->events & EPOLLET)) ready_in(item);
    }
    return found;
}

/* The set as a file: readable when a member has events. Members without are dropped from the ready list on the way. */
static unsigned epoll_poll(struct file *file, struct poll_wait *wait) {
    struct epoll *epoll = file->data;
    poll_wait_add_for(wait, &epoll->pollers, POLLIN | POLLRDNORM);
    for (struct epoll_item *item; (item = epoll->ready_first); ready_out(item))
        if (item->file->ops->poll(item->file, NULL) & wanted(item)) return POLLIN | POLLRDNORM;
    return 0;
}

static void epoll_close(struct file *file) {
    struct epoll *epoll = file->data;
    for (uint32_t i = 0; i < epoll->bucket_count; i++)
        while (epoll->buckets[i]) epoll_remove(epoll->buckets[i]);
    if (epoll->buckets != epoll->few) kfree(epoll->buckets);
    kfree(epoll);
}

const struct file_ops epoll_ops = {.kind = "[eventpoll]", .poll = epoll_poll, .close = epoll_close};

/* How many sets one above the other there are from this one on, down (in its members) or up (in sets that have it); `other` makes it a loop. */
static int depth_down(const struct epoll *epoll, const struct epoll *other, int level) {
    int deepest = 0;
    if (epoll == other || level > NESTS_MOST) return NESTS_MOST + 1;
    for (uint32_t i = 0; i < epoll->bucket_count; i++)
        for (const struct epoll_item *item = epoll->buckets[i]; item; item = item->hash_next) {
            if (item->file->ops != &epoll_ops) continue;
            int depth = 1 + depth_down(item->file->data, other, level + 1);
            if (depth > deepest) deepest = depth;
        }
    return deepest;
}

static int depth_up(const struct epoll *epoll, int level) {
    int highest = 0;
    for (const struct epoll_item *item = epoll->file->watchers; item && level <= NESTS_MOST; item = item->watcher_next) {
        int depth = 1 + depth_up(item->epoll, level + 1);
        if (depth > highest) highest = depth;
    }
    return highest;
}

int epoll_check_nesting(const struct epoll *epoll, const struct file *member) {
    return depth_down(member->data, epoll, 0) + 1 + depth_up(epoll, 0) > NESTS_MOST ? -ELOOP : 0;
}
