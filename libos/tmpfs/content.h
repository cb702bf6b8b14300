/* A file's pages: a tree of tables of 512, as high as the last page needs. height 0: root is the page itself (or 0). Holds one reference a page. */
#ifndef HULL_TMPFS_CONTENT_H
#define HULL_TMPFS_CONTENT_H
#include <stdbool.h>
#include <stdint.h>
struct content { uint64_t root, pages; unsigned height; };
uint64_t content_find(const struct content *, uint64_t index);              /* physical page, 0: a hole */
int content_get(struct content *, uint64_t index, uint64_t *physical);      /* makes it, zeroed; 0 or -ENOSPC. No reference is given */
int content_place(struct content *, uint64_t index, uint64_t physical);       /* a page of the caller's, whose reference it takes; -ENOSPC, -EEXIST */
uint64_t content_next(const struct content *, uint64_t index, bool hole);    /* the next page that is there, or is not; ~0ull: none is there */
void content_drop(struct content *, uint64_t first, uint64_t end);          /* pages [first, end) become holes */
/* Of a page's bytes, never 0: whether a page that was lent for writing differs from what its device or server last had. */
uint64_t content_hash(const void *page);
#endif
