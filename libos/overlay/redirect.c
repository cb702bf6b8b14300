/*
 * Directories of the lower layer that were renamed: which lower directory an upper one shows, where its name no longer says so. Owns one entry and
 * one reference to the lower inode for each; kept in memory, as the upper layer is.
 */
#include "overlay/internal.h"

struct redirect { struct redirect *next; const struct inode *upper; struct inode *lower; };
static struct redirect *redirects;

int overlay_redirect(struct inode *upper, struct inode *lower) {
    if (is_redirected(upper)) return 0;
    struct redirect *redirect = kmalloc(sizeof *redirect);
    if (!redirect) return -ENOSPC;
    *redirect = (struct redirect){ redirects, upper, lower };
    inode_get(lower);
    redirects = redirect;
    upper->rdev = OVERLAY_REDIRECTED;
    return 0;
}

struct inode *overlay_redirected(const struct inode *upper) {
    for (const struct redirect *redirect = redirects; redirect; redirect = redirect->next)
        if (redirect->upper == upper) return redirect->lower;
    return NULL;
}

void overlay_redirect_drop(const struct inode *upper) {
    struct redirect **link = &redirects, *redirect;
    while (*link && (*link)->upper != upper) link = &(*link)->next;
    if (!(redirect = *link)) return;
    *link = redirect->next;
    inode_put(redirect->lower);
    kfree(redirect);
}
