/*
 * Physical pages and the libOS heap. Owns every byte of RAM that no one else was given.
 * Context: not from interrupt handlers. Page descriptors count references, for copy-on-write and shared pages.
 */
#ifndef HULL_MEMORY_MEMORY_H
#define HULL_MEMORY_MEMORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12

struct page { uint32_t references; uint32_t flags; }; /* one for each RAM page; the array is made lazily cheap: no boot-time loop over it */

/* Boot only: memory_add gives usable ranges, memory_reserve takes out what is in use (image, module). */
void memory_add(uint64_t start, uint64_t end);
void memory_reserve(uint64_t start, uint64_t end);
void memory_ready(void); /* after the last memory_reserve, before the first page_alloc */

void *page_alloc(void);          /* one page, contents undefined, references = 1; direct-map address or NULL */
void *page_alloc_zeroed(void);
void *pages_alloc(unsigned count); /* physically contiguous; NULL when none; free with pages_free */
void pages_free(void *pages, unsigned count);
struct page *page_of(uint64_t phys); /* NULL when phys is not RAM of ours (device, image) */
void page_get(uint64_t phys);
void page_put(uint64_t phys);    /* frees at zero; pages outside RAM of ours are left alone */
#define PAGE_CACHED 0x100u       /* page.flags: a cache finds it again. Where it is mapped, and not for writing, it may go at any time: the next touch brings it back */
/* By who holds pages that can be had again (the page cache), where there is one: gives back about `wanted` of them that nobody else holds; how many it gave. */
uint64_t memory_reclaim(uint64_t wanted);
/* By the same: also what is mapped may go. Only where nobody relies on what page tables say: memory_make_free. */
uint64_t memory_reclaim_mapped(uint64_t wanted);
/* By who maps pages: takes those that are PAGE_CACHED out of page tables, so that memory_reclaim can have what is not touched soon. How many; 0: there are too few. */
uint64_t memory_unmap_cached(void);
/* So much memory is free, or becomes free by what is only kept. Pages go out of page tables meanwhile: who looked one up has a reference, or looks again. */
bool memory_make_free(uint64_t bytes);
/* By who tells the host of free memory, where there is one: a free block of 2 MiB or more came to be. Inside the allocator: it notes that, no more. */
void memory_block_freed(void);
/* For it: the largest free block that the host was not told of, 2^*order pages, no longer free; NULL. And back, when it was told. */
void *memory_take_unreported(unsigned *order);
void memory_put_reported(void *block, unsigned order);
uint64_t memory_total(void);     /* bytes */
uint64_t memory_free(void);

void *kmalloc(size_t size);      /* 16-byte aligned; NULL when out of memory */
void *kzalloc(size_t size);
void kfree(void *p);
#endif
