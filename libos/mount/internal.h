/* Private to mount: it works on vfs' objects. */
#ifndef HULL_MOUNT_INTERNAL_H
#define HULL_MOUNT_INTERNAL_H
#include "vfs/internal.h"
#endif
