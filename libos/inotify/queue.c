/* The events of one instance. */
#include "inotify/queue.h"
#include "lib/string.h"
#include "memory/memory.h"

static bool same(const struct event *event, int watch, uint32_t mask, uint32_t cookie, const char *name, size_t length) {
    if (event->head.watch != watch || event->head.mask != mask || event->head.cookie != cookie) return false;
    if (!length || !event->head.name_size) return !length && !event->head.name_size;
    return length < event->head.name_size && !memcmp(event->name, name, length) && !event->name[length];
}

static bool append(struct event_queue *queue, int watch, uint32_t mask, uint32_t cookie, const char *name, size_t length) {
    size_t room = length ? (length + 1 + 15) & ~15ul : 0;
    struct event *event = kzalloc(sizeof *event + room);
    if (!event) return false;
    event->head = (struct linux_inotify_event){watch, mask, cookie, (uint32_t)room};
    memcpy(event->name, name, length);
    *(queue->last ? &queue->last->next : &queue->first) = event;
    queue->last = event;
    queue->count++;
    queue->bytes += event_size(event);
    return true;
}

bool events_add(struct event_queue *queue, int watch, uint32_t mask, uint32_t cookie, const char *name, size_t length) {
    if (queue->last && same(queue->last, watch, mask, cookie, name, length)) return false;
    if (queue->count < EVENTS_MOST && append(queue, watch, mask, cookie, name, length)) return true;
    if (queue->overflown) return false;
    queue->overflown = append(queue, -1, IN_Q_OVERFLOW, 0, "", 0);
    return queue->overflown;
}

struct event *events_take(struct event_queue *queue) {
    struct event *event = queue->first;
    if (!event) return NULL;
    queue->first = event->next;
    if (!queue->first) queue->last = NULL;
    queue->count--;
    queue->bytes -= event_size(event);
    if (event->head.mask == IN_Q_OVERFLOW) queue->overflown = false;
    return event;
}
