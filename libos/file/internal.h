/* Private to the file component: how the calls get at slots, and the one path all transfers take. */
#ifndef HULL_FILE_INTERNAL_H
#define HULL_FILE_INTERNAL_H
#include <stdbool.h>
#include "abi/linux_file.h"
#include "file/file.h"
#include "file/transfer.h"
#include "syscall/syscall.h"
#include "task/task.h"

static inline struct file **table_files(struct file_table *table) {
    return table->files ? table->files : table->first;
}
static inline uint8_t *table_marks(struct file_table *table) {
    return table->files ? table->close_on_exec : table->first_cloexec;
}
/* Replaces what is at `descriptor` (NULL: makes it free); returns what was there, still referenced. */
struct file *file_table_set(struct file_table *table, uint32_t descriptor, struct file *file, bool close_on_exec);
extern __typeof(limit_descriptors) limit_descriptors __attribute__((weak));
static inline uint32_t most_descriptors(void) { return limit_descriptors ? limit_descriptors(current_process()) : FILE_FIRST_DESCRIPTORS; }
/* Makes room for at least `size` slots; 0, -EMFILE or -ENOMEM. */
int file_table_grow(struct file_table *table, uint32_t size);

/* The common path of writev and its kind: copies the program's vector, checks it, calls `transfer`. */
long file_vector(struct file *file, const struct iovec *program, unsigned long count, int64_t position, file_transfer transfer);
/* The common path of write and its kind: one buffer. */
long file_single(int descriptor, void *buffer, size_t size, int64_t position, file_transfer transfer);
#define FILE_TRANSFER_MAX 0x7ffff000ul /* Linux's MAX_RW_COUNT */
#endif
