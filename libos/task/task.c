/* The first process, its thread, and the boot CPU. Filled in at start, so that the image's file has none of their zeros. */
#include "init/init.h"
#include "task/task.h"

/* Weak: a program without descriptors has no table. */
extern __typeof(first_file_table) first_file_table __attribute__((weak));
uint64_t task_switches;
struct process first_process;
struct thread first_thread;
struct cpu cpu_zero;

static void task_start(void) {
    struct process *process = &first_process;
    process->files = &first_file_table;
    process->pid = process->group = process->session = 1;
    __builtin_memcpy(process->name, "program", 8);
    process->threads = &first_thread;
    first_thread.process = process;
    first_thread.tid = 1;
    cpu_zero.current = &first_thread;
}
HULL_INIT(0, task_start);
