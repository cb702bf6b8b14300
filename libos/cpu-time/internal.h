/* Private to cpu-time. */
#ifndef HULL_CPU_TIME_INTERNAL_H
#define HULL_CPU_TIME_INTERNAL_H
#include "cpu-time/cpu_time.h"
void cpu_time_usage_thread(struct thread *, struct rusage *out);
void cpu_time_usage_children(struct process *, struct rusage *out);
#endif
