/*
 * What to do when memory is used up. By `process`; where that is absent there is one process, which ends.
 * Context: calls and faults; sleeps.
 */
#ifndef HULL_PROCESS_SHORTAGE_H
#define HULL_PROCESS_SHORTAGE_H
enum shortage {
    SHORTAGE_OVER, /* another process has ended: try again */
    SHORTAGE_OURS, /* the current process is to end, SIGKILL is there, or nobody else could be ended in time */
};
enum shortage process_relieve(void);
#endif
