/*
 * A TCG plugin of QEMU (docs/devel/tcg-plugins of QEMU's documentation, API version 1) that counts the guest's instructions by block of code. Owns the counters.
 * Arguments: control=FIFO, whose reader it is: "r" sets all counters to 0, "d" writes them to out=FILE, a line "ADDRESS INSTRUCTIONS RUNS" for each block that ran,
 * by way of FILE.part, so that who waits for FILE sees all of it. One virtual CPU: counters are plain. bench/profile.ts names the addresses.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* QEMU's side, as its documentation has it: Debian's packages have no header of it. */
struct qemu_plugin_tb;
struct qemu_info;
enum { API_VERSION = 1, INLINE_ADD = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin, void (*translated)(uint64_t plugin, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *counter, uint64_t amount);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
__attribute__((visibility("default"))) int qemu_plugin_version = API_VERSION;

enum { BUCKETS = 1 << 16 };
struct block { struct block *next; uint64_t address, size, runs; };
static struct block *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *control, *out;

static void translated(uint64_t plugin, struct qemu_plugin_tb *code) {
    uint64_t address = qemu_plugin_tb_vaddr(code), size = qemu_plugin_tb_n_insns(code);
    struct block **link = &buckets[(address ^ address >> 16) % BUCKETS], *block;
    (void)plugin;
    pthread_mutex_lock(&lock);
    for (block = *link; block && (block->address != address || block->size != size); block = block->next) continue;
    if (!block && (block = calloc(1, sizeof *block))) {
        *block = (struct block){*link, address, size, 0};
        *link = block;
    }
    pthread_mutex_unlock(&lock);
    if (block) qemu_plugin_register_vcpu_tb_exec_inline(code, INLINE_ADD, &block->runs, 1);
}

static void write_all(void) {
    char part[4096];
    snprintf(part, sizeof part, "%s.part", out);
    FILE *file = fopen(part, "w");
    if (!file) return;
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct block *it = buckets[i]; it; it = it->next)
            if (it->runs) fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", it->address, it->size * it->runs, it->runs);
    fclose(file);
    rename(part, out);
}

static void *serve(void *argument) {
    int fd = open(control, O_RDWR); /* for writing, too: without writers a FIFO is at its end */
    char order;
    while (fd >= 0 && read(fd, &order, 1) == 1) {
        pthread_mutex_lock(&lock);
        if (order == 'd') write_all();
        for (unsigned i = 0; order == 'r' && i < BUCKETS; i++)
            for (struct block *it = buckets[i]; it; it = it->next) it->runs = 0;
        pthread_mutex_unlock(&lock);
    }
    return argument;
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t plugin, const struct qemu_info *info, int count, char **arguments) {
    pthread_t thread;
    (void)info;
    for (int i = 0; i < count; i++) {
        if (!strncmp(arguments[i], "control=", 8)) control = strdup(arguments[i] + 8);
        if (!strncmp(arguments[i], "out=", 4)) out = strdup(arguments[i] + 4);
    }
    if (!control || !out || pthread_create(&thread, NULL, serve, NULL)) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translated);
    return 0;
}
