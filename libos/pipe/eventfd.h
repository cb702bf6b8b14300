/* An eventfd, for who tells of something through one: `aio`. Context: calls. */
#ifndef HULL_PIPE_EVENTFD_H
#define HULL_PIPE_EVENTFD_H
#include "file/file.h"
bool eventfd_is(const struct file *);
void eventfd_signal(struct file *); /* adds 1, without waiting: a full counter says that it overflowed (eventfd(2)) */
#endif
