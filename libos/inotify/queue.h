/* Private to inotify: the events of one instance, oldest first. Hardware-free. */
#ifndef HULL_INOTIFY_QUEUE_H
#define HULL_INOTIFY_QUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENTS_MOST = 16384, IN_Q_OVERFLOW = 0x4000, EVENT_NAME_MOST = 255 };
struct linux_inotify_event { int32_t watch; uint32_t mask, cookie, name_size; };
struct event { struct event *next; struct linux_inotify_event head; char name[]; }; /* name: padded with zeros to name_size */
struct event_queue { struct event *first, *last; uint32_t count; size_t bytes; bool overflown; };

/* An event that equals the last one is dropped; one too many, or one without memory, becomes an overflow event. False: nothing was added. */
bool events_add(struct event_queue *, int watch, uint32_t mask, uint32_t cookie, const char *name, size_t length);
struct event *events_take(struct event_queue *); /* the oldest, for kfree; NULL: none */
static inline size_t event_size(const struct event *event) { return sizeof event->head + event->head.name_size; }
#endif
