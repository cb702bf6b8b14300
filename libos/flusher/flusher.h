/* Writes what nobody asks for: a thread of the libOS, which calls each file system's pass when something of it may be too old. Context: calls. */
#ifndef HULL_FLUSHER_FLUSHER_H
#define HULL_FLUSHER_FLUSHER_H
#include <stdbool.h>
#include <stdint.h>

/* How long a change of a call is kept back at most; and one that a mapping made unseen: those have to be looked for, page by page. */
#define FLUSHER_OLD_NS 5000000000ull
#define FLUSHER_MAPPED_NS 30000000000ull

/* The file system owns it and zeroes the rest. pass: in the thread, may sleep; writes what is old by now; when to come again (clock_monotonic_ns), 0: not before something changes. */
struct flusher { uint64_t (*pass)(void); struct flusher *next; bool known; };
void flusher_start(struct flusher *);   /* its pass is called from now on, if there is memory for the thread; may be called again and again */
void flusher_expect(uint64_t when);     /* something will be too old then */
#endif
