/* The first process, its thread, and the boot CPU. */
#include "task/task.h"

/* Weak: a program without descriptors has no table. */
extern __typeof(first_file_table) first_file_table __attribute__((weak));
struct process first_process = {.files = &first_file_table, .pid = 1, .group = 1, .session = 1, .name = "program", .threads = &first_thread};
struct thread first_thread = {.process = &first_process, .tid = 1};
struct cpu cpu_zero = {.current = &first_thread};
