/*
 * xenstore (docs/misc/xenstore.txt, public/io/xs_wire.h): a tree of names and short values that the toolstack and the domains share. Paths without a leading slash are under the domain's own.
 * Calls wait, spinning, for xenstored's answer. Context: calls, bottom halves and start hooks from order 3 on.
 */
#ifndef HULL_XEN_STORE_XEN_STORE_H
#define HULL_XEN_STORE_XEN_STORE_H
#include <stddef.h>
#include <stdint.h>
#define XEN_STORE_PATH_MOST 128 /* of the paths that drivers here make, with the NUL */
/* The value, ended by a NUL, cut where it has no room. Its length, or -errno: -ENOENT where there is none, -ENODEV without a store. */
int xen_store_read(const char *path, char *value, size_t size);
/* A value that is a decimal number; -1 where there is none. */
long xen_store_read_number(const char *path);
int xen_store_write(const char *path, const char *value);
/* The names in `path`, each ended by a NUL. Their length together, or -errno. */
int xen_store_list(const char *path, char *names, size_t size);
/* changed() runs as a bottom half soon after `path` or what is below it changes, and once at first. The caller owns `watch`. */
struct xen_store_watch { const char *path; void (*changed)(void); struct xen_store_watch *next; };
int xen_store_watch(struct xen_store_watch *watch);
#endif
