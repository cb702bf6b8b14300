/* Private to overlay: what an inode of it is. */
#ifndef HULL_OVERLAY_INTERNAL_H
#define HULL_OVERLAY_INTERNAL_H
#include "lib/string.h"
#include "memory/memory.h"
#include "overlay/overlay.h"
#include "syscall/syscall.h"

/*
 * An overlay inode stands for a lower inode, an upper one, or both (a merged directory; a file that was copied up). While it lives its
 * own attributes are the ones that count; they go to the upper inode when something looks there (copying up, the end of its life).
 */
enum overlay_table { OVERLAY_BY_UPPER, OVERLAY_BY_NUMBER, OVERLAY_TABLES };
struct layers {
    struct inode *lower, *upper; /* one reference each; at least one is there */
    struct inode *parent;        /* overlay inode with a reference, NULL: the root */
    char *name;                  /* under which it was found there: copying up needs it. Only while there is no upper */
    bool coming;                 /* the upper one is being made */
    struct inode *next[OVERLAY_TABLES]; /* overlay inodes with an upper one, in copy_up.c's tables */
};
static inline struct layers *layers_of(const struct inode *inode) { return inode->data; }
static inline bool is_kind(const struct inode *inode, uint32_t kind) { return (inode->mode & S_IFMT) == kind; }
static inline bool is_whiteout(const struct inode *upper) { return is_kind(upper, S_IFCHR) && !upper->rdev; }
/* An upper directory's rdev, which otherwise means nothing: it hides the lower one of its name; it shows another one, see redirect.c. */
enum { OVERLAY_OPAQUE = 1, OVERLAY_REDIRECTED = 2 };
static inline bool is_redirected(const struct inode *upper) { return upper->rdev == OVERLAY_REDIRECTED; }
static inline bool is_opaque(const struct inode *upper) { return upper->rdev != 0; }

/* Marks are kept where the upper file system keeps extended attributes: as Linux's overlayfs has them (trusted.overlay.opaque). 0 or -errno. */
int overlay_mark_opaque(struct inode *upper);
void overlay_read_marks(struct inode *upper); /* of a directory that was just looked up */
static inline bool outlives(const struct inode *upper) { return upper->ops->attributes_changed; }
int overlay_push_all(const struct superblock *); /* attributes of living inodes, to their upper ones */

extern const struct inode_ops overlay_directory_ops, overlay_file_ops, overlay_link_ops, overlay_node_ops;

/* The overlay inode for these; takes their references in any case. Another name of an upper inode that is known gives the same inode. */
int overlay_inode(struct superblock *, struct inode *parent, const char *name, size_t length, struct inode *lower, struct inode *upper,
                  struct inode **out);
/* The living one of an upper inode; of an upper inode's number, when it shows another number than that tells. Borrowed; NULL: none. */
struct inode *overlay_known(const struct superblock *, const struct inode *upper);
struct inode *overlay_numbered(const struct superblock *, uint64_t upper_number);
#define OVERLAY_UPPER_NUMBER (1ull << 40) /* in the numbers of what is above only */
void overlay_release(struct inode *);
void overlay_take_attributes(struct inode *to, const struct inode *from);
/* Makes the upper inode, and those of the directories above it. most: bytes of content that are wanted. 0 or -errno. */
int overlay_copy_up(struct inode *, int64_t most);
/* A lower directory is shown by an upper one that does not have its name and place: 0 or -ENOSPC. The lower one is borrowed where it is asked for. */
int overlay_redirect(struct inode *upper, struct inode *lower);
struct inode *overlay_redirected(const struct inode *upper);
void overlay_redirect_drop(const struct inode *upper);
int overlay_attribute_holder(struct inode *, bool changes, struct inode **out); /* inode_ops.attribute_holder */
int overlay_sync(struct inode *, bool data_only); /* inode_ops.sync */
#endif
