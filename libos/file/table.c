/*
 * Descriptor tables. Owns struct file_table: which slot names which file. A table belongs to one process; all code here runs
 * in calls (never in interrupts). On one CPU the table needs no lock: nothing here sleeps.
 */
#include "file/internal.h"
#include "console/console.h"
#include "lib/string.h"
#include "memory/memory.h"

void locks_descriptor_closed(const struct file_table *, struct file *) __attribute__((weak)); /* by `file-locks` */

struct file_table first_file_table = {
    .references = 1,
    .size = sizeof first_file_table.first / sizeof *first_file_table.first,
    .first = { &console_files[0], &console_files[1], &console_files[2] },
};

struct file *file_lookup_any(int descriptor) {
    struct file_table *table = current_process()->files;
    return (uint32_t)descriptor < table->size ? table_files(table)[descriptor] : NULL;
}

struct file *file_lookup(int descriptor) {
    struct file *file = file_lookup_any(descriptor);
    return file && file->flags & O_PATH ? NULL : file;
}

struct file *file_lookup_in(const struct file_table *table, int descriptor, bool *close_on_exec) {
    struct file_table *at = (struct file_table *)table;
    if (!at || (uint32_t)descriptor >= at->size) return NULL;
    if (close_on_exec) *close_on_exec = table_marks(at)[descriptor];
    return table_files(at)[descriptor];
}

struct file *file_table_set(struct file_table *table, uint32_t descriptor, struct file *file, bool close_on_exec) {
    struct file **slot = &table_files(table)[descriptor], *old = *slot;
    *slot = file;
    if (!file && descriptor < table->taken) table->taken = descriptor;
    table_marks(table)[descriptor] = close_on_exec;
    if (locks_descriptor_closed) locks_descriptor_closed(table, old);
    return old;
}

int file_table_grow(struct file_table *table, uint32_t size) {
    if (size > FILE_MAX_DESCRIPTORS) return -EMFILE;
    if (size <= table->size) return 0;
    uint32_t room = table->size;
    while (room < size) room *= 2;
    struct file **files = kzalloc(room * (sizeof *files + 1));
    if (!files) return -ENOMEM;
    uint8_t *marks = (uint8_t *)(files + room);
    memcpy(files, table_files(table), table->size * sizeof *files);
    memcpy(marks, table_marks(table), table->size);
    kfree(table->files);
    table->files = files;
    table->close_on_exec = marks;
    table->size = room;
    return 0;
}

int file_install(struct file *file, int least, int cloexec) {
    struct file_table *table = current_process()->files;
    uint32_t slot = (uint32_t)least > table->taken ? (uint32_t)least : table->taken;
    while (slot < table->size && table_files(table)[slot]) slot++;
    if (slot >= most_descriptors()) return -EMFILE;
    int error = file_table_grow(table, slot + 1);
    if (error) return error;
    file_table_set(table, slot, file, cloexec != 0);
    if ((uint32_t)least <= table->taken) table->taken = slot + 1;
    return (int)slot;
}

int file_room(void) {
    struct file_table *table = current_process()->files;
    uint32_t most = most_descriptors();
    for (uint32_t slot = table->taken; slot < most && slot < table->size; slot++)
        if (!table_files(table)[slot]) return 0;
    return table->size < most ? 0 : -EMFILE;
}

void file_uninstall(int descriptor) {
    file_put(file_table_set(current_process()->files, (uint32_t)descriptor, NULL, false));
}

struct file_table *file_table_copy(const struct file_table *from) {
    struct file_table *copy = kzalloc(sizeof *copy), *source = (struct file_table *)from;
    if (!copy) return NULL;
    copy->references = 1;
    copy->size = sizeof copy->first / sizeof *copy->first;
    if (file_table_grow(copy, source->size)) {
        kfree(copy);
        return NULL;
    }
    for (uint32_t slot = 0; slot < source->size; slot++) {
        struct file *file = table_files(source)[slot];
        if (!file) continue;
        file_get(file);
        file_table_set(copy, slot, file, table_marks(source)[slot]);
    }
    return copy;
}

void file_table_close_on_exec(struct file_table *table) {
    for (uint32_t slot = 0; slot < table->size; slot++)
        if (table_files(table)[slot] && table_marks(table)[slot]) file_put(file_table_set(table, slot, NULL, false));
}

void file_table_put(struct file_table *table) {
    if (--table->references) return;
    for (uint32_t slot = 0; slot < table->size; slot++)
        if (table_files(table)[slot]) file_put(file_table_set(table, slot, NULL, false));
    kfree(table->files);
    if (table != &first_file_table) kfree(table);
}
