/* The memory devices of Linux (major number 1), as files. */
#ifndef HULL_MEMORY_DEVICES_MEMORY_DEVICES_H
#define HULL_MEMORY_DEVICES_MEMORY_DEVICES_H
#include "file/file.h"
/* minor: 3 null, 5 zero, 7 full, 8 random, 9 urandom; else -ENXIO. inode: NULL, or what the file holds a reference to (the caller's, when 0). */
int memory_device_open(unsigned minor, uint32_t flags, void *inode, struct file **out);
#endif
