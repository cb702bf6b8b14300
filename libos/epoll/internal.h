/* Private to epoll: sets and their members. */
#ifndef HULL_EPOLL_INTERNAL_H
#define HULL_EPOLL_INTERNAL_H
#include <stdbool.h>
#include "abi/linux_file.h"
#include "file/file.h"
#include "syscall/syscall.h"

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP (1u << 29)
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)

struct epoll_item;
struct hook { struct waiter waiter; struct wait_queue *queue; struct epoll_item *item; struct hook *next; };
struct epoll_item {
    struct epoll *epoll;
    struct file *file;                       /* not referenced: its end takes the item along */
    struct epoll_item *watcher_next;         /* of the file's */
    struct epoll_item *hash_next;
    struct epoll_item *ready_next, *ready_previous;
    struct hook *hooks, first_hook;          /* one for each queue that the file named */
    int descriptor;
    uint32_t events;                         /* as asked; 0 while a one-shot has fired */
    bool ready, hooked, out_of_memory;
    uint64_t data;
};
struct epoll {
    struct wait_queue sleepers, pollers;     /* threads in epoll_wait; who polls the set as a file */
    struct epoll_item **buckets, *few[8];
    uint32_t bucket_count, count;
    struct epoll_item *ready_first, *ready_last;
    uint32_t ready_count;
    struct file *file;
};

extern const struct file_ops epoll_ops;
struct epoll_item *epoll_find(struct epoll *, struct file *, int descriptor);
int epoll_add(struct epoll *, struct file *, int descriptor, const struct epoll_event *);
void epoll_change(struct epoll_item *, const struct epoll_event *);
void epoll_remove(struct epoll_item *);
/* May the set `member` become one of `epoll`? 0 or -ELOOP. */
int epoll_check_nesting(const struct epoll *epoll, const struct file *member);
/* Takes up to `room` events off the ready list; members that stay ready go to its end. At most `*looks` members are looked at, which it counts down. */
unsigned epoll_harvest(struct epoll *, struct epoll_event *out, unsigned room, uint32_t *looks);
#endif
