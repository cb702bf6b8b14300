/*
 * Block devices that are read by pages, and the cache of their pages; for file systems that keep their own, transfers. A device is either in memory already (`memory`: its pages are
 * handed out as they are) or has `read`. Cached pages hold one reference each; a page that only the cache holds is given back when
 * memory runs short (memory_reclaim, memory.h).
 * Context: calls and faults; may sleep. Lock: the device's slots, when there is more than one CPU.
 */
#ifndef HULL_BLOCK_BLOCK_H
#define HULL_BLOCK_BLOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wait/wait.h"

#define BLOCK_READ_MOST 64 /* pages in one read */
#define BLOCK_PIECES_MOST 64

struct superblock;
struct block_piece { void *data; uint32_t size; }; /* physically contiguous; a multiple of 512 bytes */

struct block_device {
    uint64_t pages;             /* whole pages of content */
    const uint8_t *memory;      /* page-aligned; NULL: `read` brings it */
    /* Reads `count` <= BLOCK_READ_MOST pages from page `first` on, each to a page of its own. 0 or -EIO. */
    int (*read)(struct block_device *, uint64_t first, void *const *pages, unsigned count);
    /* Both absent where nobody may write. At most BLOCK_PIECES_MOST pieces from byte sector * 512 on; the cache does not know of it. flush: what was written stays. */
    int (*transfer)(struct block_device *, bool write, uint64_t sector, const struct block_piece *pieces, unsigned count);
    int (*flush)(struct block_device *);
    uint64_t sectors;           /* of 512 bytes */
    bool read_only;             /* transfer reads only */
    char name[21];              /* the one that the VMM gave it (serial), or empty */
    struct superblock *super;   /* who mounted it for all, NULL: nobody */
    void *data;                 /* the driver's */
    /* The cache's. */
    uint32_t **leaves;          /* by page / BLOCK_LEAF: page numbers; 0: not here, 1: being read */
    struct wait_queue waiters;  /* for pages that are being read */
    uint64_t next_expected, hand, cached;
    uint64_t reads, pages_read; /* so far, for /proc/diskstats */
    struct block_device *next;
};
/* A driver's device is ready. 0 or -ENOMEM. */
int block_attach(struct block_device *);
struct block_device *block_first(void); /* NULL: none */
struct block_device *block_find(const char *name); /* NULL: none */
/* Who else keeps what can be had again, with memory_reclaim's contract: asked after the cache here. Waits for nothing. */
struct block_reclaimer { uint64_t (*reclaim)(uint64_t wanted); struct block_reclaimer *next; };
void block_add_reclaimer(struct block_reclaimer *);
/* The page `index` with a reference for the caller (page_put). how: FILE_PAGE_*. 0, -EIO, -ENOMEM, -ENXIO beyond the end, -EAGAIN. */
int block_get_page(struct block_device *, uint64_t index, int how, uint64_t *physical);
#endif
