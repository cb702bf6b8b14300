/*
 * Job control (POSIX.1-2017 11.1 and XBD 3.252; Linux tty_ioctl(4), setpgid(2), credentials(7)): the part of a terminal that belongs to sessions and process
 * groups, whatever brings its bytes, and what the ends of processes mean for groups. A driver embeds one struct terminal_control a terminal and asks
 * before it reads, writes or changes modes. Context: calls. Lock: the process list's.
 */
#ifndef HULL_JOB_CONTROL_JOB_CONTROL_H
#define HULL_JOB_CONTROL_JOB_CONTROL_H
#include "task/task.h"

struct terminal_control { int session, foreground; }; /* 0: none. process.terminal points here from all of its session that have not let go of it */

/* May the caller use the terminal from its group? number: SIGTTIN to read, SIGTTOU to change it or, with TOSTOP, to write. 0; -EIO; -EINTR: its group was
 * signalled, the call begins anew when it goes on. */
long job_control_check(const struct terminal_control *, int number);
/* TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY; -ENOTTY for other requests too. */
long job_control_ioctl(struct terminal_control *, unsigned long request, unsigned long argument);
void job_control_hang_up(struct terminal_control *); /* the terminal is gone: its session's leader hears it, and all lose it */

/* Hooks, by weak references. */
bool job_control_orphaned(int group, const struct process *without); /* nobody in the session but outside the group waits for one of it */
void job_control_exit(struct process *process);                    /* it ends; its children have not been given away yet */
void job_control_given_away(struct process *child, int old_parent_group); /* ... and now this one was */
#endif
